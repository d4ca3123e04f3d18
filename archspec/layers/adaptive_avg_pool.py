"""Adaptive average pooling."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Pair
from archspec.layers._base import Cost, Example, Family, Layer, Window
from archspec.layers._window import require_map
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class AdaptiveAvgPool(Layer):
    """The mean of each of h×w bins that cover the map, whatever its size.

    Bin i spans floor(i·H/h) … ceil((i+1)·H/h), PyTorch's rule; bins overlap where h does not divide H.
    """

    family: ClassVar[Family] = "pooling"

    main: ClassVar[str] = "size"

    size: Annotated[Pair, Field(description="output height and width")]

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(7, ((14, 14, 3),)),
        Example({"size": [3, 2]}, ((8, 5, 3),)),
        Example(5, ((3, 4, 2),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        require_map(inputs[0], self.kind)
        return TensorType((*self.size, inputs[0].channels), inputs[0].dtype)

    def _largest_bin(self, x: TensorType) -> tuple[int, int]:
        """Height and width of the largest bin."""
        height, width = (_largest_bin(size, bins) for size, bins in zip(x.shape[:2], self.size, strict=True))
        return height, width

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        height, width = self._largest_bin(inputs[0])
        return Cost(other=output.size * height * width)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window | None:
        if self.size == (1, 1):
            return None
        height, width = self._largest_bin(inputs[0])
        stride = [max(1, size // bins) for size, bins in zip(inputs[0].shape[:2], self.size, strict=True)]
        return Window((height, width), (stride[0], stride[1]))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pooling import adaptive_avg_pool

        return Apply(partial(adaptive_avg_pool, size=self.size))


def _largest_bin(size: int, bins: int) -> int:
    """The largest ceil((i + 1)·size/bins) − floor(i·size/bins), without looking at every bin.

    With a rest r, i·r mod bins comes as near to bins as their common divisor g allows; a bin that begins there reaches
    into two pixels more than the whole part if r > g, else into one.
    """
    whole, rest = divmod(size, bins)
    if not rest:
        return whole
    return whole + (2 if rest > gcd(size, bins) else 1)
