"""Coefficient of determination."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.losses import Form, Loss
from archspec.metrics._base import Metric, Sums, Totals, Values

if TYPE_CHECKING:
    import jax


class R2(Metric):
    """1 − Σ (x − t)²/Σ (t − mean of t)² of each number of the last axis over the split, and the mean of these.

    1 is exact, 0 what the targets' own mean would give. A number whose targets are all alike has none.
    """

    by_position: ClassVar[bool] = True
    forms: ClassVar[tuple[Form, ...]] = ("numbers",)
    percent = False
    joined = True  # each batch has its own mean

    @property
    def label(self) -> str:
        return "R²"

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        import jax.numpy as jnp

        def per_batch(output: jax.Array, target: jax.Array) -> Sums:
            width = output.shape[-1]
            found, target = loss.linked(output).reshape(-1, width), target.reshape(-1, width)
            counts = ~jnp.isnan(target)
            number = counts.sum(0)
            mean = jnp.where(counts, target, 0).sum(0) / jnp.maximum(number, 1)
            rest = jnp.where(counts, target - mean, 0)  # what rounding took from the mean is in their sum
            error = (jnp.where(counts, found - target, 0) ** 2).sum(0)
            sums = {"count": number, "mean": mean, "rest": rest.sum(0), "spread": (rest**2).sum(0), "error": error}
            return {name: value[None] for name, value in sums.items()}

        return per_batch

    def result(self, totals: Totals) -> Values:
        import numpy as np

        wide = {name: value.astype(np.float64) for name, value in totals.items()}
        count, rest, error = wide["count"], wide["rest"], wide["error"]
        mean = wide["mean"] + rest / np.maximum(count, 1)
        spread = wide["spread"] - rest**2 / np.maximum(count, 1)
        whole = (count * mean).sum(0) / np.maximum(count.sum(0), 1)
        # The spread of all is that within the batches and that of their means (Chan et al. 1979).
        total = spread.sum(0) + (count * (mean - whole) ** 2).sum(0)
        each = [1 - own / all_ for own, all_ in zip(error.sum(0), total, strict=True) if all_ > 0]
        return {"r2": float(sum(each) / len(each)) if each else None}
