"""Batch normalisation with PyTorch's running statistics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class BatchNorm(nnx.Module):
    """Normalises the last axis over all others.

    Flax's own keeps the biased running variance; this keeps the unbiased one, n/(n − 1) times it, as PyTorch does, so
    that weights and statistics can be exchanged.
    """

    def __init__(self, channels: int, *, epsilon: float, momentum: float, use_scale: bool, use_bias: bool) -> None:
        self.epsilon = epsilon
        self.momentum = momentum
        self.scale = nnx.Param(jnp.ones(channels)) if use_scale else None
        self.bias = nnx.Param(jnp.zeros(channels)) if use_bias else None
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.var = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        if train:
            axes = tuple(range(x.ndim - 1))
            count = x.size // x.shape[-1]
            mean = x.mean(axes)
            var = jnp.mean(lax.square(x - mean), axes)
            unbiased = lax.stop_gradient(var) * (count / max(1, count - 1))
            kept = self.momentum
            self.mean.set_value(kept * self.mean[...] + (1 - kept) * lax.stop_gradient(mean))
            self.var.set_value(kept * self.var[...] + (1 - kept) * unbiased)
        else:
            mean, var = self.mean[...], self.var[...]
        factor = lax.rsqrt(var + self.epsilon)
        if self.scale is not None:
            factor = factor * self.scale[...]
        y = (x - mean) * factor
        return y if self.bias is None else y + self.bias[...]
