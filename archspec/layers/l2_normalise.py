"""Vectors of length 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import PositiveNumber
from archspec.layers._base import Cost, Example, Family, Layer
from archspec.terms import Terms, Unit, formula, said
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class L2Normalise(Layer):
    """x / max(√Σ x_c², ε) over channels, at each position by itself, as PyTorch's F.normalize.

    Embeddings of length 1, whose product is the cosine of their angle. ParseNet scales them by a `layer_scale: 20`.
    """

    full_precision: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    family: ClassVar[Family] = "normalisation"

    epsilon: Annotated[PositiveNumber, Field(description="ε, the least length that is divided by")] = 1e-12

    in_place: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"epsilon": 0.5}, ((9, 4),)), Example({}, ((7,),)))

    def bounds(self) -> tuple[float, float]:
        return (-1.0, 1.0)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=3 * output.size)

    def terms(self, unit: Unit) -> Terms:
        x = unit.inputs[0][unit.at]
        length = float((x**2).sum()) ** 0.5
        own = float(x[unit.channel])
        result = own / max(length, self.epsilon)
        return formula(
            result,
            abs(result),
            "x / max(√Σ x², ε), Σ over channels",
            f"{said(own)} / max({said(length)}, {said(self.epsilon)})",
        )

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.l2_normalise import l2_normalise

        return Apply(partial(l2_normalise, epsilon=self.epsilon))
