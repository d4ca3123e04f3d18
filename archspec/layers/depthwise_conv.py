"""Convolution of each channel by itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import PositiveInt
from archspec.layers._base import Cost, Example, Kept, Weight
from archspec.layers._convolution import Convolution
from archspec.layers._window import on_axes
from archspec.terms import Unit
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx


class DepthwiseConv(Convolution):
    """Convolution of each channel by itself, with `multiplier` filters for each. W2 = (W1 − F + 2P)/S + 1.

    Input (H, W, C), output (H2, W2, C·multiplier), the filters of a channel side by side; kernel (F, F, 1,
    C·multiplier). On a signal there is one axis less. It is `conv` with as many groups as channels, and its tensors are
    PyTorch's of that; Keras has the kernel as (F, F, C, multiplier), the same numbers in the same order.
    """

    main: ClassVar[str] = "kernel"
    uses_lowerings: ClassVar[bool] = True

    multiplier: Annotated[PositiveInt, Field(description="filters for each input channel")] = 1

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"kernel": 3, "pad": "same"}),
        Example({"kernel": [3, 2], "stride": [2, 1], "dilation": 2, "multiplier": 2, "bias": False}),
        Example({"kernel": 5, "stride": 2, "pad": [[4, 0]], "multiplier": 3}, ((12, 2),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        return TensorType((*self.positions(x), x.channels * self.multiplier), x.dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        (x,) = inputs
        return self._arrays(x, 1, x.channels * self.multiplier)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        taps = prod(on_axes(self.kernel, inputs[0], "kernel"))
        return Cost(macs=output.size * taps, other=output.size if self.bias else 0)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(weight_inputs=(0,))

    def of_filter(self, unit: Unit) -> tuple[Sequence[int], np.ndarray]:
        return (unit.channel // self.multiplier,), unit.arrays["kernel"][..., unit.channel]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        (x,) = inputs
        return self._module(x, x.channels * self.multiplier, x.channels, rngs)
