"""What joins share: two or more inputs that must agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archspec.diagnostics import ShapeError
from archspec.layers._base import Example, Family, Layer
from archspec.types import TensorType

AXES = {3: ("height", "width", "channels"), 2: ("length", "channels"), 1: ("features",)}
"""What the axes of maps, signals and vectors are called."""

TYPES = {3: "maps", 2: "signals", 1: "vectors"}


class Join(Layer):
    """A layer of two or more inputs, of one shape unless the kind says otherwise."""

    family: ClassVar[Family] = "join"
    pointwise: ClassVar[bool] = True

    min_inputs: ClassVar[int] = 2
    max_inputs: ClassVar[int | None] = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((5, 6, 4), (5, 6, 4))),
        Example({}, ((5, 6, 4), (5, 6, 4), (5, 6, 4))),
        Example({}, ((7,), (7,))),
        Example({}, ((5, 4), (5, 4))),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        require_equal(inputs, self.kind)
        return inputs[0]


def disagreement(inputs: Sequence[TensorType], axes: int) -> str | None:
    """Which of the first `axes` axes differ between the inputs, in words; None when none does."""
    first = inputs[0]
    kinds = [TYPES[rank] for rank in (3, 2, 1) if any(len(x.shape) == rank for x in inputs)]
    if len(kinds) > 1:
        return " and ".join(f"some {'inputs ' if kind == kinds[0] else ''}are {kind}" for kind in kinds)
    for axis, name in enumerate(AXES[len(first.shape)][:axes]):
        sizes = [x.shape[axis] for x in inputs]
        if len(set(sizes)) > 1:
            return f"they differ in {name}: {', '.join(map(str, sizes))}"
    return None


def require_equal(inputs: Sequence[TensorType], kind: str) -> None:
    """Raises `ShapeError` unless all inputs have one shape; nothing is broadcast."""
    reason = disagreement(inputs, 3)
    if reason:
        raise ShapeError(f"{kind} takes inputs of equal shape, but {reason}", code="E306")
