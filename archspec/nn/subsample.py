"""LeNet's trainable pooling."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.lowerings.choosing import Lowerings
from archspec.nn.pooling import Pair, Sides, summed


class Subsample(nnx.Module):
    """coefficient·(sum of window)/area + bias; one coefficient and one bias per channel."""

    def __init__(self, channels: int, *, window: Pair, stride: Pair, padding: Sides, area: int) -> None:
        self.window = window
        self.area = float(area)
        self.stride = stride
        self.padding = padding
        self.coefficient = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))

    def __call__(self, x: jax.Array, *, lowerings: Lowerings | None = None) -> jax.Array:
        total = summed(x, window=self.window, stride=self.stride, padding=self.padding, lowerings=lowerings)
        mean = total / self.area
        return mean * self.coefficient[...] + self.bias[...]
