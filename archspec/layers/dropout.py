"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Probability
from archspec.layers._base import Example, Kept, Layer
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Dropout(Layer):
    """In training sets elements to 0 at random and divides the rest by 1 − rate (Srivastava et al. 2014).

    Evaluation changes nothing.
    """

    main: ClassVar[str] = "rate"

    rate: Annotated[Probability, Field(description="probability that an element is dropped")] = 0.5

    within: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    uses_mode: ClassVar[bool] = True
    uses_key: ClassVar[bool] = True
    uses_shards: ClassVar[bool] = True
    varying: ClassVar[tuple[str, ...]] = ("rate",)
    in_place: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example(0.25, ((7,),)))

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # Which elements were dropped, a byte each.
        return Kept(bytes=output.size) if self.rate else Kept()

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.dropout import Dropout as Module

        return Module(self.rate)
