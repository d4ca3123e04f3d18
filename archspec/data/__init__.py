"""Datasets, one kind a file; the base class is in `_base.py`, what loading one gives in `_split.py`.

What only loading needs is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archspec.data._base import INPUT, LABEL, MAX_CLASSES, RELATIVE, Dataset

if TYPE_CHECKING:
    from archspec.data._columns import Column, UnlikeError, Values, as_array, mapped, pieces
    from archspec.data._files import picked
    from archspec.data._parts import loaded, untrained
    from archspec.data._split import Data, Split

_HOMES = {
    "Column": "_columns",
    "Data": "_split",
    "Split": "_split",
    "UnlikeError": "_columns",
    "Values": "_columns",
    "as_array": "_columns",
    "loaded": "_parts",
    "mapped": "_columns",
    "picked": "_files",
    "pieces": "_columns",
    "untrained": "_parts",
}

__all__ = [
    "INPUT",
    "LABEL",
    "MAX_CLASSES",
    "RELATIVE",
    "Column",
    "Data",
    "Dataset",
    "Split",
    "UnlikeError",
    "Values",
    "as_array",
    "loaded",
    "mapped",
    "picked",
    "pieces",
    "untrained",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
