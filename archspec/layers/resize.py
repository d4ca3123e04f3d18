"""Interpolation to another size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from archspec.diagnostics import ShapeError
from archspec.fields import MAX_SIZE, Flag, Pair, Text
from archspec.layers._base import Cost, Example, Family, Halo, Layer, OnRows, Port, Window
from archspec.layers._window import on_axes, require_alike, window
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


def _read_factors(value: Any) -> Any:
    both = list(value) if isinstance(value, (list, tuple)) else [value, value]
    for item in both:
        if isinstance(item, bool) or not isinstance(item, (int, float)) or not 0 < item <= 1e6:
            both = []
    if len(both) != 2:
        raise PydanticCustomError("factors", "must be a number above 0, or two of them: [height, width]")
    return (float(both[0]), float(both[1]))


_FACTOR = {"type": "number", "exclusiveMinimum": 0}
Factors = Annotated[
    tuple[float, float],
    BeforeValidator(_read_factors),
    WithJsonSchema({"anyOf": [_FACTOR, {"type": "array", "items": _FACTOR, "minItems": 2, "maxItems": 2}]}),
]


class Resize(Layer):
    """Resizes a map or signal, to a size, by a factor, or like another layer. Shrinking smooths nothing first.

    Pixel i of the output lies at (i + 0.5)·W1/W2 − 0.5 of the input, or, with `align_corners`, at
    i·(W1 − 1)/(W2 − 1), so that the corners meet; `nearest` takes pixel floor(i·W1/W2). As PyTorch's interpolate with a
    size; with a scale_factor that does not give whole sizes it places pixels by the factor instead.
    """

    family: ClassVar[Family] = "resize"

    main: ClassVar[str] = "factor"

    factor: Annotated[Factors | None, Field(description="output size over input size, rounded down")] = None
    size: Annotated[Pair | None, Field(description="output height and width, or a signal's length")] = None
    like: Annotated[
        Text | None, Field(description="name of a layer whose height and width, or length, the output gets")
    ] = None
    mode: Annotated[
        Literal["bilinear", "nearest"],
        Field(description="bilinear between four pixels, linear between two of a signal, or the nearest one"),
    ] = "bilinear"
    align_corners: Annotated[Flag, Field(description="corner pixels keep their places; bilinear only")] = False

    references: ClassVar[Mapping[str, Port]] = {"like": "shape"}
    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"size": [5, 13], "align_corners": True}),
        Example({"factor": [0.5, 1.5], "mode": "nearest"}),
        Example({"like": "conv1"}, ((4, 5, 2), (7, 9, 3))),
        Example({"size": 9, "align_corners": True}, ((4, 2),)),
    )

    @model_validator(mode="after")
    def _check(self) -> Resize:
        if sum(value is not None for value in (self.factor, self.size, self.like)) != 1:
            raise ValueError("give one of `factor`, `size` and `like`")
        if self.align_corners and self.mode == "nearest":
            raise ValueError("`align_corners` needs `mode: bilinear`")
        return self

    def infer(self, *inputs: TensorType) -> TensorType:
        x = inputs[0]
        require_alike(inputs, self.kind)
        sizes: tuple[int, ...]
        if self.like is not None:
            sizes = inputs[1].spatial
        elif self.size is not None:
            sizes = on_axes(self.size, x, "size")
        else:
            assert self.factor is not None
            factors = on_axes(self.factor, x, "factor")
            sizes = tuple(int(size * factor) for size, factor in zip(x.spatial, factors, strict=True))
        if not all(0 < size <= MAX_SIZE for size in sizes):
            raise ShapeError(f"makes {'×'.join(map(str, sizes))} of {x}", field="factor")
        return TensorType((*sizes, x.channels), x.dtype)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=(6 if self.mode == "bilinear" else 1) * output.size)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        kernels, strides, pads = [], [], []
        for before, after in zip(inputs[0].spatial, output.spatial, strict=True):
            kernel = 2 if self.mode == "bilinear" and before != after else 1
            if self.align_corners:
                stride = (before - 1) / (after - 1) if after > 1 else 1.0
                first = 0.0
            else:
                stride = before / after
                first = (stride - 1) / 2
            kernels.append(kernel)
            strides.append(stride)
            pads.append((kernel - 1) / 2 - first)
        return window(kernels, strides, pads)

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        before, after = inputs[0].shape[0], output.shape[0]
        own = {"factor": None, "like": None, "size": (after // parts, output.shape[1])}
        if self.mode == "nearest" or before == after:
            return OnRows(self.model_copy(update=own))
        if self.align_corners:
            return None
        if before > after:
            # Each row lies between two of its part.
            return OnRows(self.model_copy(update=own))
        if after % before:
            return None
        # Beyond the edge is the edge again, and a row more on both sides makes `factor` rows more.
        factor = after // before
        own["size"] = ((before // parts + 2) * factor, output.shape[1])
        return OnRows(self.model_copy(update=own), Halo(1, 1, "edge"), cut=(factor, factor))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.upsampling import linear, nearest

        size = self.infer(*inputs).spatial
        if self.mode == "nearest":
            return Apply(partial(nearest, size=size))
        return Apply(partial(linear, size=size, align_corners=self.align_corners))
