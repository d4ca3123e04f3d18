"""Mean of branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.layers._base import Cost
from archspec.layers._join import Join
from archspec.terms import Terms, Unit, formula, said_sum
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Average(Join):
    """Element-wise mean of inputs of equal shape; nothing is broadcast. `avg_pool` is the mean over windows."""

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        return sum(low for low, _ in inputs) / len(inputs), sum(high for _, high in inputs) / len(inputs)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=len(inputs) * output.size)

    def terms(self, unit: Unit) -> Terms:
        values = unit.values
        line = f"({said_sum(values)})/{len(values)}"
        size = sum(map(abs, values)) / len(values)
        return formula(sum(values) / len(values), size, "the mean of the inputs", line)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import reduce
        from operator import add

        from archspec.nn.apply import Apply

        return Apply(lambda *xs: reduce(add, xs) / len(xs))
