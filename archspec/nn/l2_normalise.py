"""Vectors of length 1 along the last axis."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def l2_normalise(x: jax.Array, *, epsilon: float) -> jax.Array:
    """x / max(√Σ x², ε); the gradient is finite where x is 0."""
    total = jnp.sum(lax.square(x), -1, keepdims=True)
    # The root of 0 has no derivative: where it would be taken, 1 stands in for it.
    is_long = total > epsilon * epsilon
    return jnp.where(is_long, x * lax.rsqrt(jnp.where(is_long, total, 1.0)), x / epsilon)
