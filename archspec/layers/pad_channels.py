"""Channels of zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import ShapeError
from archspec.fields import Pair, PositiveInt
from archspec.layers._base import Example, Layer, Window
from archspec.layers._window import require_map
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class PadChannels(Layer):
    """Takes every stride-th row and column and adds channels of zeros after its own: a shortcut of option A.

    He et al. 2016, section 3.3. Input (H, W, C), output (ceil(H/S), ceil(W/S), channels). It has no weights.
    """

    main: ClassVar[str] = "channels"

    channels: Annotated[PositiveInt, Field(description="output channels")]
    stride: Annotated[Pair, Field(description="step between the pixels taken")] = (1, 1)

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example(6), Example({"channels": 8, "stride": [2, 3]}))

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_map(x, self.kind)
        if self.channels < x.channels:
            raise ShapeError(f"has {x.channels} channels already, more than {self.channels}", field="channels")
        height, width = (-(-size // step) for size, step in zip(x.shape[:2], self.stride, strict=True))
        return TensorType((height, width, self.channels), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        return Window(stride=self.stride)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        import jax.numpy as jnp

        from archspec.nn.apply import Apply

        down, across = self.stride
        missing = self.channels - inputs[0].channels
        return Apply(lambda x: jnp.pad(x[:, ::down, ::across], ((0, 0), (0, 0), (0, 0), (0, missing))))
