"""Maximum pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Pair
from archspec.layer import Example
from archspec.layers._pool import Pool
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class MaxPool(Pool):
    """The largest value of each window, channel by channel. Padding never wins. W2 = (W1 − F + 2P)/S + 1."""

    dilation: Annotated[Pair, Field(description="distance between the window's taps in pixels")] = (1, 1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"window": 3, "stride": 2, "rounding": "ceil"}),
        Example({"window": [3, 2], "stride": [1, 2], "pad": [[1, 0], [0, 1]], "dilation": [1, 2]}),
    )

    @property
    def spread(self) -> tuple[int, int]:
        return self.dilation

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pooling import max_pool

        return Apply(
            partial(
                max_pool,
                window=self.window,
                stride=self.steps,
                padding=self.padding(inputs[0]),
                dilation=self.dilation,
            )
        )
