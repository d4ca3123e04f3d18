"""What `space_to_depth` and `depth_to_space` share: blocks of pixels as channels."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archspec.diagnostics import ShapeError, count
from archspec.fields import PositiveInt
from archspec.layers._base import Family, Layer, OnRows
from archspec.types import TensorType


class Blocks(Layer):
    """Moves pixels between blocks of the map and channels; nothing is computed."""

    family: ClassVar[Family] = "resize"

    main: ClassVar[str] = "block"

    block: Annotated[PositiveInt, Field(description="height and width of a block, or length of a signal's")]
    order: Annotated[
        Literal["pytorch", "tensorflow"],
        Field(
            description="pytorch: the numbers of one channel lie together (ONNX's CRD); tensorflow: those of one place "
            "in the block do (ONNX's DCR)"
        ),
    ] = "pytorch"

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows:
        return OnRows()

    def require_places(self, x: TensorType) -> None:
        """Raises `ShapeError` for a vector."""
        if x.is_vector:
            raise ShapeError(
                f"{self.kind} works on maps and signals, but its input is a vector of {count(x.size, 'feature')}",
                code="E302",
            )
