"""Sigmoid-weighted linear unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class Silu(Activation):
    """x·σ(x), also called swish (Elfwing et al. 2018)."""

    operations: ClassVar[int] = 5

    def floor(self) -> float:
        return -0.27847  # at −1.278, rounded down

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.silu
