"""Cropping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from archspec.diagnostics import Setting, ShapeError
from archspec.fields import Border, Offset, Pair, Sides, Text
from archspec.layers._base import Example, Layer, OnRows, Port, Window
from archspec.layers._window import axes_of, on_axes, require_alike, window
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Crop(Layer):
    """Takes pixels away on the four sides of a map, or positions at the ends of a signal, or keeps a part of it: of a
    size, or like another layer.
    """

    main: ClassVar[str] = "sides"

    sides: Annotated[
        Border | None,
        Field(
            description="pixels taken: all, [height, width] or [[top, bottom], [left, right]]; "
            "[[before, after]] of a signal"
        ),
    ] = None
    size: Annotated[Pair | None, Field(description="height and width kept, or a signal's length")] = None
    like: Annotated[Text | None, Field(description="name of a layer whose height and width, or length, are kept")] = (
        None
    )
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
        Example({"sides": [[0, 2]]}, ((8, 3),)),
        Example({"size": 5, "offset": 1}, ((8, 3),)),
    )

    @model_validator(mode="after")
    def _check(self) -> Crop:
        if sum(value is not None for value in (self.sides, self.size, self.like)) != 1:
            raise ValueError("give one of `sides`, `size` and `like`")
        if self.offset is not None and self.sides is not None:
            raise ValueError("`offset` goes with `size` or `like`")
        return self

    def taken(self, *inputs: TensorType) -> Sides:
        """Pixels taken on the sides. Raises `ShapeError` when the map is too small."""
        x = inputs[0]
        require_alike(inputs, self.kind)
        pixels = "pixels" if x.is_map else "positions"
        if self.sides is not None:
            taken = on_axes(self.sides, x, "sides")
            for size, sides, axis in zip(x.spatial, taken, axes_of(x), strict=True):
                if sum(sides) >= size:
                    raise ShapeError(f"takes {sum(sides)} {pixels} of a {axis} of {size}", field="sides")
            return taken
        kept = inputs[1].spatial if self.size is None else on_axes(self.size, x, "size")
        offset = None if self.offset is None else on_axes(self.offset, x, "offset")
        field = "like" if self.size is None else "size"
        pairs = []
        for index, axis in enumerate(axes_of(x)):
            have, keep = x.shape[index], kept[index]
            if keep > have:
                raise ShapeError(f"keeps {keep} {pixels} of a {axis} of {have}", field=field)
            first = (have - keep) // 2 if offset is None else offset[index]
            if first + keep > have:
                raise ShapeError(
                    f"takes {first} and keeps {keep} {pixels} of a {axis} of {have}",
                    help=[Setting(f"an offset of {have - keep} or less fits", (("offset", have - keep),))],
                    field="offset",
                )
            pairs.append((first, have - keep - first))
        return tuple(pairs)

    def infer(self, *inputs: TensorType) -> TensorType:
        x = inputs[0]
        sizes = (size - sum(sides) for size, sides in zip(x.spatial, self.taken(*inputs), strict=True))
        return TensorType((*sizes, x.channels), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        pad = [-first for first, _ in self.taken(*inputs)]
        return window([1] * len(pad), [1] * len(pad), pad)

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        rows, columns = self.taken(*inputs)
        return OnRows(Crop(sides=((0, 0), columns))) if rows == (0, 0) else None

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.apply import Apply

        sides = zip(inputs[0].spatial, self.taken(*inputs), strict=True)
        kept = (slice(None), *(slice(first, size - last) for size, (first, last) in sides))
        return Apply(lambda value: value[kept])
