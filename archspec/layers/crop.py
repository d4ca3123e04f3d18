"""Cropping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from archspec.diagnostics import ShapeError
from archspec.fields import Border, Pair, Sides
from archspec.layer import Example, Layer, Window
from archspec.layers._window import require_map
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Crop(Layer):
    """Takes pixels away on the four sides of a map, or keeps a centred part of it."""

    main: ClassVar[str] = "sides"

    sides: Annotated[
        Border | None, Field(description="pixels taken: all, [height, width] or [[top, bottom], [left, right]]")
    ] = None
    size: Annotated[
        Pair | None, Field(description="height and width kept, centred; an odd pixel is taken at the bottom and right")
    ] = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example(1),
        Example({"sides": [[0, 1], [2, 3]]}),
        Example({"size": [5, 4]}),
    )

    @model_validator(mode="after")
    def _check(self) -> Crop:
        if (self.sides is None) == (self.size is None):
            raise ValueError("give either `sides` or `size`")
        return self

    def taken(self, x: TensorType) -> Sides:
        """Pixels taken on the four sides. Raises `ShapeError` when the map is too small."""
        require_map(x, self.kind)
        if self.sides is not None:
            for size, sides, axis in zip(x.shape, self.sides, ("height", "width"), strict=False):
                if sum(sides) >= size:
                    raise ShapeError(f"takes {sum(sides)} pixels of a {axis} of {size}", field="sides")
            return self.sides
        assert self.size is not None
        found = []
        for have, keep, axis in zip(x.shape, self.size, ("height", "width"), strict=False):
            if keep > have:
                raise ShapeError(f"keeps {keep} pixels of a {axis} of {have}", field="size")
            found.append(((have - keep) // 2, (have - keep + 1) // 2))
        return found[0], found[1]

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        height, width = (size - sum(sides) for size, sides in zip(x.shape, self.taken(x), strict=False))
        return TensorType((height, width, x.channels), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        (top, _), (left, _) = self.taken(inputs[0])
        return Window(pad=(-top, -left))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.apply import Apply

        (x,) = inputs
        (top, bottom), (left, right) = self.taken(x)
        height, width, _ = x.shape
        return Apply(lambda value: value[:, top : height - bottom, left : width - right, :])
