"""The kernel's gradient of a convolution of each channel by itself, from a few rows at a time.

K̄[t] = Σ over batch, rows i and columns j of x[i·S + d·t − P]·ȳ[i]. Products are added up over some rows, column by
column and channel by channel, for all taps before the next rows come: both factors stay in the processor's cache,
all is read as it lies, and what is summed up is as wide as the map. Columns are summed at the end.
"""

from __future__ import annotations

from itertools import product
from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import as_map

ROWS = 8
"""At most so many rows at a time."""

UNROLLED = 9
"""Up to so many taps are written out; more, a row of the kernel at a time, in a loop, which compiles far sooner."""


def fits(case: Case, direction: Direction) -> bool:
    """Where each channel of a map or a signal is convolved by itself, with one filter or more."""
    return case.is_depthwise and len(case.size) <= 2


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[t] = Σ x[i·S + d·t − P]·ȳ[i], summed in float32. A signal is a map with columns of one number."""
    if len(case.size) == 1:
        return kernel_gradient(x[:, :, None], gradient[:, :, None], as_map(case))[:, 0]
    (height, width), filters = case.output, case.filters
    times = -(-height // ROWS)
    rows = -(-height // times)
    high = case.kernel[0] if prod(case.kernel) <= UNROLLED else 1
    turns, taps = case.kernel[0] // high, list(product(range(high), range(case.kernel[1])))
    # Rows are made up to a whole number of times by zeros; rows and columns that no window sees fall away.
    needed = [
        (count - 1) * step + spread * (size - 1) + 1
        for count, step, spread, size in zip(
            (rows * times, width), case.stride, case.dilation, case.kernel, strict=True
        )
    ]
    x = jnp.repeat(x, filters // case.channels, axis=-1)
    sides = [
        (before, need - size - before, 0)
        for need, size, (before, _) in zip(needed, case.size, case.padding, strict=True)
    ]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *sides, (0, 0, 0)])
    gradient = jnp.pad(gradient, ((0, 0), (0, rows * times - height), (0, 0), (0, 0)))
    seen = (rows - 1) * case.stride[0] + case.dilation[0] * (case.kernel[0] - 1) + 1

    def added(at: jax.Array, sums: list[jax.Array]) -> list[jax.Array]:
        sample, first = at // times, at % times * rows
        place = (sample, first * case.stride[0], 0, 0)
        inputs = lax.dynamic_slice(x, place, (1, seen, *x.shape[2:]))[0]
        back = lax.dynamic_slice(gradient, (sample, first, 0, 0), (1, rows, width, filters))[0]

        def of_rows(turn: jax.Array, sums: list[jax.Array]) -> list[jax.Array]:
            size = ((rows - 1) * case.stride[0] + (high - 1) * case.dilation[0] + 1, *inputs.shape[1:])
            under = lax.dynamic_slice(inputs, (turn * high * case.dilation[0], 0, 0), size)
            made = []
            for total, (down, across) in zip(sums, taps, strict=True):
                down, across = down * case.dilation[0], across * case.dilation[1]
                columns = slice(across, across + (width - 1) * case.stride[1] + 1, case.stride[1])
                own = lax.dynamic_index_in_dim(total, turn, keepdims=False)
                for row in range(rows):
                    pixels = under[row * case.stride[0] + down, columns]
                    own = own + pixels.astype(jnp.float32) * back[row].astype(jnp.float32)
                made.append(lax.dynamic_update_index_in_dim(total, own, turn, 0))
            return made

        every: list[jax.Array] = lax.fori_loop(0, turns, of_rows, sums)
        return every

    zero = jnp.zeros((turns, width, filters), jnp.float32)
    sums = lax.fori_loop(0, case.batch * times, added, [zero] * len(taps))
    found = jnp.stack([total.sum(1) for total in sums], 1)  # (turns, taps of a turn, filters)
    return found.reshape(*case.kernel, 1, filters).astype(gradient.dtype)
