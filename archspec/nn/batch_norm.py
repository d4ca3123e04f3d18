"""Batch normalisation with PyTorch's running statistics."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from archspec.nn.shards import Shards


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

    def __call__(self, x: jax.Array, *, train: bool = False, shards: Shards | None = None) -> jax.Array:
        """Where devices have a part of the batch each, the statistics are those of all of it.

        With `mesh.per_device` they are those of the part (as in Goyal et al. 2017), and the new running ones too: a
        step ends with their mean over the devices.
        """
        scale = None if self.scale is None else self.scale[...]
        bias = None if self.bias is None else self.bias[...]
        if not train:
            return _applied(x, self.mean[...], self.var[...], scale, bias, self.epsilon)
        together = None if shards is None or shards.mesh.per_device else shards
        y, *statistics = normalised(x, scale, bias, self.epsilon, together)
        mean, var = map(lax.stop_gradient, statistics)
        # Each number once: what all devices of `spatial` have alike is one.
        count = x.size // x.shape[-1] * (1 if together is None else together.parts)
        unbiased = var * (count / max(1, count - 1))
        kept = self.momentum
        self.mean.set_value(kept * self.mean[...] + (1 - kept) * mean)
        self.var.set_value(kept * self.var[...] + (1 - kept) * unbiased)
        return y


def _applied(
    x: jax.Array, mean: jax.Array, var: jax.Array, scale: jax.Array | None, bias: jax.Array | None, epsilon: float
) -> jax.Array:
    factor = lax.rsqrt(var + epsilon)
    if scale is not None:
        factor = factor * scale
    y = (x - mean) * factor
    return y if bias is None else y + bias


def defined(
    x: jax.Array, scale: jax.Array | None, bias: jax.Array | None, epsilon: float, shards: Shards | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """scale·(x − μ)/√(σ² + ε) + bias over all axes but the last, μ and σ².

    The variance is the mean of (x − μ)², since E[x²] − μ² loses digits where means are large. Where x is a device's
    part of a batch, both sums, (C,) each, are added up over all devices, one after the other.
    """
    axes = tuple(range(x.ndim - 1))
    if shards is None:
        mean = x.mean(axes)
        var = jnp.mean(lax.square(x - mean), axes)
    else:
        count = x.size // x.shape[-1] * shards.devices
        mean = shards.total(x.sum(axes)) / count
        var = shards.total(lax.square(x - mean).sum(axes)) / count
    return _applied(x, mean, var, scale, bias, epsilon), mean, var


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def normalised(
    x: jax.Array, scale: jax.Array | None, bias: jax.Array | None, epsilon: float, shards: Shards | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """As `defined`, with its gradient in closed form; μ and σ² have none as results.

    Differentiated step by step, sums for μ and for σ² would each go over the maps again. In closed form two sums do,
    which are the gradients of bias and scale: with x̂ = (x − μ)/√(σ² + ε) and n numbers for each channel,
    x̄ = scale/√(σ² + ε) · (ȳ − Σȳ/n − x̂·Σ(ȳ·x̂)/n) (Ioffe & Szegedy 2015, section 3).
    Over several devices the two are added up as one array (2, C); the gradients of bias and scale are the device's own.
    """
    return defined(x, scale, bias, epsilon, shards)


def _forward(
    x: jax.Array, scale: jax.Array | None, bias: jax.Array | None, epsilon: float, shards: Shards | None
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], tuple[Any, ...]]:
    # A second derivative goes through the statistics that are kept: they are of the function as it is defined.
    made = defined(x, scale, bias, epsilon, shards)
    return made, (x, scale, bias, *made[1:])


def _backward(
    epsilon: float, shards: Shards | None, kept: tuple[Any, ...], gradients: tuple[jax.Array, Any, Any]
) -> tuple[jax.Array, jax.Array | None, jax.Array | None]:
    x, scale, bias, mean, var = kept
    gradient = gradients[0]
    axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    inverse = lax.rsqrt(var + epsilon)
    total = gradient.sum(axes)
    along = (gradient * (x - mean)).sum(axes) * inverse
    factor = inverse if scale is None else inverse * scale
    of_all, along_all = (total, along) if shards is None else shards.total(jnp.stack([total, along]))
    number = count if shards is None else count * shards.devices
    back = factor * (gradient - of_all / number - (x - mean) * (inverse * along_all / number))
    return (
        back.astype(x.dtype),
        None if scale is None else along.astype(scale.dtype),
        None if bias is None else total.astype(bias.dtype),
    )


normalised.defvjp(_forward, _backward)
