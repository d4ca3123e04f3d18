"""Where the maxima of windows came from, as the numbers of their taps, and the way back by these numbers."""

from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from archspec.lowerings.case import Case
from archspec.lowerings.conv._windows import made_once, padded, under
from archspec.types import Taps


def taps_of(case: Case) -> Taps:
    """How the windows lie."""
    before = tuple(before for before, _ in case.padding)
    return Taps((*case.size, case.channels), case.kernel, case.stride, before, case.dilation)


def taps(x: jax.Array, case: Case, *, written: bool = True) -> list[jax.Array]:
    """What each window has at its first place, at its second, … row by row; `written` is whether the border is."""
    if any(map(any, case.padding)):
        x = padded(x, case.padding, -jnp.inf)
        x = made_once(x) if written else x
    return [under(x, tap, case) for tap in product(*map(range, case.kernel))]


def places(x: jax.Array, largest: jax.Array, case: Case, *, written: bool = True) -> jax.Array:
    """The number of the tap that each maximum came from, row by row; of equals the first.

    Unless they are `written`, XLA finds them again in the backward pass, for each pixel, in one loop with what uses
    them.
    """
    numbers = jnp.zeros(largest.shape, taps_of(case).dtype)
    for number, tap in reversed(list(enumerate(taps(x, case, written=written)))):
        here = (tap == largest) | (jnp.isnan(tap) & jnp.isnan(largest))
        numbers = jnp.where(here, numbers.dtype.type(number), numbers)
    if not written:
        return numbers
    # Of the barriers XLA drops some, but it leaves conditions be. No number is above infinity.
    never = largest.reshape(-1)[0] > jnp.inf
    kept: jax.Array = lax.cond(never, jnp.zeros_like, lambda numbers: numbers, numbers)
    return kept


def placed(x: jax.Array, numbers: jax.Array, taps: Taps) -> jax.Array:
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
        return placed(x[:, :, None], numbers[:, :, None], flat)[:, :, 0]
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
    pixels = total.reshape(batch, *heights, channels)
    margins = [
        (-before, size - have + before, 0) for before, size, have in zip(taps.before, taps.map, heights, strict=False)
    ]
    return lax.pad(pixels, jnp.zeros((), x.dtype), [(0, 0, 0), *margins, (0, 0, 0)])
