"""Adaptive maximum pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.layers._adaptive_pool import AdaptivePool
from archspec.layers._base import Kept
from archspec.layers._window import on_axes
from archspec.terms import Terms, Unit, largest
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class AdaptiveMaxPool(AdaptivePool):
    """The largest value of each of h×w bins that cover the map, whatever its size; of a signal, of each of l bins.

    Bin i spans floor(i·H/h) … ceil((i+1)·H/h), PyTorch's rule; bins overlap where h does not divide H. Of equal values
    the first, row by row, has the gradient.
    """

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # Where the maxima of each row's bins were, and then those of the columns.
        rows = inputs[0].shape[0] * output.size // output.shape[0] if output.is_map else 0
        return Kept(bytes=4 * (rows + output.size))

    def terms(self, unit: Unit) -> Terms:
        return largest(*self.bin_at(unit.at, unit.inputs[0], unit.channel), unit.channel)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pooling import adaptive_max_pool

        return Apply(partial(adaptive_max_pool, size=on_axes(self.size, inputs[0], "size")))
