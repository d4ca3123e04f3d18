"""Instance normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import Setting, ShapeError, count
from archspec.fields import Flag
from archspec.layers._base import Example
from archspec.layers._normalisation import Normalisation
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx


class InstanceNorm(Normalisation):
    """Normalises each channel of a sample over its positions: (x − μ)/√(σ² + ε) (Ulyanov et al. 2016).

    Without factors and summands, as PyTorch's is; `scale` and `bias` add one per channel (its `affine`). It keeps no
    running statistics.
    """

    scale: Annotated[Flag, Field(description="one trainable factor per channel")] = False
    bias: Annotated[Flag, Field(description="one trainable summand per channel")] = False

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}),
        Example({"scale": True, "bias": True, "epsilon": 1e-3}),
        Example({"bias": True}, ((9, 4),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if x.is_vector:
            raise ShapeError(
                f"{self.kind} works on maps and signals, but its input is a vector of {count(x.size, 'feature')}",
                code="E302",
                help=[Setting("`layer_norm` normalises a vector", kind="layer_norm")],
            )
        return x

    def values(self, x: TensorType) -> int:
        return x.size // x.channels

    def set_of(self, at: tuple[int, ...], channel: int, x: np.ndarray) -> np.ndarray:
        return x[..., channel]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        return self.module(inputs[0], inputs[0].channels)
