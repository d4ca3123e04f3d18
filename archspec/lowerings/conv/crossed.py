"""A convolution in groups by products in which the kernel's rows are crossed with its columns.

K̄[r, s] = Σ x[i·S + (r, s)·d − P]ᵀ·ȳ[i] asks for one pair of maps for each tap. Of maps with whole rows that lie one
after the other, it is enough to move the input by rows and the gradient by columns: with X[r] the input r rows on, and
Y[s] the gradient s columns on and zeros in their place, X[r]ᵀ·Y[s] has tap (r, s). One product of
(rows·channels, pixels) by (pixels, columns·filters) has all taps of a group and nothing besides, from 3 + 3 copies of
3×3 taps in place of 9 + 1. Groups come before pixels, so that each product's factors lie together; a few
groups at a time are made in a `lax.scan`, as many as a core's cache holds.
"""

from __future__ import annotations

from itertools import product
from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import made_once

CACHED = 1 << 20
"""Bytes of factors that are made at a time: half of a core's second cache."""

TERMS = 400
"""Numbers that are summed up in a product at least: images are put together until they have so many pixels."""


def fits(case: Case, direction: Direction) -> bool:
    """Of maps in groups of several channels, where kernels have several taps."""
    return case.groups > 1 and not case.is_depthwise and len(case.size) == 2 and prod(case.kernel) > 1


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[r, s] of each group = Σ X[r]ᵀ·Y[s], summed in float32."""
    inner, outer = case.channels // case.groups, case.filters // case.groups
    (high, wide), (down, across) = case.output, case.kernel
    # With strides the columns under different taps are not each other's neighbours: all taps are the input's.
    moved = case.stride[1] == 1
    reach = case.dilation[1] * (across - 1) if moved else 0
    left = [(row, 0 if moved else column) for row, column in product(range(down), range(1 if moved else across))]
    right = range(across if moved else 1)
    many = len(left) * inner, len(right) * outer
    pixels = high * (wide + reach)
    least = max(TERMS, 4 * prod(many) // sum(many))
    images = next(
        n for n in range(1, case.batch + 1) if case.batch % n == 0 and (n * pixels >= least or n == case.batch)
    )
    seen, back = _grouped(x, case.groups, images), _grouped(gradient, case.groups, images)

    def crossed(seen: jax.Array, back: jax.Array) -> jax.Array:
        under = [_under(seen, tap, reach, case) for tap in left]
        over = [
            jnp.pad(back, ((0, 0),) * 4 + ((column * case.dilation[1], reach - column * case.dilation[1]),))
            for column in right
        ]
        first = jnp.stack(under, 1).reshape(len(seen), many[0], -1)
        second = jnp.stack(over, 1).reshape(len(seen), many[1], -1)
        return jnp.einsum("gmk,gnk->gmn", first, second, preferred_element_type=jnp.float32)

    blocks = len(seen)
    most = max(1, CACHED // (4 * images * pixels * sum(many)))
    at_once = next(n for n in range(min(most, blocks), 0, -1) if blocks % n == 0)
    if blocks == at_once:
        sums = crossed(seen, back)
    else:
        parts = [array.reshape(-1, at_once, *array.shape[1:]) for array in (seen, back)]
        sums = lax.map(lambda pair: crossed(*pair), tuple(parts))
    sums = sums.reshape(-1, case.groups, *many).sum(0).reshape(case.groups, len(left), inner, len(right), outer)
    found = sums.transpose(1, 3, 2, 0, 4).reshape(*case.kernel, inner, case.filters)
    return found.astype(gradient.dtype)


def _grouped(x: jax.Array, groups: int, images: int) -> jax.Array:
    """Maps as (B/images·groups, C/groups, images, H, W)."""
    batch, *size, channels = x.shape
    x = x.reshape(batch // images, images, prod(size), groups, channels // groups)
    return made_once(x.transpose(0, 3, 4, 1, 2)).reshape(-1, channels // groups, images, *size)


def _under(x: jax.Array, tap: tuple[int, int], beyond: int, case: Case) -> jax.Array:
    """What lies under a tap, (…, H2, W2 + beyond), zeros in the border."""
    slices, sides = [], []
    for place, size, output, step, spread, (before, _), more in zip(
        tap, case.size, case.output, case.stride, case.dilation, case.padding, (0, beyond), strict=True
    ):
        first, count = spread * place - before, output + more
        lost = min(count, max(0, -(first // step)))  # in the border before
        start = first + lost * step
        inside = max(0, min(count - lost, -(-(size - start) // step)))
        slices.append((start if inside else 0, start + (inside - 1) * step + 1 if inside else 0, step))
        sides.append((lost, count - lost - inside, 0))
    kept = lax.slice(
        x,
        (0, 0, 0, *(first for first, _, _ in slices)),
        (*x.shape[:3], *(last for _, last, _ in slices)),
        (1, 1, 1, *(step for _, _, step in slices)),
    )
    return lax.pad(kept, jnp.zeros((), x.dtype), [(0, 0, 0)] * 3 + sides)
