"""A convolution of each channel by itself as products of shifted maps with one tap's weights, added up.

y[i] = Σ over taps t of x[i·S + d·t − P]·K[t]: a sum that XLA makes one loop of, with channels innermost, so that all is
read as it lies. What is padded is written out before (a barrier): read through the padding, every term would ask
whether it is within the map. XLA's own convolution takes a channel for a map of one channel.
"""

from __future__ import annotations

from itertools import product
from math import prod

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import cut, made_once, padded, under


def fits(case: Case, direction: Direction) -> bool:
    """Where each channel is convolved by itself, with one filter or more."""
    return case.is_depthwise


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y[i] = Σ x[i·S + d·t − P]·K[t]; of several filters for a channel each sees a copy of it."""
    x = jnp.repeat(x, case.filters // case.channels, axis=-1)
    x = made_once(padded(x, case.padding))
    terms = [_wide(under(x, tap, case)) * kernel[tap][0] for tap in product(*map(range, case.kernel))]
    return _added(terms).astype(x.dtype)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[(j + P − d·t)/S]·K[t] over the taps for which S divides.

    These taps are the same for all j that leave the same rest by S, so the map is made of S·S parts, each a sum of
    shifts as the forward direction is, which are then put in turn.
    """
    reach = [
        _reach(*sizes)
        for sizes in zip(
            case.size, case.output, case.kernel, case.stride, case.dilation, [a for a, _ in case.padding], strict=True
        )
    ]
    gradient = made_once(padded(gradient, tuple((before, after) for before, after, _ in reach)))
    counts = tuple(-(-size // step) for size, step in zip(case.size, case.stride, strict=True))
    parts = []
    for rests in product(*map(range, case.stride)):
        terms = []
        for places in product(*(axis[2][rest] for axis, rest in zip(reach, rests, strict=True))):
            tap, first = tuple(tap for tap, _ in places), [offset for _, offset in places]
            terms.append(_wide(cut(gradient, first, counts, (1,) * len(counts))) * kernel[tap][0])
        shape = (case.batch, *counts, case.filters)
        parts.append(_added(terms).astype(gradient.dtype) if terms else jnp.zeros(shape, gradient.dtype))
    found = _in_turn(parts, case.stride)
    found = found[(slice(None), *(slice(size) for size in case.size))]
    if case.filters == case.channels:
        return found
    several = found.reshape(*found.shape[:-1], case.channels, case.filters // case.channels)
    return several.sum(-1, dtype=jnp.float32).astype(found.dtype)


def _wide(x: jax.Array) -> jax.Array:
    """In float32 at least."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _added(terms: list[jax.Array]) -> jax.Array:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _reach(
    size: int, output: int, taps: int, step: int, spread: int, before: int
) -> tuple[int, int, list[list[tuple[int, int]]]]:
    """Of an axis: how the gradient is padded, and for each rest its taps, with where each begins in what is padded."""
    count = -(-size // step)
    offsets = [
        [
            (tap, (rest + before - spread * tap) // step)
            for tap in range(taps)
            if not (rest + before - spread * tap) % step
        ]
        for rest in range(step)
    ]
    all_offsets = [offset for own in offsets for _, offset in own]
    least, most = min(all_offsets), max(all_offsets) + count
    return -least, most - output, [[(tap, offset - least) for tap, offset in own] for own in offsets]


def _in_turn(parts: list[jax.Array], steps: tuple[int, ...]) -> jax.Array:
    """The map whose pixels are those of the parts in turn, along each axis; parts come with the last axis fastest."""
    for axis in range(len(steps), 0, -1):
        step = steps[axis - 1]
        if step > 1:
            parts = [_interleaved(parts[at : at + step], axis) for at in range(0, len(parts), step)]
    assert len(parts) == 1
    return parts[0]


def _interleaved(parts: list[jax.Array], axis: int) -> jax.Array:
    shape = parts[0].shape
    return jnp.stack(parts, axis + 1).reshape(
        *shape[:axis], prod(shape[axis : axis + 1]) * len(parts), *shape[axis + 1 :]
    )
