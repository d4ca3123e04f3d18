"""Channels to blocks of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.diagnostics import ShapeError, count
from archspec.layers._base import Example, Window
from archspec.layers._blocks import Blocks
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class DepthToSpace(Blocks):
    """Makes each pixel of B²·C channels a block of B×B pixels: (H, W, B²·C) becomes (H·B, W·B, C) (Shi et al. 2016).

    Row i, column j and channel c of a block were channel c·B² + i·B + j (PyTorch's pixel_shuffle), or with
    `order: tensorflow` (i·B + j)·C + c. A signal (L, B·C) becomes (L·B, C). `space_to_depth` is the inverse.
    """

    examples: ClassVar[tuple[Example, ...]] = (
        Example(2, ((3, 4, 8),)),
        Example({"block": 3, "order": "tensorflow"}, ((2, 3, 18),)),
        Example(2, ((5, 6),)),
        Example({"block": 4, "order": "tensorflow"}, ((2, 12),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        self.require_places(x)
        area = self.block ** len(x.spatial)
        if x.channels % area:
            what = f"{self.block}×{self.block} pixels" if x.is_map else f"{self.block} positions"
            raise ShapeError(
                f"{count(x.channels, 'channel')} cannot be divided into blocks of {what}",
                help=[f"{count(max(1, x.channels // area) * area, 'channel')} can"],
                field="block",
            )
        return TensorType((*(size * self.block for size in x.spatial), x.channels // area), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        step, shift = 1 / self.block, (1 - 1 / self.block) / 2
        return (
            Window(stride=(step, step), pad=(shift, shift))
            if inputs[0].is_map
            else Window((1, 1), (step, 1), (shift, 0))
        )

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pixel_blocks import depth_to_space

        return Apply(partial(depth_to_space, block=self.block, channels_slowest=self.order == "pytorch"))
