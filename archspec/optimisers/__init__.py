"""Optimisers, one kind a file; the base class is in `_base.py`."""

from archspec.optimisers._base import (
    Optimiser,
)
from archspec.optimisers._default import default_optimiser

__all__ = ["Optimiser", "default_optimiser"]
