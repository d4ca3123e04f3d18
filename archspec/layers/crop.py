"""Cropping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from archspec.diagnostics import ShapeError
from archspec.fields import Border, Offset, Pair, Sides, Text
from archspec.layers._base import Example, Layer, Port, Window
from archspec.layers._window import require_map
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Crop(Layer):
    """Takes pixels away on the four sides of a map, or keeps a part of it: of a size, or like another layer."""

    main: ClassVar[str] = "sides"

    sides: Annotated[
        Border | None, Field(description="pixels taken: all, [height, width] or [[top, bottom], [left, right]]")
    ] = None
    size: Annotated[Pair | None, Field(description="height and width kept")] = None
    like: Annotated[Text | None, Field(description="name of a layer whose height and width are kept")] = None
    offset: Annotated[
        Offset | None,
        Field(
            description="rows and columns taken at the top and left, with `size` or `like`; centred if left out, "
            "an odd pixel being taken at the bottom and right"
        ),
    ] = None

    references: ClassVar[Mapping[str, Port]] = {"like": "shape"}
    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(1),
        Example({"sides": [[0, 1], [2, 3]]}),
        Example({"size": [5, 4]}),
        Example({"like": "conv1", "offset": [1, 0]}, ((8, 9, 4), (5, 6, 2))),
    )

    @model_validator(mode="after")
    def _check(self) -> Crop:
        if sum(value is not None for value in (self.sides, self.size, self.like)) != 1:
            raise ValueError("give one of `sides`, `size` and `like`")
        if self.offset is not None and self.sides is not None:
            raise ValueError("`offset` goes with `size` or `like`")
        return self

    def taken(self, *inputs: TensorType) -> Sides:
        """Pixels taken on the four sides. Raises `ShapeError` when the map is too small."""
        x = inputs[0]
        for kind in inputs:
            require_map(kind, self.kind)
        if self.sides is not None:
            for size, sides, axis in zip(x.shape, self.sides, ("height", "width"), strict=False):
                if sum(sides) >= size:
                    raise ShapeError(f"takes {sum(sides)} pixels of a {axis} of {size}", field="sides")
            return self.sides
        kept = inputs[1].shape[:2] if self.size is None else self.size
        field = "like" if self.size is None else "size"
        pairs = []
        for index, axis in enumerate(("height", "width")):
            have, keep = x.shape[index], kept[index]
            if keep > have:
                raise ShapeError(f"keeps {keep} pixels of a {axis} of {have}", field=field)
            first = (have - keep) // 2 if self.offset is None else self.offset[index]
            if first + keep > have:
                raise ShapeError(
                    f"takes {first} and keeps {keep} pixels of a {axis} of {have}",
                    help=[f"an offset of {have - keep} or less fits"],
                    field="offset",
                )
            pairs.append((first, have - keep - first))
        return pairs[0], pairs[1]

    def infer(self, *inputs: TensorType) -> TensorType:
        x = inputs[0]
        height, width = (size - sum(sides) for size, sides in zip(x.shape, self.taken(*inputs), strict=False))
        return TensorType((height, width, x.channels), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        (top, _), (left, _) = self.taken(*inputs)
        return Window(pad=(-top, -left))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.apply import Apply

        (top, bottom), (left, right) = self.taken(*inputs)
        height, width, _ = inputs[0].shape
        return Apply(lambda value: value[:, top : height - bottom, left : width - right, :])
