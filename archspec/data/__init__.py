"""Datasets, one kind a file; the base class is in `_base.py`."""

from archspec.data._base import (
    RELATIVE,
    Data,
    Dataset,
    Split,
)

__all__ = ["RELATIVE", "Data", "Dataset", "Split"]
