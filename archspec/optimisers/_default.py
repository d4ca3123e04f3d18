"""The optimiser of a recipe that names none."""

from __future__ import annotations

from archspec.optimisers._base import Optimiser
from archspec.optimisers.adam import Adam


def default_optimiser() -> Optimiser:
    """What a recipe has that names none, and what memory is predicted for where there is no recipe."""
    return Adam.plain_default()
