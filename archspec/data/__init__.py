"""Datasets, one kind a file; the base class is in `_base.py`."""

from archspec.data._base import (
    INPUT,
    LABEL,
    RELATIVE,
    Data,
    Dataset,
    Split,
)
from archspec.data._parts import loaded, untrained

__all__ = ["INPUT", "LABEL", "RELATIVE", "Data", "Dataset", "Split", "loaded", "untrained"]
