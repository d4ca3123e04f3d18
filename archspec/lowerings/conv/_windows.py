"""What candidates look at of an input: borders, and the pixels under one tap."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Sides


def padded(x: jax.Array, sides: Sides) -> jax.Array:
    """Maps or signals with zeros around them; a negative number cuts away."""
    if not any(map(any, sides)):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((before, after, 0) for before, after in sides), (0, 0, 0)])


def under(x: jax.Array, tap: tuple[int, ...], case: Case) -> jax.Array:
    """x[i·S + d·t] of a padded input for every output pixel i and one tap t, (B, H2, W2, C)."""
    begin = [place * spread for place, spread in zip(tap, case.dilation, strict=True)]
    end = [start + (many - 1) * step + 1 for start, many, step in zip(begin, case.output, case.stride, strict=True)]
    return lax.slice(x, (0, *begin, 0), (x.shape[0], *end, x.shape[-1]), (1, *case.stride, 1))


def spread_back(y: jax.Array, tap: tuple[int, ...], case: Case) -> jax.Array:
    """The transpose of padding and `under`: what output pixels give to the input pixels under one tap."""
    places = []
    for size, (before, _), place, spread, many, step in zip(
        case.size, case.padding, tap, case.dilation, case.output, case.stride, strict=True
    ):
        first = place * spread - before
        places.append((first, size - first - ((many - 1) * step + 1), step - 1))
    return lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), *places, (0, 0, 0)])
