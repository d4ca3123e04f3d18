"""Maximum pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.fields import Pair
from archspec.layers._base import Example, Kept
from archspec.layers._pool import Pool
from archspec.layers._window import on_axes, rows_of
from archspec.terms import Terms, Unit, largest
from archspec.types import Taps, TensorType

if TYPE_CHECKING:
    from flax import nnx


class MaxPool(Pool):
    """The largest value of each window, channel by channel. Padding never wins. W2 = (W1 − F + 2P)/S + 1.

    `max_unpool` can ask it where the maxima were.
    """

    dilation: Annotated[Pair, Field(description="distance between the window's taps in pixels")] = (1, 1)

    beyond: ClassVar[Literal["zeros", "least"]] = "least"
    within: ClassVar[bool] = True
    uses_mode: ClassVar[bool] = True
    uses_lowerings: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"window": 3, "stride": 2, "rounding": "ceil"}),
        Example({"window": [3, 2], "stride": [1, 2], "pad": [[1, 0], [0, 1]], "dilation": [1, 2]}),
        Example({"window": 3, "stride": 2, "pad": [[0, 1]], "dilation": 2}, ((11, 3),)),
    )

    @property
    def spread(self) -> tuple[int, int]:
        return self.dilation

    def tap_indices(self, *inputs: TensorType) -> TensorType:
        """The number of the tap that won in each window, counted row by row; the first of equals."""
        (x,) = inputs
        laid = self.laid(x)
        before = tuple(fit.before for fit in self.fit(x))
        taps = Taps(x.shape, laid.window, laid.stride, before, on_axes(self.dilation, x, "dilation"))
        return TensorType(self.infer(*inputs).shape, taps.dtype, taps)

    def warnings(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        own = list(super().warnings(inputs, output))
        x = inputs[0]
        for size, axis, fit, row in zip(x.spatial, self.along(x), self.fit(x), rows_of(x), strict=True):
            # A window that begins on the map holds the pixel that it begins at.
            starts = [index * axis.step - fit.before for index in {*range(min(fit.output, 32)), fit.output - 1}]
            step, count = axis.spread, axis.taps
            if any(not 0 <= -(-max(-start, 0) // step) * step + start < size for start in starts) or any(
                -(-max(-start, 0) // step) >= count for start in starts
            ):
                own.append(f"a window covers {row}s of padding alone, whose largest value is −∞")
        return own

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        indices = self.tap_indices(*inputs)
        # The indices are all it needs, but XLA often finds them again from input and output instead of keeping them.
        few = indices.taps is not None and indices.taps.few
        return Kept(output=True, bytes=indices.bytes) if few else Kept(inputs=(0,))

    def terms(self, unit: Unit) -> Terms:
        return largest(*self.window_on(unit.at, unit.inputs[0], (unit.channel,)), unit.channel)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.pooling import MaxPool as Module

        taps = self.tap_indices(*inputs).taps
        assert taps is not None
        return Module(taps, self.laid(inputs[0]).padding)
