"""Adaptive maximum pooling."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Pair
from archspec.layers._base import Cost, Example, Family, Kept, Layer, Window
from archspec.layers._window import on_axes, require_places
from archspec.layers.adaptive_avg_pool import footprint_of_bins, largest_bins
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class AdaptiveMaxPool(Layer):
    """The largest value of each of h×w bins that cover the map, whatever its size; of a signal, of each of l bins.

    Bin i spans floor(i·H/h) … ceil((i+1)·H/h), PyTorch's rule; bins overlap where h does not divide H. Of equal values
    the first, row by row, has the gradient.
    """

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

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size * prod(largest_bins(inputs[0].spatial, output.spatial)))

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # Where the maxima of each row's bins were, and then those of the columns.
        rows = inputs[0].shape[0] * output.size // output.shape[0] if output.is_map else 0
        return Kept(bytes=4 * (rows + output.size))

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window | None:
        return footprint_of_bins(inputs[0].spatial, output.spatial)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pooling import adaptive_max_pool

        return Apply(partial(adaptive_max_pool, size=on_axes(self.size, inputs[0], "size")))
