"""Blocks of pixels to channels and back, for (batch, height, width, channels) and (batch, length, channels)."""

from __future__ import annotations

import jax


def space_to_depth(x: jax.Array, *, block: int, channels_slowest: bool) -> jax.Array:
    """Each block of pixels becomes one pixel; its numbers lie by channel first, or by place within the block first."""
    batch, *sizes, channels = x.shape
    parts = x.reshape(batch, *(part for size in sizes for part in (size // block, block)), channels)
    axes = range(1, len(sizes) + 1)
    within = [2 * axis for axis in axes]
    last = parts.ndim - 1
    order = [0, *(2 * axis - 1 for axis in axes), *([last, *within] if channels_slowest else [*within, last])]
    return parts.transpose(order).reshape(batch, *(size // block for size in sizes), -1)


def depth_to_space(x: jax.Array, *, block: int, channels_slowest: bool) -> jax.Array:
    """The inverse of `space_to_depth`."""
    batch, *sizes, channels = x.shape
    rank = len(sizes)
    inner = [block] * rank
    own = channels // block**rank
    parts = x.reshape(batch, *sizes, *([own, *inner] if channels_slowest else [*inner, own]))
    first = 1 + rank + (1 if channels_slowest else 0)
    order = [0, *(place for axis in range(rank) for place in (1 + axis, first + axis))]
    order.append(1 + rank if channels_slowest else 1 + 2 * rank)
    return parts.transpose(order).reshape(batch, *(size * block for size in sizes), own)
