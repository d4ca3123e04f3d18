"""Local response normalisation, which Flax has none of, as one writes it with `lax.reduce_window`."""

from __future__ import annotations

import jax
from jax import lax


def lrn(x: jax.Array, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> jax.Array:
    """x / (k + alpha/size · Σ x²)^beta over `size` neighbouring channels (Krizhevsky et al. 2012; Caffe)."""
    squares = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, size), (1, 1, 1, 1), "SAME")
    return x / (k + alpha / size * squares) ** beta
