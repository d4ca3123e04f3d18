"""Datasets, one kind a file; the base class is in `_base.py`, what loading one gives in `_split.py`.

What only loading needs is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archspec.data._base import INPUT, LABEL, MAX_CLASSES, RELATIVE, Dataset

if TYPE_CHECKING:
    from archspec.data._batches import Gathered, InTurn, Orders, Ranges, epoch_order, in_blocks, uncounted
    from archspec.data._columns import Column, UnlikeError, Values, as_array, mapped, pieces
    from archspec.data._cutting import Cut, CutColumn, cuttable
    from archspec.data._files import picked
    from archspec.data._index import IMAGES, MASKS
    from archspec.data._lists import LABELS
    from archspec.data._parts import loaded, untrained
    from archspec.data._reading import Reading, told_of_parts
    from archspec.data._split import Data, Split
    from archspec.data._workers import Loader, Read, each, workers_for

_HOMES = {
    **dict.fromkeys(("Gathered", "InTurn", "Orders", "Ranges", "epoch_order", "in_blocks", "uncounted"), "_batches"),
    **dict.fromkeys(("Loader", "Read", "each", "workers_for"), "_workers"),
    "Column": "_columns",
    **dict.fromkeys(("Cut", "CutColumn", "cuttable"), "_cutting"),
    "Data": "_split",
    **dict.fromkeys(("IMAGES", "MASKS"), "_index"),
    "LABELS": "_lists",
    **dict.fromkeys(("Reading", "told_of_parts"), "_reading"),
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
    "IMAGES",
    "INPUT",
    "LABEL",
    "LABELS",
    "MASKS",
    "MAX_CLASSES",
    "RELATIVE",
    "Column",
    "Cut",
    "CutColumn",
    "Data",
    "Dataset",
    "Gathered",
    "InTurn",
    "Loader",
    "Orders",
    "Ranges",
    "Read",
    "Reading",
    "Split",
    "UnlikeError",
    "Values",
    "as_array",
    "cuttable",
    "each",
    "epoch_order",
    "in_blocks",
    "loaded",
    "mapped",
    "picked",
    "pieces",
    "told_of_parts",
    "uncounted",
    "untrained",
    "workers_for",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
