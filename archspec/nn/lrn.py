"""Local response normalisation of (batch, height, width, channels)."""

from __future__ import annotations

import jax
from jax import lax


def lrn(x: jax.Array, *, size: int, alpha: float, beta: float, k: float) -> jax.Array:
    """x / (k + alpha/size · Σ x²)^beta; the window of an even size reaches one channel further down."""
    total: jax.Array = lax.reduce_window(
        lax.square(x), 0.0, lax.add, (1, 1, 1, size), (1, 1, 1, 1), ((0, 0),) * 3 + ((size // 2, (size - 1) // 2),)
    )
    return x * (k + alpha / size * total) ** -beta
