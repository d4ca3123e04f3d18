"""Unpooling without indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.fields import Pair
from archspec.layers._base import Cost, Example, Family, Layer, OnRows, Window
from archspec.layers._window import axes_of, on_axes, require_places, window
from archspec.terms import Terms, Unit
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Unpool(Layer):
    """Makes a block of pixels of each pixel: copies of it, or it in the upper left corner of zeros.

    Output (H·factor, W·factor, C), of a signal (L·factor, C). `max_unpool` puts values back where a pooling found them,
    `resize` interpolates.
    """

    family: ClassVar[Family] = "resize"

    main: ClassVar[str] = "factor"

    factor: Annotated[Pair, Field(description="height and width of the block that each pixel becomes")]
    mode: Annotated[
        Literal["nearest", "bed_of_nails"],
        Field(description="nearest: every pixel of the block; bed_of_nails: the first, the others are 0"),
    ] = "nearest"

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"factor": [3, 2], "mode": "bed_of_nails"}),
        Example(3, ((4, 2),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_places(x, self.kind)
        factors = on_axes(self.factor, x, "factor")
        return TensorType(
            (*(size * factor for size, factor in zip(x.spatial, factors, strict=True)), x.channels), x.dtype
        )

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        stride = [1 / factor for factor in on_axes(self.factor, inputs[0], "factor")]
        pad = [0.0 if self.mode == "bed_of_nails" else (1 - step) / 2 for step in stride]
        return window([1] * len(stride), stride, pad)

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows:
        return OnRows()

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size)

    def terms(self, unit: Unit) -> Terms:
        import numpy as np

        factors = on_axes(self.factor, unit.types[0], "factor")
        source = tuple(place // factor for place, factor in zip(unit.at, factors, strict=True))
        rest = any(place % factor for place, factor in zip(unit.at, factors, strict=True))
        taken = self.mode == "nearest" or not rest
        value = float(unit.inputs[0][(*source, unit.channel)]) if taken else 0.0
        shape = (1,) * len(unit.at)
        return Terms(
            "value",
            value,
            abs(value),
            np.full((*shape, 1), value),
            None,
            np.full(shape, taken),
            np.array(source).reshape(*shape, len(unit.at)),
            (unit.channel,),
        )

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        x = inputs[0]
        factors = on_axes(self.factor, x, "factor")
        sizes = zip(axes_of(x), x.spatial, factors, output.spatial, strict=True)
        return [f"{name}: {size}·{factor} = {own}" for name, size, factor, own in sizes]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.upsampling import bed_of_nails, repeated

        factor = on_axes(self.factor, inputs[0], "factor")
        return Apply(partial(repeated if self.mode == "nearest" else bed_of_nails, factor=factor))
