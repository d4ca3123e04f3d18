"""Boxes of a drawn area and shape within an image."""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jax
    import numpy as np

    from archspec.augmentations._base import Size

TRIES = 10
"""So many boxes are drawn, and the first that fits is taken."""

Pair = tuple[float, float]


def drawn_box(key: jax.Array, size: Size, area: Pair, ratio: Pair) -> tuple[jax.Array, jax.Array]:
    """A box, (top, left, height, width) in whole pixels, and whether one of ten fits.

    Its share of the image is uniform in `area`, the logarithm of its width over its height in that of `ratio`, and its
    place uniform among those within the image.
    """
    import jax
    import jax.numpy as jnp

    areas, shapes, places = jax.random.split(key, 3)
    shares = jax.random.uniform(areas, (TRIES,), minval=area[0], maxval=area[1]) * (size[0] * size[1])
    ratios = jnp.exp(jax.random.uniform(shapes, (TRIES,), minval=log(ratio[0]), maxval=log(ratio[1])))
    heights, widths = jnp.round(jnp.sqrt(shares / ratios)), jnp.round(jnp.sqrt(shares * ratios))
    fits = (heights > 0) & (heights <= size[0]) & (widths > 0) & (widths <= size[1])
    first = fits.argmax()
    sides = jnp.stack([heights[first], widths[first]])
    corner = jnp.floor(jax.random.uniform(places, (2,)) * (jnp.asarray(size) - sides + 1))
    return jnp.concatenate([corner, sides]), fits.any()


def chosen_box(generator: np.random.Generator, size: Size, area: Pair, ratio: Pair) -> tuple[int, int, int, int]:
    """The same on the host, for an image of whatever size as it lies in its file; the middle where none of ten fits."""
    import numpy as np

    shares = generator.uniform(*area, TRIES) * (size[0] * size[1])
    ratios = np.exp(generator.uniform(log(ratio[0]), log(ratio[1]), TRIES))
    places = generator.uniform(size=2)
    for share, shape in zip(shares, ratios, strict=True):
        height, width = round(sqrt(share / shape)), round(sqrt(share * shape))
        if 0 < height <= size[0] and 0 < width <= size[1]:
            return int(places[0] * (size[0] - height + 1)), int(places[1] * (size[1] - width + 1)), height, width
    return middle(size, ratio)


def middle(size: Size, ratio: Pair) -> tuple[int, int, int, int]:
    """The largest box in the middle of an image whose width over height lies in `ratio`."""
    height, width = size
    if width / height < ratio[0]:
        height = max(1, round(width / ratio[0]))
    elif width / height > ratio[1]:
        width = max(1, round(height * ratio[1]))
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width
