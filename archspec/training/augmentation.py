"""Random changes of training images, inside the compiled step; a label map changes with its image."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from archspec.spec.train import Augment


def augmented(x: jax.Array, labels: jax.Array, augment: Augment, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Images (N, H, W, C) after normalisation, so that a border of zeros is of the mean colour, and their labels."""
    crop_key, flip_key = jax.random.split(key)
    is_map = labels.ndim > 1
    if augment.random_crop:
        border = augment.random_crop
        corners = jax.random.randint(crop_key, (len(x), 2), 0, 2 * border + 1)
        x = _cropped(x, corners, border, 0.0)
        labels = _cropped(labels[..., None], corners, border, -1)[..., 0] if is_map else labels
    if augment.random_flip:
        mirrored = jax.random.bernoulli(flip_key, shape=(len(x),))
        x = jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)
        labels = jnp.where(mirrored[:, None, None], labels[:, :, ::-1], labels) if is_map else labels
    return x, labels


def _cropped(images: jax.Array, corners: jax.Array, border: int, fill: float) -> jax.Array:
    """Each image at its own corner of a bordered one."""
    padded = jnp.pad(images, ((0, 0), (border, border), (border, border), (0, 0)), constant_values=fill)
    size = images.shape[1:]

    def one(image: jax.Array, corner: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), size)

    return jax.vmap(one)(padded, corners)
