"""Adaptive average pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.layers._adaptive_pool import AdaptivePool
from archspec.layers._window import on_axes
from archspec.terms import Terms, Unit, averaged
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class AdaptiveAvgPool(AdaptivePool):
    """The mean of each of h×w bins that cover the map, whatever its size; of a signal, of each of l bins.

    Bin i spans floor(i·H/h) … ceil((i+1)·H/h), PyTorch's rule; bins overlap where h does not divide H.
    """

    full_precision: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def terms(self, unit: Unit) -> Terms:
        values, inside, places = self.bin_at(unit.at, unit.inputs[0], unit.channel)
        return averaged(values, inside, places, unit.channel, values.size)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pooling import adaptive_avg_pool

        return Apply(partial(adaptive_avg_pool, size=on_axes(self.size, inputs[0], "size")))
