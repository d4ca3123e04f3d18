"""What poolings share: a window that slides over each channel by itself."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from archspec.fields import Pair
from archspec.layers._base import Cost, Family
from archspec.layers._window import Windowed, on_axes
from archspec.types import TensorType


class Pool(Windowed):
    """A pooling over windows; without a stride the windows lie side by side."""

    family: ClassVar[Family] = "pooling"

    main: ClassVar[str] = "window"
    extent_field: ClassVar[str] = "window"

    window: Annotated[Pair, Field(description="window size in pixels")]
    stride: Annotated[
        Pair | None, Field(description="step between windows in pixels; the window's size if left out")
    ] = None

    @model_validator(mode="after")
    def _side_by_side(self) -> Self:
        if self.stride is None:
            object.__setattr__(self, "stride", self.window)
        return self

    @property
    def taps(self) -> tuple[int, int]:
        return self.window

    @property
    def steps(self) -> tuple[int, int]:
        return self.stride or self.window

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType((*self.positions(inputs[0]), inputs[0].channels), inputs[0].dtype)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size * self.area(inputs[0]))

    def area(self, x: TensorType) -> int:
        """Taps of a window over an input."""
        return prod(on_axes(self.window, x, "window"))
