"""Layer scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Number
from archspec.layers._base import Cost, Example, Family, Kept, Layer, Weight
from archspec.terms import Terms, Unit, formula, said
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class LayerScale(Layer):
    """Multiplies each channel by a trainable factor that begins near 0 (Touvron et al. 2021, CaiT; ConvNeXt).

    At the end of a residual branch, so that the network begins as little more than its shortcuts.
    """

    family: ClassVar[Family] = "normalisation"

    main: ClassVar[str] = "initial"

    initial: Annotated[Number, Field(description="the factors' initial value")] = 1e-6

    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example(0.1, ((9, 4),)), Example({}, ((7,),)))

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return (Weight("scale", (inputs[0].channels,), axes="C"),)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(weight_inputs=(0,))

    def terms(self, unit: Unit) -> Terms:
        x, scale = unit.value, float(unit.arrays["scale"][unit.channel])
        return formula(x * scale, abs(x * scale), "scale·x", f"{said(scale)}·{said(x)}")

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.layer_scale import LayerScale as Module

        return Module(inputs[0].channels, self.initial)
