"""Blocks of pixels to channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.diagnostics import ShapeError
from archspec.layers._base import Example, Window
from archspec.layers._blocks import Blocks
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class SpaceToDepth(Blocks):
    """Makes each block of B×B pixels one pixel of B²·C channels: (H, W, C) becomes (H/B, W/B, B²·C).

    Row i, column j and channel c of a block become channel c·B² + i·B + j (PyTorch's pixel_unshuffle), or with
    `order: tensorflow` (i·B + j)·C + c. A signal (L, C) becomes (L/B, B·C). `depth_to_space` is the inverse.
    """

    examples: ClassVar[tuple[Example, ...]] = (
        Example(2, ((8, 6, 3),)),
        Example({"block": 3, "order": "tensorflow"}, ((6, 9, 2),)),
        Example(2, ((8, 3),)),
        Example({"block": 4, "order": "tensorflow"}, ((8, 3),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        self.require_places(x)
        for size, axis in zip(x.spatial, ("height", "width") if x.is_map else ("length",), strict=True):
            if size % self.block:
                raise ShapeError(f"blocks of {self.block} do not divide a {axis} of {size}", field="block")
        blocks = (size // self.block for size in x.spatial)
        return TensorType((*blocks, x.channels * self.block ** len(x.spatial)), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        across = self.block if inputs[0].is_map else 1
        return Window((self.block, across), (self.block, across))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pixel_blocks import space_to_depth

        return Apply(partial(space_to_depth, block=self.block, channels_slowest=self.order == "pytorch"))
