"""Metrics, one kind a file; the base class is in `_base.py`."""

from archspec.metrics._base import (
    Metric,
    Sums,
    Totals,
    Values,
    add,
)

__all__ = ["Metric", "Sums", "Totals", "Values", "add"]
