"""Mean absolute error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.metrics._base import Totals, Values, share
from archspec.metrics._error import ErrorMetric

if TYPE_CHECKING:
    import jax


class Mae(ErrorMetric):
    """The mean of |x − t| over all numbers of the split, in the target's unit."""

    def of(self, error: jax.Array) -> jax.Array:
        import jax.numpy as jnp

        return jnp.abs(error)

    def result(self, totals: Totals) -> Values:
        return {"mae": share(totals["error"], totals["count"])}
