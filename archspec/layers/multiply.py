"""Product of branches."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, ClassVar

from archspec.layers._base import Cost, Example, OnRows
from archspec.layers._join import Join, require_equal
from archspec.terms import Terms, Unit, formula, said
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Multiply(Join):
    """Element-wise product of inputs of equal shape, or of a map and gates.

    A gate is 1×1×C (one factor a channel, as in squeeze-and-excitation) or H×W×1 (one factor a position); of a signal
    1×C or L×1.
    """

    in_place: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        *Join.examples,
        Example({}, ((5, 6, 4), (1, 1, 4))),
        Example({}, ((5, 6, 1), (5, 6, 4))),
        Example({}, ((7, 4), (1, 4), (7, 1))),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        whole = max(inputs, key=lambda x: x.size)
        if whole.spatial:
            gates = ((*(1 for _ in whole.spatial), whole.channels), (*whole.spatial, 1))
            rest = [x for x in inputs if x.shape not in gates]
        else:
            rest = list(inputs)
        require_equal(rest or [whole], self.kind)
        return whole

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        gates = [index for index, x in enumerate(inputs) if x.is_map and x.shape[0] < output.shape[0]]
        return OnRows(whole=tuple(gates))

    @property
    def passes_bounds(self) -> bool:
        return True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        low, high = 1.0, 1.0
        for ends in inputs:
            corners = [one * other for one in (low, high) for other in ends]
            low, high = min(corners), max(corners)
        return low, high

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=(len(inputs) - 1) * output.size)

    def terms(self, unit: Unit) -> Terms:
        values = []
        for x in unit.inputs:
            # A gate has one number for all positions, or for all channels.
            place = tuple(0 if size == 1 else own for own, size in zip((*unit.at, unit.channel), x.shape, strict=True))
            values.append(float(x[place]))
        result = prod(values)
        return formula(result, abs(result), "the product of the inputs", " · ".join(map(said, values)))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import reduce
        from operator import mul

        from archspec.nn.apply import Apply

        return Apply(lambda *xs: reduce(mul, xs))
