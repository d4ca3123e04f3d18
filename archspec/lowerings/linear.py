"""Gradients of what is linear in an array, as JAX has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax


def gradient_of(linear: Callable[[jax.Array], jax.Array], shape: tuple[int, ...], gradient: jax.Array) -> jax.Array:
    """That by an argument of a shape, of the result's gradient and its type."""
    make: Any = jax.ShapeDtypeStruct
    found: jax.Array = jax.linear_transpose(linear, make(shape, gradient.dtype))(gradient)[0]
    return found
