"""Images sampled elsewhere: warped by an affine map, or a box of them resampled. Of one image (H, W, C) each."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

Interpolation = Literal["nearest", "bilinear"]
Beyond = Literal["edge", "reflect"]


def inverse_affine(angle: jax.Array, translate: jax.Array, scale: jax.Array, shear: jax.Array) -> jax.Array:
    """The matrix (2, 3) from places of the output to those of the input, (x, y) in pixels from the images' middles.

    The image is sheared by `shear`, scaled, turned by `angle` (clockwise where it is positive, in radians) and moved
    by `translate`, (x, y) in pixels: the inverse of T·R·S·SHy·SHx, as torchvision's `affine` has it.
    """
    sheared, cos = angle - shear[1], jnp.cos(shear[1])
    a, c = jnp.cos(sheared) / cos, jnp.sin(sheared) / cos
    b = -a * jnp.tan(shear[0]) - jnp.sin(angle)
    d = -c * jnp.tan(shear[0]) + jnp.cos(angle)
    turn = jnp.stack([jnp.stack([d, -b]), jnp.stack([-c, a])]) / scale
    return jnp.concatenate([turn, -(turn @ translate)[:, None]], 1)


def warped(
    image: jax.Array, matrix: jax.Array, interpolation: Interpolation, fill: jax.Array | Beyond | float
) -> jax.Array:
    """The image whose pixel at a place is the input's at `matrix` of it; beyond its border `fill`.

    A fill is a number, one for each channel (C,), the nearest pixel of the border (`edge`), or the image mirrored at
    its outermost pixels (`reflect`).
    """
    height, width = image.shape[:2]
    x = jnp.arange(width) - (width - 1) / 2
    y = jnp.arange(height)[:, None] - (height - 1) / 2
    columns = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] + (width - 1) / 2
    rows = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] + (height - 1) / 2
    if isinstance(fill, str):
        rows, columns = _inside(rows, height, fill), _inside(columns, width, fill)
    flat = image.reshape(-1, image.shape[-1])

    def at(row: jax.Array, column: jax.Array) -> jax.Array:
        own = jnp.clip(row, 0, height - 1).astype(jnp.int32) * width + jnp.clip(column, 0, width - 1).astype(jnp.int32)
        found = jnp.take(flat, own.reshape(-1), axis=0, mode="clip").reshape(*own.shape, -1)
        if isinstance(fill, str):
            return found
        there = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
        return jnp.where(there[..., None], found, jnp.asarray(fill, image.dtype))

    if interpolation == "nearest":
        return at(jnp.round(rows), jnp.round(columns))
    top, left = jnp.floor(rows), jnp.floor(columns)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    upper = at(top, left) * (1 - right) + at(top, left + 1) * right
    lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right
    return upper * (1 - down) + lower * down


def _inside(places: jax.Array, size: int, beyond: Beyond) -> jax.Array:
    """Places along an axis brought into the image."""
    if beyond == "edge" or size == 1:
        return jnp.clip(places, 0, size - 1)
    period = 2 * (size - 1)
    around = jnp.mod(places, period)
    return jnp.minimum(around, period - around)


def resampled(image: jax.Array, box: jax.Array) -> jax.Array:
    """A box of the image, (top, left, height, width) in pixels, at the image's own size.

    Bilinear, and where the box is larger than the result averaged with a triangle as wide as the scale, as Pillow and
    torchvision do (`antialias`). Nothing outside the box is looked at.
    """
    height, width = image.shape[:2]
    rows = _triangles(box[0], box[2], height).astype(image.dtype)
    columns = _triangles(box[1], box[3], width).astype(image.dtype)
    precise = jax.lax.Precision.HIGHEST
    return jnp.einsum("ph,qw,hwc->pqc", rows, columns, image, precision=precise)


def resampled_labels(labels: jax.Array, box: jax.Array) -> jax.Array:
    """The same of labels (H, W, C): each is that of the nearest pixel."""
    height, width = labels.shape[:2]
    rows = jnp.floor(box[0] + (jnp.arange(height) + 0.5) * (box[2] / height))
    columns = jnp.floor(box[1] + (jnp.arange(width) + 0.5) * (box[3] / width))
    rows = jnp.clip(rows, box[0], box[0] + box[2] - 1).astype(jnp.int32)
    columns = jnp.clip(columns, box[1], box[1] + box[3] - 1).astype(jnp.int32)
    return labels[rows][:, columns]


def _triangles(begin: jax.Array, length: jax.Array, size: int) -> jax.Array:
    """What each of `size` results takes of each of `size` pixels (results, pixels), along an axis."""
    scale = length / size
    centres = begin + (jnp.arange(size)[:, None] + 0.5) * scale
    pixels = jnp.arange(size)
    weights = jnp.maximum(0, 1 - jnp.abs(pixels + 0.5 - centres) / jnp.maximum(scale, 1))
    weights = jnp.where((pixels >= begin) & (pixels < begin + length), weights, 0)
    return weights / weights.sum(1, keepdims=True)


def shifted(
    image: jax.Array, corner: jax.Array, border: tuple[int, int], fill: jax.Array | Beyond | float
) -> jax.Array:
    """The image's size, cut at a corner (row, column) out of the image with a border of so many rows and columns."""
    if isinstance(fill, str):
        padded = jnp.pad(image, ((border[0],) * 2, (border[1],) * 2, (0, 0)), mode=fill)
    else:
        size = (image.shape[0] + 2 * border[0], image.shape[1] + 2 * border[1], image.shape[2])
        padded = jnp.broadcast_to(jnp.asarray(fill, image.dtype), size)
        padded = jax.lax.dynamic_update_slice(padded, image, (border[0], border[1], 0))
    return jax.lax.dynamic_slice(padded, (corner[0], corner[1], 0), image.shape)
