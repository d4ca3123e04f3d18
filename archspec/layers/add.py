"""Sum of branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.layers._base import Cost
from archspec.layers._join import Join
from archspec.terms import Terms, Unit, formula, said_sum
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Add(Join):
    """Element-wise sum of inputs of equal shape; nothing is broadcast."""

    linear: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    @property
    def passes_bounds(self) -> bool:
        return True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        return sum(low for low, _ in inputs), sum(high for _, high in inputs)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=(len(inputs) - 1) * output.size)

    def terms(self, unit: Unit) -> Terms:
        values = unit.values
        return formula(sum(values), sum(map(abs, values)), "the sum of the inputs", said_sum(values))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import reduce
        from operator import add

        from archspec.nn.apply import Apply

        return Apply(lambda *xs: reduce(add, xs))
