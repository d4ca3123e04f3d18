"""A part of the channels or positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from archspec.diagnostics import ShapeError
from archspec.fields import MAX_SIZE
from archspec.layers._base import Example, Layer, OnRows, Window
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx

_SYNTAX = "must be [start, stop], [start, stop, step] or the same as text, '2:6' or '::2'"


def _number(item: Any) -> int | None:
    """A place; an empty one in a text, and null in a list, is left open."""
    if item is None or item == "":
        return None
    if isinstance(item, str) and item.removeprefix("-").isascii() and item.removeprefix("-").isdigit():
        item = int(item[:20])
    if isinstance(item, bool) or not isinstance(item, int) or abs(item) > MAX_SIZE:
        raise PydanticCustomError("range", _SYNTAX)
    return item


def _read_range(value: Any) -> Any:
    parts = [part.strip() for part in value.split(":")] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or len(parts) not in (2, 3):
        raise PydanticCustomError("range", _SYNTAX)
    start, stop, step = (*(_number(part) for part in parts), None)[:3]
    if step is not None and step < 1:
        raise PydanticCustomError("range", "has a step that is not 1 or more")
    return (start or 0, stop, step or 1)


_PLACE = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
Range = Annotated[
    tuple[int, int | None, int],
    BeforeValidator(_read_range),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _PLACE, "minItems": 2, "maxItems": 3},
                {"type": "string", "pattern": "^ *-?[0-9]* *:"},
            ]
        }
    ),
]
"""Start, stop and step as Python has them: the stop is left out, negative places count from the end, null is open."""


class Slice(Layer):
    """Takes a part of an axis, or of several: x[rows, columns, channels] as Python slices.

    Maps have rows, columns and channels, signals length and channels, vectors channels, which are their features.
    `split` takes all parts at once.
    """

    main: ClassVar[str] = "channels"

    channels: Annotated[
        Range | None, Field(description="[start, stop] or [start, stop, step] of the channels or features")
    ] = None
    rows: Annotated[Range | None, Field(description="the same of a map's rows, from the top")] = None
    columns: Annotated[Range | None, Field(description="the same of a map's columns, from the left")] = None
    length: Annotated[Range | None, Field(description="the same of a signal's positions")] = None

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example([0, 2]),
        Example({"channels": [None, None, 2], "rows": [1, -1]}),
        Example({"rows": [0, None, 2], "columns": [3, 8, 3]}),
        Example({"length": "2:", "channels": [-2, None]}, ((9, 4),)),
        Example("::3", ((7,),)),
    )

    @model_validator(mode="after")
    def _check(self) -> Slice:
        if all(getattr(self, name) is None for name in ("channels", "rows", "columns", "length")):
            raise ValueError("give one of `channels`, `rows`, `columns` and `length`")
        return self

    def places(self, x: TensorType) -> tuple[slice, ...]:
        """What is taken of each axis. Raises `ShapeError` where that is nothing, or an axis is not there."""
        axes = {3: ("rows", "columns", "channels"), 2: ("length", "channels"), 1: ("channels",)}[len(x.shape)]
        for name in ("rows", "columns", "length"):
            if getattr(self, name) is not None and name not in axes:
                has = " and ".join(axes) if len(axes) < 3 else "rows, columns and channels"
                raise ShapeError(f"there are no {name} to slice: {x} has {has}", code="E302", field=name)
        return tuple(_place(getattr(self, name), size, name) for name, size in zip(axes, x.shape, strict=True))

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        places = self.places(x)
        sizes = (len(range(*place.indices(size))) for place, size in zip(places, x.shape, strict=True))
        return TensorType(tuple(sizes), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        *places, _ = self.places(inputs[0])
        first = [place.start for place in places] + [0, 0]
        steps = [place.step for place in places] + [1, 1]
        return Window(stride=(steps[0], steps[1]), pad=(-first[0], -first[1]))

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        rows = self.places(inputs[0])[0]
        if inputs[0].shape[0] != rows.step * output.shape[0]:
            return None
        return OnRows(self.model_copy(update={"rows": (rows.start, None, rows.step)}))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.apply import Apply

        places = (slice(None), *self.places(inputs[0]))
        return Apply(lambda x: x[places])


def _place(taken: tuple[int, int | None, int] | None, size: int, name: str) -> slice:
    """A range on an axis of this size, with places that count from the front."""
    if taken is None:
        return slice(0, size, 1)
    start, stop, step = taken
    for word, place in (("starts", start), ("stops", stop)):
        if place is not None and not -size <= place <= size:
            raise ShapeError(f"{word} at {place} of {size} {name}".replace("-", "−"), field=name)
    first = start + size if start < 0 else start
    end = size if stop is None else stop + size if stop < 0 else stop
    if end <= first:
        raise ShapeError(f"takes nothing: it starts at {first} and stops before {end} of {size} {name}", field=name)
    return slice(first, end, step)
