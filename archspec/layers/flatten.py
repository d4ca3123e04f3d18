"""Map or signal to vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.layers._base import Example, Layer
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Flatten(Layer):
    """Writes a map or signal as a vector: (H, W, C) becomes (H·W·C,), channels varying fastest. A vector stays as it
    is.
    """

    within: ClassVar[bool] = True
    is_view: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({}, ((7,),)), Example({}, ((5, 3),)))

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType((inputs[0].size,), inputs[0].dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        return None

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        return [f"features: {'·'.join(map(str, inputs[0].shape))} = {output.size}"]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.apply import Apply

        return Apply(lambda x: x.reshape(x.shape[0], -1))
