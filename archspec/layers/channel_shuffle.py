"""Channel shuffle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import PositiveInt
from archspec.layers._base import Example, Layer
from archspec.layers._groups import require_groups
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class ChannelShuffle(Layer):
    """Deals the channels of G groups out in turn: channel g·C/G + i becomes channel i·G + g (Zhang et al. 2018).

    So that a grouped convolution behind it sees channels of every group. Shapes stay as they are.
    """

    main: ClassVar[str] = "groups"

    groups: Annotated[PositiveInt, Field(description="groups that the channels are made of; they divide the channels")]

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    reorders: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example(3, ((4, 5, 6),)),
        Example(2, ((9, 6),)),
        Example(4, ((8,),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_groups(self.groups, x.channels)
        return x

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.apply import Apply

        groups = self.groups
        return Apply(lambda x: x.reshape(*x.shape[:-1], groups, -1).swapaxes(-1, -2).reshape(x.shape))
