"""What candidates share: borders, the pixels under a tap, and arrays that are made once."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Sides


def padded(x: jax.Array, sides: Sides, value: float = 0) -> jax.Array:
    """Maps or signals with a border of zeros, or of another value; a negative number cuts away."""
    if not any(map(any, sides)):
        return x
    return lax.pad(
        x, jnp.asarray(value, x.dtype), [(0, 0, 0), *((before, after, 0) for before, after in sides), (0, 0, 0)]
    )


def bordered(x: jax.Array, sides: Sides, kernel: Sequence[int], dilation: Sequence[int]) -> tuple[jax.Array, Sides]:
    """Maps, and the border that is left for XLA's convolution to make of them.

    Where a convolution begins within the map and ends beyond it, YNNPACK's (jaxlib 0.10) reads memory that is none of
    the map's. The gradient by the input does so where the border before is longer than the kernel reaches,
    D·(F − 1), and that after is shorter. All of such a border is written out, and none is left.
    """
    reaches = (spread * (taps - 1) for taps, spread in zip(kernel, dilation, strict=True))
    if any(before < 0 < after or before > reach > after for (before, after), reach in zip(sides, reaches, strict=True)):
        return padded(x, sides), ((0, 0),) * len(sides)
    return x, sides


def cut(x: jax.Array, first: Sequence[int], counts: Sequence[int], steps: Sequence[int]) -> jax.Array:
    """So many pixels of a map from a first one on, in steps."""
    last = [start + step * (count - 1) + 1 for start, step, count in zip(first, steps, counts, strict=True)]
    return lax.slice(x, (0, *first, 0), (x.shape[0], *last, x.shape[-1]), (1, *steps, 1))


def under(x: jax.Array, tap: Sequence[int], case: Case) -> jax.Array:
    """Of a padded map the pixels under one tap of the kernel, (B, H2, W2, C)."""
    first = [spread * place for spread, place in zip(case.dilation, tap, strict=True)]
    return cut(x, first, case.output, case.stride)


def made_once(x: jax.Array) -> jax.Array:
    """An array that XLA writes to memory, where it would compute it anew for each number that is made of it."""
    kept: jax.Array = lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    return kept


def as_map(case: Case) -> Case:
    """The case of a signal as one of a map that is one pixel wide."""
    return case._replace(
        size=(*case.size, 1),
        kernel=(*case.kernel, 1),
        stride=(*case.stride, 1),
        padding=(*case.padding, (0, 0)),
        dilation=(*case.dilation, 1),
    )
