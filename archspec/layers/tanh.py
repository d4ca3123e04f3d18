"""Hyperbolic tangent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.layers._activation import Activation


class Tanh(Activation):
    """tanh(x)."""

    def function(self) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        return jnp.tanh
