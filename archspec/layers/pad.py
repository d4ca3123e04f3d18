"""Padding as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.diagnostics import ShapeError
from archspec.fields import Border, Number
from archspec.layers._base import Example, Layer, Window
from archspec.layers._window import require_map
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Pad(Layer):
    """Adds pixels on the four sides of a map."""

    main: ClassVar[str] = "sides"

    sides: Annotated[Border, Field(description="pixels: all, [height, width] or [[top, bottom], [left, right]]")]
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
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_map(x, self.kind)
        for size, sides in zip(x.shape, self.sides, strict=False):
            if self.mode == "reflect" and max(sides) >= size:
                raise ShapeError(
                    f"mirrors {max(sides)} pixels, but its input has only {size - 1} beside the edge", field="sides"
                )
        height, width = (size + sum(sides) for size, sides in zip(x.shape, self.sides, strict=False))
        return TensorType((height, width, x.channels), x.dtype)

    @property
    def passes_bounds(self) -> bool:
        return True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        ((low, high),) = inputs
        return (min(low, self.value), max(high, self.value)) if self.mode == "constant" else (low, high)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        return Window(pad=(self.sides[0][0], self.sides[1][0]))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        import jax.numpy as jnp

        from archspec.nn.apply import Apply

        sides = ((0, 0), *self.sides, (0, 0))
        if self.mode == "constant":
            return Apply(lambda x: jnp.pad(x, sides, constant_values=self.value))
        return Apply(lambda x: jnp.pad(x, sides, mode=self.mode))
