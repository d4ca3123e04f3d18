"""Logistic function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class Sigmoid(Activation):
    """1 / (1 + exp(−x))."""

    from_output: ClassVar[bool] = True
    operations: ClassVar[int] = 4

    def bounds(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.sigmoid
