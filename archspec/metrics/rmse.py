"""Root mean squared error."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from archspec.metrics._base import Totals, Values, share
from archspec.metrics._error import ErrorMetric

if TYPE_CHECKING:
    import jax


class Rmse(ErrorMetric):
    """The root of the mean of (x − t)² over all numbers of the split, in the target's unit."""

    def of(self, error: jax.Array) -> jax.Array:
        return error**2

    def result(self, totals: Totals) -> Values:
        mean = share(totals["error"], totals["count"])
        return {"rmse": None if mean is None else sqrt(mean)}
