"""Dropout of whole channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import Setting, ShapeError, count
from archspec.fields import Probability
from archspec.layers._base import Example, Kept, Layer
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class SpatialDropout(Layer):
    """In training sets whole channels to 0 at random and divides the rest by 1 − rate (Tompson et al. 2015).

    Of a map or a signal; neighbouring positions are alike, so that single ones are no loss. Evaluation changes nothing.
    """

    main: ClassVar[str] = "rate"

    rate: Annotated[Probability, Field(description="probability that a channel is dropped")] = 0.5

    within: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    uses_mode: ClassVar[bool] = True
    uses_key: ClassVar[bool] = True
    uses_shards: ClassVar[bool] = True
    varying: ClassVar[tuple[str, ...]] = ("rate",)
    in_place: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example(0.25, ((9, 4),)))

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if x.is_vector:
            raise ShapeError(
                f"{self.kind} drops channels of maps and signals, but its input is a vector of "
                f"{count(x.size, 'feature')}",
                code="E302",
                help=[Setting("`dropout` drops features", kind="dropout")],
            )
        return x

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # Which channels were dropped, a byte each.
        return Kept(bytes=output.channels) if self.rate else Kept()

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.dropout import Dropout as Module

        return Module(self.rate, whole=tuple(range(1, len(inputs[0].shape))))
