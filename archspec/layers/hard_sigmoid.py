"""Piecewise linear sigmoid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class HardSigmoid(Activation):
    """relu6(x + 3) / 6 (Howard et al. 2019)."""

    operations: ClassVar[int] = 4

    def bounds(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.hard_sigmoid
