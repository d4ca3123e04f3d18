"""Softmax over channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class Softmax(Activation):
    """exp(x_c) / Σ exp(x), over the last axis."""

    full_precision: ClassVar[bool] = True
    from_output: ClassVar[bool] = True
    operations: ClassVar[int] = 5

    def bounds(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.softmax
