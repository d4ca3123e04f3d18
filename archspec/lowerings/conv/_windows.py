"""What candidates share: borders, and arrays that are made once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Sides


def padded(x: jax.Array, sides: Sides) -> jax.Array:
    """Maps or signals with zeros around them; a negative number cuts away."""
    if not any(map(any, sides)):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((before, after, 0) for before, after in sides), (0, 0, 0)])


def made_once(x: jax.Array) -> jax.Array:
    """An array that XLA writes to memory, where it would compute it anew for each number that is made of it."""
    kept: jax.Array = lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    return kept
