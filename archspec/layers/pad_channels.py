"""Channels of zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import ShapeError, count
from archspec.fields import Pair, PositiveInt
from archspec.layers._base import Example, Layer, OnRows, Window
from archspec.layers._window import on_axes, require_places, window
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class PadChannels(Layer):
    """Takes every stride-th row and column and adds channels of zeros after its own: a shortcut of option A.

    He et al. 2016, section 3.3. Input (H, W, C), output (ceil(H/S), ceil(W/S), channels), of a signal (ceil(L/S),
    channels). It has no weights.
    """

    main: ClassVar[str] = "channels"

    channels: Annotated[PositiveInt, Field(description="output channels")]
    stride: Annotated[Pair, Field(description="step between the pixels taken")] = (1, 1)

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(6),
        Example({"channels": 8, "stride": [2, 3]}),
        Example({"channels": 5, "stride": 2}, ((9, 4),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_places(x, self.kind)
        if self.channels < x.channels:
            raise ShapeError(f"has {count(x.channels, 'channel')} already, more than {self.channels}", field="channels")
        steps = on_axes(self.stride, x, "stride")
        return TensorType(
            (*(-(-size // step) for size, step in zip(x.spatial, steps, strict=True)), self.channels), x.dtype
        )

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        steps = on_axes(self.stride, inputs[0], "stride")
        return window([1] * len(steps), steps, [0] * len(steps))

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        return OnRows() if inputs[0].shape[0] == self.stride[0] * output.shape[0] else None

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        import jax.numpy as jnp

        from archspec.nn.apply import Apply

        (x,) = inputs
        taken = (slice(None), *(slice(None, None, step) for step in on_axes(self.stride, x, "stride")))
        sides = (*((0, 0) for _ in taken), (0, self.channels - x.channels))
        return Apply(lambda value: jnp.pad(value[taken], sides))
