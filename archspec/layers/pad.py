"""Padding as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.diagnostics import ShapeError
from archspec.fields import Border, Number
from archspec.layers._base import Example, Layer, OnRows, Window
from archspec.layers._window import on_axes, require_places, window
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Pad(Layer):
    """Adds pixels on the four sides of a map, or positions at the ends of a signal."""

    main: ClassVar[str] = "sides"

    sides: Annotated[
        Border,
        Field(
            description="pixels: all, [height, width] or [[top, bottom], [left, right]]; [[before, after]] of a signal"
        ),
    ]
    mode: Annotated[
        Literal["constant", "reflect", "edge"],
        Field(description="constant: `value`; reflect: mirrored without the edge; edge: the edge repeated"),
    ] = "constant"
    value: Annotated[Number, Field(description="what constant pads with")] = 0.0

    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"sides": [[0, 1], [2, 3]], "value": -1.0}),
        Example({"sides": [1, 2], "mode": "reflect"}),
        Example({"sides": 3, "mode": "edge"}),
        Example({"sides": [[2, 1]], "mode": "reflect"}, ((5, 3),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_places(x, self.kind)
        added = on_axes(self.sides, x, "sides")
        for size, sides in zip(x.spatial, added, strict=True):
            if self.mode == "reflect" and max(sides) >= size:
                raise ShapeError(
                    f"mirrors {max(sides)} {'pixels' if x.is_map else 'positions'}, but its input has only {size - 1} "
                    "beside the edge",
                    field="sides",
                )
        return TensorType(
            (*(size + sum(sides) for size, sides in zip(x.spatial, added, strict=True)), x.channels), x.dtype
        )

    @property
    def passes_bounds(self) -> bool:
        return True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        ((low, high),) = inputs
        return (min(low, self.value), max(high, self.value)) if self.mode == "constant" else (low, high)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        before = [first for first, _ in on_axes(self.sides, inputs[0], "sides")]
        return window([1] * len(before), [1] * len(before), before)

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        return OnRows() if self.sides[0] == (0, 0) else None

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        import jax.numpy as jnp

        from archspec.nn.apply import Apply

        sides = ((0, 0), *on_axes(self.sides, inputs[0], "sides"), (0, 0))
        if self.mode == "constant":
            return Apply(lambda x: jnp.pad(x, sides, constant_values=self.value))
        return Apply(lambda x: jnp.pad(x, sides, mode=self.mode))
