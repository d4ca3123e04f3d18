"""A trainable factor for each channel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class LayerScale(nnx.Module):
    """scale·x over the last axis."""

    def __init__(self, channels: int, initial: float) -> None:
        self.scale = nnx.Param(jnp.full(channels, initial))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.scale[...]
