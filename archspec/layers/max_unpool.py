"""Unpooling with the indices of a maximum pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import ShapeError
from archspec.fields import Text
from archspec.layers._base import Cost, Example, Family, Halo, Layer, OnRows, Port, Window
from archspec.layers._window import window
from archspec.terms import Terms, Unit, seen_at, windows_over
from archspec.types import Taps, TensorType

if TYPE_CHECKING:
    from flax import nnx

_POOLED = TensorType((4, 5, 3), "uint8", Taps((8, 9, 3), (2, 2), (2, 2), (0, 0), (1, 1)))
_OF_SIGNAL = TensorType((5, 3), "uint8", Taps((9, 3), (3,), (2,), (1,), (1,)))
_OVERLAPPING = TensorType((3, 4, 2), "uint8", Taps((5, 7, 2), (3, 3), (2, 2), (1, 1), (1, 1)))


class MaxUnpool(Layer):
    """Puts each value back where a max_pool found its maximum, and zeros elsewhere (Badrinarayanan et al. 2017).

    The input has the shape that the max_pool gave, the output the shape that it took, odd sizes included. Where the
    pooling's windows overlap, values that meet at one pixel are added up.
    """

    family: ClassVar[Family] = "resize"

    main: ClassVar[str] = "indices"

    indices: Annotated[Text, Field(description="name of the max_pool that this undoes")]

    references: ClassVar[Mapping[str, Port]] = {"indices": "indices"}
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example("pool1", ((4, 5, 3), _POOLED)),
        Example({"indices": "pool1"}, ((3, 4, 2), _OVERLAPPING)),
        Example("pool1", ((5, 3), _OF_SIGNAL)),
    )

    def _taps(self, indices: TensorType) -> Taps:
        assert indices.taps is not None
        return indices.taps

    def infer(self, *inputs: TensorType) -> TensorType:
        x, indices = inputs
        if x.shape != indices.shape:
            raise ShapeError(
                f"{self.indices} gave {indices}, so that is what it undoes, but its input is {x}",
                code="E306",
                help=["bring the input to that shape, with a 1×1 convolution if the channels differ"],
                field="indices",
            )
        return TensorType(self._taps(indices).map, x.dtype)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        taps = self._taps(inputs[1])
        # The first value lies somewhere in the first window; its middle stands for it.
        pad = [
            -(before - (size - 1) / 2) / step
            for before, size, step in zip(taps.before, taps.window, taps.stride, strict=True)
        ]
        return window([1] * len(pad), [1 / step for step in taps.stride], pad)

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        """Row y is tap o of the window at i where y + before = i·S + o: windows that reach into own rows are taken."""
        taps = self._taps(inputs[1])
        step, before = taps.stride[0], taps.before[0]
        if output.shape[0] != step * inputs[0].shape[0]:
            return None
        last = (taps.window[0] - 1) * taps.dilation[0]
        return OnRows(self, Halo(max(0, (last - before) // step), -(-before // step)))

    def terms(self, unit: Unit) -> Terms:
        """A window's value comes back here if the tap that won in it, which the second input has, is here."""
        import numpy as np

        x, winners = unit.inputs
        taps = self._taps(unit.types[1])
        sizes = unit.types[0].spatial
        reaches, places = windows_over(unit.at, sizes, taps.window, taps.stride, taps.before, taps.dilation)
        numbers = np.arange(reaches.size).reshape(reaches.shape)
        inside = reaches & (seen_at(winners, places, reaches, (unit.channel,))[..., 0] == numbers)
        values = seen_at(x, places, inside, (unit.channel,))
        total = float(abs(values).sum())
        return Terms("value", float(values.sum()), total, values, None, inside, places, (unit.channel,))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.lowerings.places import placed
        from archspec.nn.apply import Apply

        return Apply(partial(placed, taps=self._taps(inputs[1])))
