"""What metrics of errors have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from archspec.losses import Form, Loss
from archspec.metrics._base import Metric, Sums

if TYPE_CHECKING:
    import jax

    from archspec.types import TensorType


class ErrorMetric(Metric):
    """A function of output − target, number by number, added up; the output is what the loss makes of it."""

    by_position: ClassVar[bool] = True
    forms: ClassVar[tuple[Form, ...]] = ("numbers",)
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    percent = False

    @property
    def label(self) -> str:
        return self.kind.upper()

    def of(self, error: jax.Array) -> jax.Array:
        """What an error adds."""
        raise NotImplementedError

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        import jax.numpy as jnp

        def per_batch(output: jax.Array, target: jax.Array) -> Sums:
            counts = ~jnp.isnan(target)
            error = jnp.where(counts, loss.linked(output) - target, 0.0)
            return {"error": jnp.sum(self.of(error)), "count": jnp.sum(counts)}

        return per_batch

    def sizes(self, output: TensorType) -> Mapping[str, int]:
        return {"error": 1, "count": 1}
