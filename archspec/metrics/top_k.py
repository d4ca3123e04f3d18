"""Top-k accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.diagnostics import DataError, count
from archspec.fields import PositiveInt
from archspec.losses import Form, Loss
from archspec.metrics._base import Metric, Sums, Totals, Values, share
from archspec.metrics._counting import labels_of

if TYPE_CHECKING:
    import jax

    from archspec.types import TensorType


class TopK(Metric):
    """The share of labels among the k classes with the largest outputs; of equal ones the first comes first."""

    by_position: ClassVar[bool] = True
    main = "k"
    forms: ClassVar[tuple[Form, ...]] = ("classes",)

    k: Annotated[PositiveInt, Field(description="guesses")]

    @property
    def headline(self) -> str:
        return f"top{self.k}"

    @property
    def label(self) -> str:
        return f"top-{self.k}"

    def check(self, output: TensorType) -> None:
        if self.k >= output.channels and self.k > 1:
            raise DataError("E501", f"`top_k: {self.k}` of {count(output.channels, 'class')} is always right")

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        import jax.numpy as jnp

        def per_batch(output: jax.Array, target: jax.Array) -> Sums:
            labels = labels_of(output, target)
            counts = labels >= 0
            rank = rank_of(output, jnp.maximum(labels, 0))
            return {"count": jnp.sum(counts), "right": jnp.sum(counts & (rank < self.k))}

        return per_batch

    def result(self, totals: Totals) -> Values:
        return {self.headline: share(totals["right"], totals["count"])}

    def summary(self, values: Values, names: Sequence[str]) -> str:
        number = self.number(values[self.headline])
        return f"accuracy {number}" if self.k == 1 else f"{self.label} {number}"


def rank_of(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """How many classes come before the label's: 0 is a right answer. Of equal logits the first class comes first.

    A label whose logit is not a number comes last.
    """
    import jax.numpy as jnp

    own = jnp.take_along_axis(logits, labels[..., None], axis=-1)
    before = jnp.arange(logits.shape[-1]) < labels[..., None]
    ahead = (logits > own) | ((logits == own) & before)
    return jnp.where(jnp.isnan(own[..., 0]), logits.shape[-1], ahead.sum(-1))
