"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Flag, PositiveNumber, Probability
from archspec.layers._base import Cost, Example, Family, Layer, Weight
from archspec.terms import Terms, Unit, normalised
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class BatchNorm(Layer):
    """Normalises each channel over batch and positions: scale·(x − μ)/√(σ² + ε) + bias (Ioffe & Szegedy 2015).

    Training uses the batch's mean and variance and moves the running ones; evaluation uses the running ones.
    The running variance is the unbiased one, as in PyTorch.
    """

    full_precision: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    family: ClassVar[Family] = "normalisation"

    epsilon: Annotated[PositiveNumber, Field(description="ε, added to the variance")] = 1e-5
    momentum: Annotated[
        Probability, Field(description="share of the running statistics that a step keeps; PyTorch's is 1 − this")
    ] = 0.9
    scale: Annotated[Flag, Field(description="one trainable factor per channel")] = True
    bias: Annotated[Flag, Field(description="one trainable summand per channel")] = True

    in_place: ClassVar[bool] = True
    uses_mode: ClassVar[bool] = True
    uses_shards: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}),
        Example({"epsilon": 0.001, "momentum": 0.99, "scale": False}),
        Example({"bias": False}, ((7,),)),
        Example({}, ((9, 3),)),
    )

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = (inputs[0].channels,)
        trainable = [Weight(name, shape, axes="C") for name in ("scale", "bias") if getattr(self, name)]
        return (*trainable, *(Weight(name, shape, "statistics", axes="C") for name in ("mean", "var")))

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=2 * output.size)

    def terms(self, unit: Unit) -> Terms:
        mean, var = (float(unit.arrays[name][unit.channel]) for name in ("mean", "var"))
        return normalised(unit.value, mean, var, self.epsilon, unit.own("scale"), unit.own("bias"))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.batch_norm import BatchNorm as Module

        return Module(
            inputs[0].channels,
            epsilon=self.epsilon,
            momentum=self.momentum,
            use_scale=self.scale,
            use_bias=self.bias,
        )
