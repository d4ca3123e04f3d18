"""What normalisations of single samples share: scale·(x − μ)/√(σ² + ε) + bias, whatever μ and σ² are taken over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import count
from archspec.fields import Flag, PositiveNumber
from archspec.layers._base import Cost, Family, Kept, Layer, OnRows, Weight
from archspec.terms import Terms, Unit, normalised
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx


class Normalisation(Layer):
    """Normalises each sample by its own mean and (biased) variance, in training and evaluation alike.

    For receptive fields a position sees itself: a mean over the whole map tells of no place in it.
    """

    full_precision: ClassVar[bool] = True
    family: ClassVar[Family] = "normalisation"
    uses_shards: ClassVar[bool] = True

    epsilon: Annotated[PositiveNumber, Field(description="ε, added to the variance")] = 1e-5
    scale: Annotated[Flag, Field(description="trainable factors")] = True
    bias: Annotated[Flag, Field(description="trainable summands")] = True

    in_place: ClassVar[bool] = True

    def values(self, x: TensorType) -> int:
        """How many values each mean is taken over."""
        raise NotImplementedError

    def weight_shape(self, x: TensorType) -> tuple[int, ...]:
        """The shape of the factors and of the summands."""
        return (x.channels,)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = self.weight_shape(inputs[0])
        axes = {1: "C", 2: "LC", 3: "HWC"}[len(shape)]
        return tuple(Weight(name, shape, axes=axes) for name in ("scale", "bias") if getattr(self, name))

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        # Mean 1, difference 1, square and sum 2, factor 1.
        return Cost(other=(5 + self.scale + self.bias) * output.size)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # Beside the input, a mean and a factor of each set of values.
        return Kept(inputs=(0,), elements=2 * (inputs[0].size // self.values(inputs[0])))

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        # Two sums for each set of values: for its mean, and for its variance.
        sets = inputs[0].size // self.values(inputs[0])
        return OnRows(sums=(sets, sets))

    def warnings(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        if self.values(inputs[0]) > 1:
            return ()
        rest = "its bias is left" if self.bias else "0 is left"
        return [f"normalises over one value, so that of each only {rest}"]

    def set_of(self, at: tuple[int, ...], channel: int, x: np.ndarray) -> np.ndarray:
        """The values of a sample over which the mean for a position and channel is taken."""
        raise NotImplementedError

    def terms(self, unit: Unit) -> Terms:
        own = self.set_of(unit.at, unit.channel, unit.inputs[0])
        mean = float(own.mean())
        var = float(((own - mean) ** 2).mean())
        made = normalised(unit.value, mean, var, self.epsilon, unit.own("scale"), unit.own("bias"))
        return made._replace(formula=(*made.formula, f"μ and σ² are of {count(own.size, 'value')} of this sample"))

    def module(self, x: TensorType, groups: int | None) -> nnx.Module:
        """The Flax module: means over all axes of each of so many groups of channels, or over channels alone."""
        from archspec.nn.normalisation import Normalisation as Module

        return Module(
            self.weight_shape(x), groups=groups, epsilon=self.epsilon, use_scale=self.scale, use_bias=self.bias
        )
