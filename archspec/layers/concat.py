"""Concatenation of branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.diagnostics import ShapeError
from archspec.layers._base import Example
from archspec.layers._join import Join, disagreement
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Concat(Join):
    """Stacks inputs along channels: maps of equal height and width, signals of equal length, or vectors."""

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((5, 6, 4), (5, 6, 1), (5, 6, 3))),
        Example({}, ((9, 4), (9, 1))),
        Example({}, ((7,), (2,))),
        Example({}, ((5, 4), (5, 1))),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        reason = disagreement(inputs, len(inputs[0].spatial))
        if reason:
            what = "signals of equal length" if inputs[0].is_signal else "maps of equal height and width"
            raise ShapeError(f"{self.kind} takes {what}, but {reason}", code="E306")
        channels = sum(x.channels for x in inputs)
        return TensorType((*inputs[0].shape[:-1], channels), inputs[0].dtype)

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        return [f"channels: {' + '.join(str(x.channels) for x in inputs)} = {output.channels}"]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        import jax.numpy as jnp

        from archspec.nn.apply import Apply

        return Apply(lambda *xs: jnp.concatenate(xs, axis=-1))
