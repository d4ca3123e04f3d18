"""Clipped rectifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class Relu6(Activation):
    """min(max(0, x), 6) (Krizhevsky 2010)."""

    operations: ClassVar[int] = 2

    def bounds(self) -> tuple[float, float]:
        return (0.0, 6.0)

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.relu6
