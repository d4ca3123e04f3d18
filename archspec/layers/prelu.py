"""Parametric rectifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Flag, Number
from archspec.layers._base import Cost, Example, Family, Layer, Weight
from archspec.terms import Terms, Unit, formula, said
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Prelu(Layer):
    """x where x > 0, a·x elsewhere, with a trainable slope a per channel (He et al. 2015)."""

    family: ClassVar[Family] = "activation"

    shared: Annotated[Flag, Field(description="one slope for all channels, PyTorch's default")] = False
    slope: Annotated[Number, Field(description="the slopes' initial value")] = 0.25

    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"shared": True, "slope": 0.1}, ((7,),)))

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return (Weight("slope", (1,)) if self.shared else Weight("slope", (inputs[0].channels,), axes="C"),)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=2 * output.size)

    def terms(self, unit: Unit) -> Terms:
        x, slope = unit.value, float(unit.arrays["slope"][0 if self.shared else unit.channel])
        result = x if x > 0 else slope * x
        return formula(result, abs(result), "x where x > 0, a·x elsewhere", f"x = {said(x)}, a = {said(slope)}")

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.prelu import Prelu as Module

        return Module(1 if self.shared else inputs[0].channels, self.slope)
