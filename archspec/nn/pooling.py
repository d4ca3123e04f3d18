"""Pooling over height and width of (batch, height, width, channels), or length of (batch, length, channels)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from archspec.lowerings.choosing import Lowerings, default
from archspec.lowerings.pooling import maxima, maxima_with_places, pooling, sums
from archspec.nn.rows import gathered, mean_of_parts
from archspec.nn.shards import Shards
from archspec.types import Taps

Pair = tuple[int, ...]
"""A number for each axis of a map, or for the one of a signal."""
Sides = tuple[tuple[int, int], ...]


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
        self, x: jax.Array, *, indices: bool = False, train: bool = False, lowerings: Lowerings | None = None
    ) -> jax.Array | tuple[jax.Array, jax.Array]:
        taps = self.taps
        case = pooling("max_pool", x, taps.window, taps.stride, self.padding, taps.dilation)
        choice = (lowerings or default()).of(case)
        if indices or (train and taps.few):
            pooled = maxima_with_places(x, case, choice)
            return pooled if indices else pooled[0]
        return maxima(x, case, choice)


def summed(x: jax.Array, *, window: Pair, stride: Pair, padding: Sides, lowerings: Lowerings | None) -> jax.Array:
    """The sum of each window; padding counts as 0."""
    case = pooling("sum_pool", x, window, stride, padding, (1,) * len(window))
    return sums(x, case, (lowerings or default()).of(case))


def avg_pool(
    x: jax.Array,
    *,
    window: Pair,
    stride: Pair,
    padding: Sides,
    divisors: tuple[tuple[int, ...], ...],
    lowerings: Lowerings | None = None,
) -> jax.Array:
    """The sum of each window over the number of rows times columns, or of positions, that count in it."""
    total = summed(x, window=window, stride=stride, padding=padding, lowerings=lowerings)
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
    if x.shape[1:-1] == size:
        return x
    if x.ndim == 3:
        bins = bin_matrix(x.shape[1], size[0]).astype(x.dtype)
        return jnp.einsum("il,blc->bic", bins, x, precision=lax.Precision.HIGHEST)
    rows, columns = (bin_matrix(x.shape[axis + 1], size[axis]).astype(x.dtype) for axis in (0, 1))
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=lax.Precision.HIGHEST)


def _first_maximum(x: jax.Array, axis: int) -> jax.Array:
    """The maximum along an axis. Of equal ones the first has the gradient, for which its place alone is kept."""
    return _largest(x, axis, x.shape[axis])


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _largest(x: jax.Array, axis: int, length: int) -> jax.Array:
    return x.max(axis)


def _largest_forward(x: jax.Array, axis: int, length: int) -> tuple[jax.Array, jax.Array]:
    # The least of the places where it is: `argmax` goes number by number on CPUs (7², 2048 ×8: 2.2 in place of 0.1 ms).
    largest = x.max(axis)
    here = (x == jnp.expand_dims(largest, axis)) | jnp.isnan(x)
    places = jnp.where(here, lax.broadcasted_iota(jnp.int32, x.shape, axis), length).min(axis)
    return largest, places


def _largest_backward(axis: int, length: int, places: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    shape = (*gradient.shape[:axis], length, *gradient.shape[axis:])
    here = lax.broadcasted_iota(jnp.int32, shape, axis) == jnp.expand_dims(places, axis)
    return (jnp.where(here, jnp.expand_dims(gradient, axis), jnp.zeros((), gradient.dtype)),)


_largest.defvjp(_largest_forward, _largest_backward)


def global_avg_pool(x: jax.Array, *, keep_dims: bool, shards: Shards | None = None) -> jax.Array:
    """The mean of each channel."""
    return mean_of_parts(x.mean(tuple(range(1, x.ndim - 1)), keepdims=keep_dims), shards)


def global_max_pool(x: jax.Array, *, keep_dims: bool, shards: Shards | None = None) -> jax.Array:
    """The maximum of each channel."""
    y = _first_maximum(x.reshape(x.shape[0], -1, x.shape[-1]), 1)
    if shards is not None and shards.rows:
        # Of equal ones of several parts the first part's is the first.
        y = _first_maximum(gathered(y[:, None]), 1)
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
