"""Stochastic depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.fields import Probability
from archspec.layers._base import Example, Kept, Layer
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class StochasticDepth(Layer):
    """In training sets all of a sample, or of the batch, to 0 at random and divides the rest by 1 − rate.

    At the end of a residual branch: where it gives 0, only the shortcut is left, and the network is less deep (Huang
    et al. 2016). The paper multiplies by 1 − rate in evaluation; here, as in torchvision and timm (drop path),
    evaluation changes nothing. Rates mostly grow with depth from 0, `rate: $(0.2 * i / blocks)`.
    """

    main: ClassVar[str] = "rate"

    rate: Annotated[Probability, Field(description="probability that a sample's, or the batch's, branch is dropped")]
    mode: Annotated[
        Literal["row", "batch"], Field(description="row: each sample by itself; batch: the whole batch at once")
    ] = "row"

    within: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    uses_mode: ClassVar[bool] = True
    uses_key: ClassVar[bool] = True
    uses_shards: ClassVar[bool] = True
    varying: ClassVar[tuple[str, ...]] = ("rate",)
    in_place: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(0.2),
        Example({"rate": 0.5, "mode": "batch"}, ((9, 4),)),
        Example(0, ((7,),)),
    )

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # Whether the sample was dropped.
        return Kept(bytes=1) if self.rate and self.mode == "row" else Kept()

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.dropout import Dropout as Module

        axes = range(1, len(inputs[0].shape) + 1)
        return Module(self.rate, whole=tuple(axes) if self.mode == "row" else (0, *axes))
