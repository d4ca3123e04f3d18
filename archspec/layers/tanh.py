"""Hyperbolic tangent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class Tanh(Activation):
    """tanh(x)."""

    from_output: ClassVar[bool] = True

    def bounds(self) -> tuple[float, float]:
        return (-1.0, 1.0)

    def function(self) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        return jnp.tanh
