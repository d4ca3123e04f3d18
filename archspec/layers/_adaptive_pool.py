"""What adaptive poolings share: bins that cover the map, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Pair
from archspec.layers._base import Cost, Example, Family, Layer, OnRows, Window
from archspec.layers._window import axes_of, on_axes, require_places, window
from archspec.terms import window_at
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np


class AdaptivePool(Layer):
    """A pooling over h×w bins; bin i spans floor(i·H/h) … ceil((i+1)·H/h)."""

    family: ClassVar[Family] = "pooling"

    main: ClassVar[str] = "size"

    size: Annotated[Pair, Field(description="output height and width, or a signal's output length")]

    within: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(7, ((14, 14, 3),)),
        Example({"size": [3, 2]}, ((8, 5, 3),)),
        Example(5, ((3, 4, 2),)),
        Example(3, ((8, 2),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_places(x, self.kind)
        return TensorType((*on_axes(self.size, x, "size"), x.channels), x.dtype)

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        lines = []
        for name, size, bins in zip(axes_of(inputs[0]), inputs[0].spatial, output.spatial, strict=True):
            ends = f"from i·{size}/{bins}, rounded down, to (i + 1)·{size}/{bins}, rounded up"
            lines.append(f"{name}: {size} in {bins} bins, bin i {ends}")
        return lines

    def bin_at(self, at: Sequence[int], x: np.ndarray, channel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the bin at an output position sees of a channel of x, (*spatial, channels)."""
        bins = on_axes(self.size, TensorType(x.shape), "size")
        start = [place * size // count for place, size, count in zip(at, x.shape, bins, strict=False)]
        stop = [-((place + 1) * size // -count) for place, size, count in zip(at, x.shape, bins, strict=False)]
        return window_at(x, start, [b - a for a, b in zip(start, stop, strict=True)], [1] * len(bins), (channel,))

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows:
        # Bin i + h/parts begins H/parts rows after bin i, and no bin reaches beyond its part.
        return OnRows(self.model_copy(update={"size": (output.shape[0] // parts, output.shape[1])}))

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size * prod(largest_bins(inputs[0].spatial, output.spatial)))

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window | None:
        sizes, bins = inputs[0].spatial, output.spatial
        if set(bins) == {1}:
            return None
        # The largest bin's extent, and the bins' least distance.
        stride = [max(1, size // count) for size, count in zip(sizes, bins, strict=True)]
        return window(largest_bins(sizes, bins), stride, [0] * len(bins))


def largest_bins(sizes: tuple[int, ...], bins: tuple[int, ...]) -> tuple[int, ...]:
    """The largest bin's extent on each axis."""
    return tuple(map(_largest_bin, sizes, bins))


def _largest_bin(size: int, bins: int) -> int:
    """The largest ceil((i + 1)·size/bins) − floor(i·size/bins), without looking at every bin.

    With a rest r, i·r mod bins comes as near to bins as their common divisor g allows; a bin that begins there reaches
    into two pixels more than the whole part if r > g, else into one.
    """
    whole, rest = divmod(size, bins)
    if not rest:
        return whole
    return whole + (2 if rest > gcd(size, bins) else 1)
