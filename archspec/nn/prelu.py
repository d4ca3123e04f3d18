"""Parametric rectifier."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class Prelu(nnx.Module):
    """x where x > 0, slope·x elsewhere; slopes of shape (channels,) or (1,)."""

    def __init__(self, slopes: int, initial: float) -> None:
        self.slope = nnx.Param(jnp.full(slopes, initial))

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.where(x > 0, x, self.slope[...] * x)
