"""Convolution whose filters are other ones at each position."""

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


class LocallyConnected(Convolution):
    """A convolution whose weights are not shared: every output position has filters and biases of its own.

    Input (H, W, C), output (H2, W2, filters); kernel (H2, W2, F, F, C, filters), bias (H2, W2, filters); on a signal
    one axis less of each. Keras' LocallyConnected has the same numbers in the same order, its kernel as (H2·W2, F·F·C,
    filters). PyTorch has no such layer, so import and export leave the arrays as they are.
    """

    main: ClassVar[str] = "filters"
    transposes: ClassVar[bool] = False

    filters: Annotated[PositiveInt, Field(description="output channels")]

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"filters": 3, "kernel": 3}),
        Example({"filters": 2, "kernel": [3, 2], "stride": [2, 1], "dilation": [1, 2], "pad": 1, "bias": False}),
        Example({"filters": 2, "kernel": 3, "stride": 2, "pad": [[1, 0]]}, ((9, 2),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        return TensorType((*self.positions(x), self.filters), x.dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        (x,) = inputs
        places = self.positions(x)
        kernel = Weight("kernel", (*places, *on_axes(self.kernel, x, "kernel"), x.channels, self.filters))
        return (kernel, Weight("bias", (*places, self.filters))) if self.bias else (kernel,)

    def _seen(self, x: TensorType) -> int:
        """Numbers of the input that one output sees."""
        return prod(on_axes(self.kernel, x, "kernel")) * x.channels

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(macs=output.size * self._seen(inputs[0]), other=output.size if self.bias else 0)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # What each window sees, written side by side.
        return Kept(elements=prod(output.spatial) * self._seen(inputs[0]))

    def scratch(self, inputs: tuple[TensorType, ...], output: TensorType) -> tuple[int, int]:
        # The windows side by side, and their gradient.
        return (prod(output.spatial) * self._seen(inputs[0]),) * 2

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        return None

    def of_filter(self, unit: Unit) -> tuple[Sequence[int], np.ndarray]:
        return range(unit.types[0].channels), unit.arrays["kernel"][unit.at][..., unit.channel]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.locally_connected import LocallyConnected as Module

        (x,) = inputs
        return Module(x.channels, self.filters, places=self.positions(x), **self._fields(x, rngs))
