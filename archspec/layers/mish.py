"""Mish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class Mish(Activation):
    """x·tanh(log(1 + exp(x))) (Misra 2019)."""

    operations: ClassVar[int] = 6

    def floor(self) -> float:
        return -0.30885  # at −1.192, rounded down

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.mish
