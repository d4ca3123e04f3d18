"""Maximum of branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.layers._base import Cost
from archspec.layers._join import Join
from archspec.terms import Terms, Unit, formula, said
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Maximum(Join):
    """Element-wise maximum of inputs of equal shape (Goodfellow et al. 2013, maxout); nothing is broadcast."""

    within: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        return max(low for low, _ in inputs), max(high for _, high in inputs)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=(len(inputs) - 1) * output.size)

    def terms(self, unit: Unit) -> Terms:
        values = unit.values
        line = f"max({', '.join(map(said, values))})"
        return formula(max(values), max(map(abs, values)), "the largest of the inputs", line)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import reduce

        import jax.numpy as jnp

        from archspec.nn.apply import Apply

        return Apply(lambda *xs: reduce(jnp.maximum, xs))
