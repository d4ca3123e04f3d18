"""Layer normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.layers._base import Example, OnRows
from archspec.layers._normalisation import Normalisation
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx


class LayerNorm(Normalisation):
    """Normalises a sample over its channels, at each position by itself, or over all axes (Ba et al. 2016).

    scale·(x − μ)/√(σ² + ε) + bias. Over channels, as in ConvNeXt and transformers, factors and summands are one per
    channel; over all axes, as PyTorch's with the whole shape, one per number of the input. Keras' epsilon is 0.001.
    """

    main: ClassVar[str] = "axes"

    axes: Annotated[
        Literal["channels", "all"], Field(description="what means are taken over: channels, or all of a sample")
    ] = "channels"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}),
        Example({"epsilon": 1e-6, "bias": False}, ((9, 4),)),
        Example({"axes": "all"}),
        Example({"axes": "all", "scale": False}, ((9, 4),)),
        Example({}, ((7,),)),
    )

    def values(self, x: TensorType) -> int:
        return x.channels if self.axes == "channels" else x.size

    def weight_shape(self, x: TensorType) -> tuple[int, ...]:
        return (x.channels,) if self.axes == "channels" else x.shape

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        # Over all axes it has a factor and a summand for each place.
        return OnRows() if self.axes == "channels" else None

    def set_of(self, at: tuple[int, ...], channel: int, x: np.ndarray) -> np.ndarray:
        return x[at] if self.axes == "channels" else x

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        return self.module(inputs[0], None if self.axes == "channels" else 1)
