"""Normalisation of each sample by its own statistics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from archspec.nn.rows import mean_of_parts
from archspec.nn.shards import Shards


class Normalisation(nnx.Module):
    """scale·(x − μ)/√(σ² + ε) + bias; μ and σ² over the last axis, or over all axes of each group of channels."""

    def __init__(
        self, shape: tuple[int, ...], *, groups: int | None, epsilon: float, use_scale: bool, use_bias: bool
    ) -> None:
        self.groups = groups
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(shape)) if use_scale else None
        self.bias = nnx.Param(jnp.zeros(shape)) if use_bias else None

    def __call__(self, x: jax.Array, *, shards: Shards | None = None) -> jax.Array:
        if self.groups is None:
            y = self._normalised(x, (-1,), None)
        else:
            parts = x.reshape(*x.shape[:-1], self.groups, -1)
            y = self._normalised(parts, (*range(1, x.ndim - 1), -1), shards).reshape(x.shape)
        if self.scale is not None:
            y = y * self.scale[...]
        return y if self.bias is None else y + self.bias[...]

    def _normalised(self, x: jax.Array, axes: tuple[int, ...], shards: Shards | None) -> jax.Array:
        centred = x - _mean(x, axes, shards)
        return centred * lax.rsqrt(_mean(lax.square(centred), axes, shards) + self.epsilon)


def _mean(x: jax.Array, axes: tuple[int, ...], shards: Shards | None) -> jax.Array:
    """The mean over axes, of which devices may have equal parts of the rows."""
    return mean_of_parts(x.mean(axes, keepdims=True), shards)
