"""Piecewise linear swish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class HardSwish(Activation):
    """x·relu6(x + 3) / 6 (Howard et al. 2019)."""

    operations: ClassVar[int] = 5

    def floor(self) -> float:
        return -0.375  # at −1.5

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.hard_swish
