"""Random changes of training images, inside the compiled step; a map of targets changes with its image."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import jax
import jax.numpy as jnp

from archspec.spec.train import Augment
from archspec.training.feeding import uncounted

Named = dict[str, jax.Array]


def augmented(
    inputs: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    maps: Collection[str],
    augment: Augment,
    key: jax.Array,
) -> tuple[Named, Named]:
    """Images (N, H, W, C) after normalisation, so that a border of zeros is of the mean colour, and targets.

    All images of a sample move by as many pixels and are mirrored together, since they may show one thing, and with
    them the targets named in `maps`, (N, H, W) or (N, H, W, C). Signals, vectors and all other targets stay as they
    are, and so does everything where there is no image.
    """
    crop_key, flip_key = jax.random.split(key)
    inputs, targets = dict(inputs), dict(targets)
    images = [name for name, array in inputs.items() if array.ndim == 4]
    maps = [name for name in targets if name in maps and images]
    count = len(next(iter(inputs.values())))
    if augment.random_crop:
        border = augment.random_crop
        corners = jax.random.randint(crop_key, (count, 2), 0, 2 * border + 1)
        for name in images:
            inputs[name] = _cropped(inputs[name], corners, border, 0.0)
        for name in maps:
            own = targets[name]
            wide = own if own.ndim == 4 else own[..., None]
            targets[name] = _cropped(wide, corners, border, uncounted(own.dtype)).reshape(own.shape)
    if augment.random_flip:
        mirrored = jax.random.bernoulli(flip_key, shape=(count,))
        for part, names in ((inputs, images), (targets, maps)):
            for name in names:
                array = part[name]
                which = jnp.expand_dims(mirrored, range(1, array.ndim))
                part[name] = jnp.where(which, array[:, :, ::-1], array)
    return inputs, targets


def _cropped(images: jax.Array, corners: jax.Array, border: int, fill: float) -> jax.Array:
    """Each image at its own corner of a bordered one."""
    padded = jnp.pad(images, ((0, 0), (border, border), (border, border), (0, 0)), constant_values=fill)
    size = images.shape[1:]

    def one(image: jax.Array, corner: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), size)

    return jax.vmap(one)(padded, corners)
