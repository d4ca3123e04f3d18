"""Group normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import PositiveInt
from archspec.layers._base import Example
from archspec.layers._groups import require_groups
from archspec.layers._normalisation import Normalisation
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx


class GroupNorm(Normalisation):
    """Normalises a sample over the positions and channels of each of G groups of channels (Wu & He 2018).

    scale·(x − μ)/√(σ² + ε) + bias, with a factor and a summand per channel. One group is a layer normalisation over all
    axes with weights per channel.
    """

    main: ClassVar[str] = "groups"

    groups: Annotated[PositiveInt, Field(description="groups of channels; they divide the channels")] = 32

    reorders: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"groups": 1, "epsilon": 1e-3, "scale": False}, ((9, 4),)),
        Example({"groups": 3, "bias": False}, ((12,),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        require_groups(self.groups, inputs[0].channels)
        return inputs[0]

    def values(self, x: TensorType) -> int:
        return x.size // self.groups

    def set_of(self, at: tuple[int, ...], channel: int, x: np.ndarray) -> np.ndarray:
        size = x.shape[-1] // self.groups
        first = channel // size * size
        return x[..., first : first + size]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        return self.module(inputs[0], self.groups)
