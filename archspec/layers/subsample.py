"""LeNet's trainable pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.layers._base import Cost, Example, Kept, Weight
from archspec.layers._pool import Pool
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Subsample(Pool):
    """LeNet's pooling: the mean of each window times a trainable coefficient plus a trainable bias, per map.

    LeCun et al. 1998 add the window's values instead of averaging them: the same function with the coefficient divided
    by the window's area. Zeros of the padding count.
    """

    full_precision: ClassVar[bool] = True
    uses_lowerings: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(2),
        Example({"window": [2, 3], "stride": 2, "pad": 1}),
        Example(3, ((10, 2),)),
    )

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = (inputs[0].channels,)
        return Weight("coefficient", shape), Weight("bias", shape)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=output.size * (self.area(inputs[0]) + 2))

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # The means, which the coefficients' gradient needs.
        return Kept(elements=output.size)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.subsample import Subsample as Module

        (x,) = inputs
        return Module(x.channels, **self.laid(x)._asdict(), area=self.area(x))
