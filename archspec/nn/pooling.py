"""Pooling over height and width of (batch, height, width, channels)."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from archspec.types import Taps

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


class MaxPool(nnx.Module):
    """The maximum of each window; with `indices` also the number of the tap that it came from."""

    def __init__(self, taps: Taps, padding: Sides) -> None:
        self.taps = taps
        self.padding = padding

    def __call__(self, x: jax.Array, *, indices: bool = False) -> jax.Array | tuple[jax.Array, jax.Array]:
        if indices:
            return max_pool_with_indices(x, self.taps, self.padding)
        taps = self.taps
        return max_pool(x, window=taps.window, stride=taps.stride, padding=self.padding, dilation=taps.dilation)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool_with_indices(x: jax.Array, taps: Taps, padding: Sides) -> tuple[jax.Array, jax.Array]:
    """The maximum of each window and the number of its tap, row by row; of equals the first, as PyTorch has it."""
    largest = max_pool(x, window=taps.window, stride=taps.stride, padding=padding, dilation=taps.dilation)
    sides = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    padded = lax.pad(x, jnp.asarray(-jnp.inf, x.dtype), sides)
    numbers = jnp.zeros(largest.shape, taps.dtype)
    for number in reversed(range(taps.window[0] * taps.window[1])):
        row, column = divmod(number, taps.window[1])
        top, left = row * taps.dilation[0], column * taps.dilation[1]
        tap = padded[
            :,
            top : top + (largest.shape[1] - 1) * taps.stride[0] + 1 : taps.stride[0],
            left : left + (largest.shape[2] - 1) * taps.stride[1] + 1 : taps.stride[1],
            :,
        ]
        numbers = jnp.where(
            (tap == largest) | (jnp.isnan(tap) & jnp.isnan(largest)), numbers.dtype.type(number), numbers
        )
    return largest, numbers


def _pool_forward(x: jax.Array, taps: Taps, padding: Sides) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    found = max_pool_with_indices(x, taps, padding)
    return found, found[1]


def _pool_backward(
    taps: Taps, padding: Sides, numbers: jax.Array, gradients: tuple[jax.Array, Any]
) -> tuple[jax.Array]:
    # Each maximum's gradient goes back to where it came from: the indices say it all, the input need not be kept.
    return (max_unpool(gradients[0], numbers, taps),)


max_pool_with_indices.defvjp(_pool_forward, _pool_backward)


def max_unpool(x: jax.Array, numbers: jax.Array, taps: Taps) -> jax.Array:
    """Puts each value where the maximum was; the rest is 0, and values that meet at one pixel are added up."""
    height, width, _ = taps.map
    rows, columns = taps.window
    if taps.stride == taps.window and taps.dilation == (1, 1):
        # Windows lie side by side: a comparison with every tap's number is the output already, but for the margins.
        batch, down, across, channels = x.shape
        kinds = np.arange(rows * columns, dtype=numbers.dtype).reshape(rows, 1, columns, 1)
        placed = jnp.where(numbers[:, :, None, :, None, :] == kinds, x[:, :, None, :, None, :], 0)
        placed = placed.reshape(batch, down * rows, across * columns, channels)
        top, left = taps.before
        margins = ((-top, height - down * rows + top), (-left, width - across * columns + left))
        return lax.pad(placed, jnp.zeros((), x.dtype), [(0, 0, 0), *((*margin, 0) for margin in margins), (0, 0, 0)])
    total = jnp.zeros((x.shape[0], height, width, x.shape[-1]), x.dtype)
    for number in range(rows * columns):
        chosen = jnp.where(numbers == number, x, 0)
        config = [(0, 0, 0)]
        for axis, tap in enumerate(divmod(number, columns)):
            start = tap * taps.dilation[axis] - taps.before[axis]
            reach = (x.shape[axis + 1] - 1) * taps.stride[axis] + 1
            config.append((start, taps.map[axis] - start - reach, taps.stride[axis] - 1))
        total = total + lax.pad(chosen, jnp.zeros((), x.dtype), [*config, (0, 0, 0)])
    return total


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
