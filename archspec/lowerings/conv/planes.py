"""The kernel's gradient of a convolution of few channels as one product for each block of rows or images.

The pixels under the taps are laid out as planes, (taps·C, pixels), not as patches (pixels, taps·C): along a row of the
map they lie as the map's own row does, and are copied whole, where a patch of three channels is gathered number by
number. K̄ = planes·ȳ, a product of plain shapes, block by block in a `lax.scan`: a block's planes stay in the cache.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import made_once, padded

CACHED = 1 << 20
"""Bytes of planes in a block: about half of what a core's second cache holds."""

MOST = 64
"""Channels: of more, other candidates' products are large enough."""


def fits(case: Case, direction: Direction) -> bool:
    """Of maps, where there are few channels, several taps, and no groups."""
    return len(case.kernel) == 2 and prod(case.kernel) > 1 and case.groups == 1 and case.channels <= MOST


class _Blocks(NamedTuple):
    """So many `images`, or so many output rows (`high`) of one image; an image has `bands` of these."""

    images: int
    high: int
    bands: int


def _blocks(case: Case) -> _Blocks:
    height, width = case.output
    row = prod(case.kernel) * case.channels * width * 4
    rows = max(1, CACHED // row)
    if rows < height:
        high = -(-height // -(-height // rows))
        return _Blocks(1, high, -(-height // high))
    most = max(1, rows // height)
    return _Blocks(max(n for n in range(1, min(case.batch, most) + 1) if case.batch % n == 0), height, 1)


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[t] = Σ x[i·S + d·t − P]ᵀ·ȳ[i], summed in float32 at least."""
    images, high, bands = blocks = _blocks(case)
    width, filters = case.output[1], case.filters
    kind = jnp.promote_types(gradient.dtype, jnp.float32)
    # Rows of zeros make up the last band; rows and columns that no window sees fall away.
    sides = tuple(
        (before, (count - 1) * step + spread * (taps - 1) + 1 - size - before)
        for count, step, spread, taps, size, (before, _) in zip(
            (bands * high, width), case.stride, case.dilation, case.kernel, case.size, case.padding, strict=True
        )
    )
    maps = made_once(jnp.moveaxis(padded(x, sides), -1, 0))
    gradient = padded(gradient, ((0, bands * high - case.output[0]), (0, 0)))

    def part(index: jax.Array) -> jax.Array:
        image, row = index // bands * images, index % bands * high
        back = lax.dynamic_slice(gradient, (image, row, 0, 0), (images, high, width, filters))
        planes = _planes(maps, image, row, blocks, case)
        return jnp.matmul(planes, back.reshape(-1, filters), preferred_element_type=kind)

    def add(sums: jax.Array, index: jax.Array) -> tuple[jax.Array, None]:
        return sums + part(index), None

    zeros = jnp.zeros((prod(case.kernel) * case.channels, filters), kind)
    sums, _ = lax.scan(add, zeros, jnp.arange(case.batch // images * bands))
    return sums.reshape(*case.kernel, case.channels, filters).astype(gradient.dtype)


def _planes(maps: jax.Array, image: jax.Array, row: jax.Array, blocks: _Blocks, case: Case) -> jax.Array:
    """Of padded maps (C, B, H, W) what is under each tap for a block's outputs, (taps·C, pixels)."""
    (tall, wide), (down, along), (apart, beside), width = case.kernel, case.stride, case.dilation, case.output[1]
    channels, _, _, length = maps.shape
    reach = (blocks.high - 1) * down + apart * (tall - 1) + 1
    seen = lax.dynamic_slice(maps, (0, image, row * down, 0), (channels, blocks.images, reach, length))
    columns = [
        lax.slice_in_dim(seen, tap * beside, tap * beside + (width - 1) * along + 1, along, 3) for tap in range(wide)
    ]
    seen = made_once(jnp.stack(columns))
    rows = [
        lax.slice_in_dim(seen, tap * apart, tap * apart + (blocks.high - 1) * down + 1, down, 3) for tap in range(tall)
    ]
    return made_once(jnp.stack(rows).reshape(tall * wide * channels, -1))
