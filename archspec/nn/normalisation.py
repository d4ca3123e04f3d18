"""Normalisation of each sample by its own statistics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class Normalisation(nnx.Module):
    """scale·(x − μ)/√(σ² + ε) + bias; μ and σ² over the last axis, or over all axes of each group of channels."""

    def __init__(
        self, shape: tuple[int, ...], *, groups: int | None, epsilon: float, use_scale: bool, use_bias: bool
    ) -> None:
        self.groups = groups
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(shape)) if use_scale else None
        self.bias = nnx.Param(jnp.zeros(shape)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.groups is None:
            y = self._normalised(x, (-1,))
        else:
            parts = x.reshape(*x.shape[:-1], self.groups, -1)
            y = self._normalised(parts, (*range(1, x.ndim - 1), -1)).reshape(x.shape)
        if self.scale is not None:
            y = y * self.scale[...]
        return y if self.bias is None else y + self.bias[...]

    def _normalised(self, x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
        centred = x - x.mean(axes, keepdims=True)
        return centred * lax.rsqrt(jnp.mean(lax.square(centred), axes, keepdims=True) + self.epsilon)
