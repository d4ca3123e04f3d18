"""Difference of two branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.layers._base import Cost, Example
from archspec.layers._join import Join
from archspec.terms import Terms, Unit, formula, said_sum
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Subtract(Join):
    """The first input minus the second, element by element; they have one shape, and nothing is broadcast."""

    max_inputs: ClassVar[int | None] = 2
    linear: ClassVar[bool] = True
    in_place: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = tuple(item for item in Join.examples if len(item.inputs) == 2)

    @property
    def passes_bounds(self) -> bool:
        return True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        (low, high), (least, largest) = inputs
        return low - largest, high - least

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size)

    def terms(self, unit: Unit) -> Terms:
        one, other = unit.values
        line = said_sum([one, -other])
        return formula(one - other, abs(one) + abs(other), "the first minus the second", line)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from operator import sub

        from archspec.nn.apply import Apply

        return Apply(sub)
