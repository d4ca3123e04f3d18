"""Pooling over height and width of (batch, height, width, channels), or length of (batch, length, channels)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from archspec.types import Taps

Pair = tuple[int, ...]
"""A number for each axis of a map, or for the one of a signal."""
Sides = tuple[tuple[int, int], ...]


def layout(x: jax.Array) -> tuple[str, str, str]:
    """The orders of the axes of a convolution's input, kernel and output."""
    return ("NHWC", "HWIO", "NHWC") if x.ndim == 4 else ("NWC", "WIO", "NWC")


def max_pool(x: jax.Array, *, window: Pair, stride: Pair, padding: Sides, dilation: Pair) -> jax.Array:
    """The maximum of each window; padding counts as −∞.

    XLA's windows on CPUs are slow (3×3 stride 2 over (8, 55, 55, 96): 2.9 ms). Slices, one for each tap, become one
    loop (0.5 ms); where the map is padded each of their elements would be tested, so that windows of one axis after the
    other are faster, as large ones are.
    """
    low = jnp.asarray(-jnp.inf, x.dtype)
    sides = ((0, 0), *padding, (0, 0))
    plain, padded = set(dilation) == {1}, any(map(any, padding))
    # The gradient of reduce_window does not know dilation; a maximum over the window's taps does.
    if not plain or (_on_cpu() and not padded and prod(window) <= MOST_SLICES):
        # A map that is not padded stays as it is: XLA need not find that out.
        whole = lax.pad(x, low, [(before, after, 0) for before, after in sides]) if padded else x
        extents = [(taps - 1) * step + 1 for taps, step in zip(window, dilation, strict=True)]
        sizes = [
            (size - extent) // step + 1 for size, extent, step in zip(whole.shape[1:-1], extents, stride, strict=True)
        ]
        return reduce(jnp.maximum, [tap_of(whole, place, sizes, stride, dilation) for place in np.ndindex(*window)])
    if not _on_cpu():
        return _reduced(x, -np.inf, lax.max, window, stride, padding)
    return _axis_by_axis(x, -np.inf, lax.max, window, stride, padding)


MOST_SLICES = 9
"""Taps of a window up to which its slices are taken: a 3×3 one's."""


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"


def _reduced(x: jax.Array, start: float, operation: Any, window: Pair, stride: Pair, padding: Sides) -> jax.Array:
    found: jax.Array = lax.reduce_window(
        x, start, operation, (1, *window, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0))
    )
    return found


def _axis_by_axis(x: jax.Array, start: float, operation: Any, window: Pair, stride: Pair, padding: Sides) -> jax.Array:
    """The same with windows over one axis after the other."""
    for axis in range(len(window)):

        def along(values: Sequence[Any], rest: Any, axis: int = axis) -> tuple[Any, ...]:
            return tuple(value if other == axis else rest for other, value in enumerate(values))

        x = _reduced(x, start, operation, along(window, 1), along(stride, 1), along(padding, (0, 0)))
    return x


def tap_of(padded: jax.Array, place: Pair, sizes: Sequence[int], stride: Pair, dilation: Pair) -> jax.Array:
    """What each of so many windows has at one of its places."""
    slices = (
        slice(at * spread, at * spread + (count - 1) * step + 1, step)
        for at, count, step, spread in zip(place, sizes, stride, dilation, strict=True)
    )
    return padded[(slice(None), *slices)]


class MaxPool(nnx.Module):
    """The maximum of each window; with `indices` also the number of the tap that it came from.

    While training it takes the indices whether or not they are asked for, if the windows are not large: the backward
    pass then keeps a byte per output. XLA's own gradient keeps the input and, on CPUs, searches it again with several
    arrays of its size.
    """

    def __init__(self, taps: Taps, padding: Sides) -> None:
        self.taps = taps
        self.padding = padding

    def __call__(
        self, x: jax.Array, *, indices: bool = False, train: bool = False
    ) -> jax.Array | tuple[jax.Array, jax.Array]:
        taps = self.taps
        if indices or (train and taps.few):
            pooled = max_pool_with_indices(x, taps, self.padding)
            return pooled if indices else pooled[0]
        return max_pool(x, window=taps.window, stride=taps.stride, padding=self.padding, dilation=taps.dilation)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool_with_indices(x: jax.Array, taps: Taps, padding: Sides) -> tuple[jax.Array, jax.Array]:
    """The maximum of each window and the number of its tap, row by row; of equals the first, as PyTorch has it."""
    largest = max_pool(x, window=taps.window, stride=taps.stride, padding=padding, dilation=taps.dilation)
    sides = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    padded = lax.pad(x, jnp.asarray(-jnp.inf, x.dtype), sides)
    numbers = jnp.zeros(largest.shape, taps.dtype)
    for number, place in reversed(list(enumerate(np.ndindex(*taps.window)))):
        tap = tap_of(padded, place, largest.shape[1:-1], taps.stride, taps.dilation)
        numbers = jnp.where(
            (tap == largest) | (jnp.isnan(tap) & jnp.isnan(largest)), numbers.dtype.type(number), numbers
        )
    return largest, numbers


def _pool_forward(x: jax.Array, taps: Taps, padding: Sides) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    pooled = max_pool_with_indices(x, taps, padding)
    return pooled, pooled[1]


def _pool_backward(
    taps: Taps, padding: Sides, numbers: jax.Array, gradients: tuple[jax.Array, Any]
) -> tuple[jax.Array]:
    # Each maximum's gradient goes back to where it came from: the indices say it all, the input need not be kept.
    gradient = gradients[0]
    if _on_cpu():
        # XLA would find the numbers again for each pixel, in one loop with what is below (2×2 over (128, 28, 28, 6):
        # 3.3 in place of 1.4 ms). It drops barriers, but leaves conditions be. No number is above infinity.
        never = gradient.reshape(-1)[0] > jnp.inf
        numbers = lax.cond(never, jnp.zeros_like, lambda numbers: numbers, numbers)
    return (max_unpool(gradient, numbers, taps),)


max_pool_with_indices.defvjp(_pool_forward, _pool_backward)


def max_unpool(x: jax.Array, numbers: jax.Array, taps: Taps) -> jax.Array:
    """Puts each value where the maximum was; the rest is 0, and values that meet at one pixel are added up.

    A pixel y is tap o of the window at i where y + before = i·S + o. With o = a·S + φ it is place φ of a block of S,
    and the block takes its values from the window a steps back: for each a one comparison with the numbers of the taps
    a·S … a·S + S − 1. Where windows lie side by side, a = 0 says it all. Everything fuses into one loop.
    """
    if x.ndim == 3:
        flat = Taps(
            (taps.map[0], 1, taps.map[1]),
            (*taps.window, 1),
            (*taps.stride, 1),
            (*taps.before, 0),
            (*taps.dilation, 1),
        )
        return max_unpool(x[:, :, None], numbers[:, :, None], flat)[:, :, 0]
    batch, down, across, channels = x.shape
    # For each axis and each a: the tap that each place of a block is, or −1.
    tables = []
    for size, step, spread in zip(taps.window, taps.stride, taps.dilation, strict=True):
        table = np.full(((size - 1) * spread // step + 1, step), -1)
        for tap in range(size):
            table[divmod(tap * spread, step)] = tap
        tables.append(table)
    rows, columns = tables
    back = (len(rows) - 1, len(columns) - 1)
    sides = [(0, 0, 0), *((reach, reach, 0) for reach in back), (0, 0, 0)]
    values = lax.pad(x, jnp.zeros((), x.dtype), sides)
    chosen = lax.pad(numbers, jnp.zeros((), numbers.dtype), sides)
    total = None
    for a, b in np.ndindex(len(rows), len(columns)):
        window = np.s_[:, back[0] - a : 2 * back[0] - a + down, back[1] - b : 2 * back[1] - b + across]
        row, column = rows[a][:, None], columns[b][None]
        kinds = np.where((row < 0) | (column < 0), -1, row * taps.window[1] + column)
        # Unsigned bytes cannot be −1; where no place needs it they are compared as they are, which is faster.
        kind = np.int32 if (kinds < 0).any() else numbers.dtype
        here = chosen[window][:, :, None, :, None, :].astype(kind) == kinds.astype(kind)[:, None, :, None]
        term = jnp.where(here, values[window][:, :, None, :, None, :], 0)
        total = term if total is None else total + term
    assert total is not None
    heights = [(down + back[0]) * taps.stride[0], (across + back[1]) * taps.stride[1]]
    placed = total.reshape(batch, *heights, channels)
    margins = [
        (-before, size - have + before, 0) for before, size, have in zip(taps.before, taps.map, heights, strict=False)
    ]
    return lax.pad(placed, jnp.zeros((), x.dtype), [(0, 0, 0), *margins, (0, 0, 0)])


def summed(x: jax.Array, *, window: Pair, stride: Pair, padding: Sides) -> jax.Array:
    """The sum of each window; on CPUs over one axis after the other where windows overlap (3×3 stride 1 over
    (8, 28, 28, 192): 0.8 in place of 3.0 ms, and the gradient as well).
    """
    overlap = any(step < taps for step, taps in zip(stride, window, strict=True))
    return (_axis_by_axis if _on_cpu() and overlap else _reduced)(x, 0.0, lax.add, window, stride, padding)


def avg_pool(
    x: jax.Array,
    *,
    window: Pair,
    stride: Pair,
    padding: Sides,
    divisors: tuple[tuple[int, ...], ...],
) -> jax.Array:
    """The sum of each window over the number of rows times columns, or of positions, that count in it."""
    total = summed(x, window=window, stride=stride, padding=padding)
    if all(len(set(counts)) == 1 for counts in divisors):
        return total / prod(counts[0] for counts in divisors)
    table = np.ones(())
    for counts in divisors:
        table = np.multiply.outer(table, counts)
    return total / table.astype(np.float32)[..., None].astype(x.dtype)


def bin_matrix(size: int, bins: int) -> np.ndarray:
    """Row i has the weights of bin i: the mean over floor(i·size/bins) … ceil((i+1)·size/bins)."""
    matrix = np.zeros((bins, size), np.float32)
    for index in range(bins):
        start, stop = index * size // bins, -((index + 1) * size // -bins)
        matrix[index, start:stop] = 1 / (stop - start)
    return matrix


def adaptive_avg_pool(x: jax.Array, *, size: Pair) -> jax.Array:
    """The mean of each of size[0]×size[1] bins that cover the map, or of size[0] bins of a signal."""
    if x.ndim == 3:
        bins = bin_matrix(x.shape[1], size[0]).astype(x.dtype)
        return jnp.einsum("il,blc->bic", bins, x, precision=lax.Precision.HIGHEST)
    rows, columns = (bin_matrix(x.shape[axis + 1], size[axis]).astype(x.dtype) for axis in (0, 1))
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=lax.Precision.HIGHEST)


def _first_maximum(x: jax.Array, axis: int) -> jax.Array:
    """The maximum along an axis. Of equal ones the first has the gradient, for which its place alone is kept."""
    places = jnp.expand_dims(jnp.argmax(lax.stop_gradient(x), axis), axis)
    return jnp.take_along_axis(x, places, axis).squeeze(axis)


def global_max_pool(x: jax.Array, *, keep_dims: bool) -> jax.Array:
    """The maximum of each channel."""
    y = _first_maximum(x.reshape(x.shape[0], -1, x.shape[-1]), 1)
    return y.reshape(x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1]) if keep_dims else y


def adaptive_max_pool(x: jax.Array, *, size: Pair) -> jax.Array:
    """The maximum of each bin; rows last, so that of equal ones it is the first row by row."""
    for axis in reversed(range(1, x.ndim - 1)):
        length, bins = x.shape[axis], size[axis - 1]
        starts = np.arange(bins) * length // bins
        stops = -((np.arange(bins) + 1) * length // -bins)
        # Each bin is as wide as the widest; what is beyond its end is its last place again.
        places = np.minimum(starts[:, None] + np.arange((stops - starts).max()), stops[:, None] - 1)
        gathered = jnp.take(x, places.reshape(-1), axis=axis)
        x = _first_maximum(gathered.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]), axis + 1)
    return x
