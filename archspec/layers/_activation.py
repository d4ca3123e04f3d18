"""What activations share: element-wise, no weights, one line of lowering."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.layers._base import Cost, Example, Family, Kept, Layer
from archspec.terms import Terms, Unit, formula, said
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Activation(Layer):
    """An element-wise function without weights; subclasses give `function`."""

    family: ClassVar[Family] = "activation"

    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    from_output: ClassVar[bool] = False
    """Its derivative is a function of its output, which the next layer mostly keeps anyway; else of its input."""

    operations: ClassVar[int] = 1
    """Floating-point operations counted per element."""

    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({}, ((7,),)))

    def function(self) -> Callable[[Any], Any]:
        """The function of one array; imports JAX."""
        raise NotImplementedError

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=self.operations * output.size)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(output=True) if self.from_output else super().kept(inputs, output)

    def terms(self, unit: Unit) -> Terms:
        import numpy as np

        x = unit.inputs[0][unit.at]
        result = float(np.asarray(self.function()(np.asarray(x, np.float32)))[unit.channel])
        words = (self.__doc__ or "").split("\n")[0].split(" (")[0].rstrip(".")
        return formula(result, max(abs(result), 1e-30), words, f"x = {said(float(x[unit.channel]))}")

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.apply import Apply

        return Apply(self.function())
