"""Pooling over height and width of (batch, height, width, channels)."""

from __future__ import annotations

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]


def max_pool(x: jax.Array, *, window: Pair, stride: Pair, padding: Sides, dilation: Pair) -> jax.Array:
    """The maximum of each window; padding counts as −∞."""
    low = jnp.asarray(-jnp.inf, x.dtype)
    sides = ((0, 0), *padding, (0, 0))
    if dilation == (1, 1):
        largest: jax.Array = lax.reduce_window(x, -np.inf, lax.max, (1, *window, 1), (1, *stride, 1), sides)
        return largest
    # The gradient of reduce_window does not know dilation; a maximum over the window's taps does.
    padded = lax.pad(x, low, [(before, after, 0) for before, after in sides])
    extents = [(taps - 1) * step + 1 for taps, step in zip(window, dilation, strict=True)]
    sizes = [(padded.shape[axis + 1] - extents[axis]) // stride[axis] + 1 for axis in (0, 1)]
    taps = [
        padded[
            :,
            top * dilation[0] : top * dilation[0] + (sizes[0] - 1) * stride[0] + 1 : stride[0],
            left * dilation[1] : left * dilation[1] + (sizes[1] - 1) * stride[1] + 1 : stride[1],
            :,
        ]
        for top in range(window[0])
        for left in range(window[1])
    ]
    return reduce(jnp.maximum, taps)


def avg_pool(
    x: jax.Array,
    *,
    window: Pair,
    stride: Pair,
    padding: Sides,
    divisors: tuple[tuple[int, ...], tuple[int, ...]],
) -> jax.Array:
    """The sum of each window over the number of rows times columns that count in it."""
    total: jax.Array = lax.reduce_window(x, 0.0, lax.add, (1, *window, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0)))
    rows, columns = divisors
    if len(set(rows)) == len(set(columns)) == 1:
        return total / (rows[0] * columns[0])
    return total / np.outer(rows, columns).astype(np.float32)[:, :, None].astype(x.dtype)


def bin_matrix(size: int, bins: int) -> np.ndarray:
    """Row i has the weights of bin i: the mean over floor(i·size/bins) … ceil((i+1)·size/bins)."""
    matrix = np.zeros((bins, size), np.float32)
    for index in range(bins):
        start, stop = index * size // bins, -((index + 1) * size // -bins)
        matrix[index, start:stop] = 1 / (stop - start)
    return matrix


def adaptive_avg_pool(x: jax.Array, *, size: Pair) -> jax.Array:
    """The mean of each of size[0]×size[1] bins that cover the map."""
    rows, columns = (bin_matrix(x.shape[axis + 1], size[axis]).astype(x.dtype) for axis in (0, 1))
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=lax.Precision.HIGHEST)
