"""Average pooling."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Flag
from archspec.layers._base import Example, OnRows
from archspec.layers._pool import Pool
from archspec.terms import Terms, Unit, averaged
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class AvgPool(Pool):
    """The mean of each window, channel by channel. W2 = (W1 − F + 2P)/S + 1.

    What ceil rounding adds beyond the padded input never counts, as in PyTorch.
    """

    count_pad: Annotated[
        Flag, Field(description="zeros of the padding count in the mean, as in Caffe and PyTorch's default")
    ] = True

    full_precision: ClassVar[bool] = True
    uses_lowerings: ClassVar[bool] = True
    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"window": 3, "stride": 2, "pad": 1, "rounding": "ceil"}),
        Example({"window": [3, 2], "stride": [2, 1], "pad": [[1, 1], [0, 1]], "count_pad": False}),
        Example({"window": 3, "stride": 2, "pad": [[1, 0]], "rounding": "ceil", "count_pad": False}, ((10, 3),)),
    )

    def divisors(self, x: TensorType) -> tuple[tuple[int, ...], ...]:
        """How many rows and columns, or positions of a signal, each window counts."""
        counts = []
        for size, axis, fit in zip(x.spatial, self.along(x), self.fit(x), strict=True):
            low = -fit.before if self.count_pad else 0
            high = size + (fit.after if self.count_pad else 0)
            starts = (index * axis.step - fit.before for index in range(fit.output))
            # A window over nothing but padding that does not count sums up to 0, and so is its mean.
            counts.append(tuple(max(1, min(start + axis.taps, high) - max(start, low)) for start in starts))
        return tuple(counts)

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        # Where rows of the padding do not count, the parts at the edges would divide by other numbers.
        x = inputs[0]
        own = super().on_rows(parts, inputs, output)
        if own is None or set(self.divisors(x)[0]) != {self.along(x)[0].taps}:
            return None
        rows, columns = self.fit(x)
        if not columns.overhang:
            # Its module may hold a number for each of all windows.
            return own._replace(layer=own.layer or self)
        # What ceil rounding adds does not count either, so it stays what it is; of rows it would add some.
        if self.window[0] < self.steps[0] + rows.before:
            return None
        return own._replace(layer=self.model_copy(update={"pad": ((0, 0), (columns.before, columns.after))}))

    def terms(self, unit: Unit) -> Terms:
        counts = self.divisors(unit.types[0])
        count = prod(own[place] for own, place in zip(counts, unit.at, strict=True))
        return averaged(*self.window_on(unit.at, unit.inputs[0], (unit.channel,)), unit.channel, count)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pooling import avg_pool

        (x,) = inputs
        return Apply(partial(avg_pool, **self.laid(x)._asdict(), divisors=self.divisors(x)))
