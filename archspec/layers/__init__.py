"""Layer kinds, one file each.

The base class is in `_base.py`; the other files that begin with an underscore hold what several kinds share.
"""

from archspec.layers._base import (
    Cost,
    Example,
    Family,
    Halo,
    Kept,
    Layer,
    OnRows,
    Port,
    Role,
    Weight,
    Window,
)
from archspec.layers._window import Laid, on_axes

__all__ = [
    "Cost",
    "Example",
    "Family",
    "Halo",
    "Kept",
    "Laid",
    "Layer",
    "OnRows",
    "Port",
    "Role",
    "Weight",
    "Window",
    "on_axes",
]
