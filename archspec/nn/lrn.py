"""Local response normalisation of (batch, …, channels)."""

from __future__ import annotations

import jax
from jax import lax


def lrn(x: jax.Array, *, size: int, alpha: float, beta: float, k: float) -> jax.Array:
    """x / (k + alpha/size · Σ x²)^beta; the window of an even size reaches one channel further down."""
    ones = (1,) * (x.ndim - 1)
    sides = ((0, 0),) * (x.ndim - 1) + ((size // 2, (size - 1) // 2),)
    total: jax.Array = lax.reduce_window(lax.square(x), 0.0, lax.add, (*ones, size), (*ones, 1), sides)
    return x * _to_minus(k + alpha / size * total, beta)


def _to_minus(base: jax.Array, beta: float) -> jax.Array:
    """base^−beta; by roots where the exponent is the usual one: powers on CPUs go number by number, and so do those of
    the gradient (28², 192 ×4, both: 7.6 in place of 2.5 ms)."""
    if beta == 0.75:
        root = lax.rsqrt(base)
        return root * lax.sqrt(root)
    return lax.rsqrt(base) if beta == 0.5 else base**-beta
