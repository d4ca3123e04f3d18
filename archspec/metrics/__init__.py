"""Metrics, one kind a file; the base class is in `_base.py`."""

from archspec.metrics._base import (
    Metric,
    Sums,
    Totals,
    Values,
    add,
)
from archspec.metrics._counting import labels_of, truths_of

__all__ = ["Metric", "Sums", "Totals", "Values", "add", "labels_of", "truths_of"]
