"""An image moved, turned and scaled, about its middle."""

from __future__ import annotations

from math import radians

import jax
import jax.numpy as jnp
import numpy as np

from archspec.nn.warping import inverse_affine, warped
from archspec.walking.ranges import Direction, Kind


def matrix_of(kind: Kind, direction: Direction, value: float) -> np.ndarray:
    """The matrix (2, 3) of `inverse_affine` by which an image is moved to the right and down, turned counterclockwise,
    or enlarged, about its middle."""
    x = value if kind == "shift" and direction != "vertical" else 0.0
    y = value if kind == "shift" and direction != "horizontal" else 0.0
    angle = -radians(value) if kind == "rotate" else 0.0
    factor = value if kind == "scale" else 1.0
    given = [jnp.asarray(own, jnp.float32) for own in (angle, [x, y], factor, [0.0, 0.0])]
    return np.asarray(inverse_affine(given[0], given[1], given[2], given[3]))


def moved(image: np.ndarray, matrices: np.ndarray, fill: np.ndarray, over: int = 1) -> np.ndarray:
    """The image (H, W, C) moved by each matrix, (S, H, W, C): linearly between pixels, `fill` (C,) outside of it.

    With `over` each pixel is the mean of over × over places within it, so that a small image has all of the large one.
    """
    places = (np.arange(over) + 0.5) / over - 0.5
    made = np.zeros((len(matrices), *image.shape), np.float32)
    for down in places:
        for right in places:
            own = matrices.copy()
            own[:, :, 2] += matrices[:, :, 0] * right + matrices[:, :, 1] * down
            made += np.asarray(_all_moved(jnp.asarray(image), jnp.asarray(own, jnp.float32), jnp.asarray(fill)))
    return made / np.float32(over**2)


@jax.jit
def _all_moved(image: jax.Array, matrices: jax.Array, fill: jax.Array) -> jax.Array:
    every: jax.Array = jax.lax.map(lambda matrix: warped(image, matrix, "bilinear", fill), matrices)
    return every


@jax.jit
def placed_back(labels: jax.Array, matrix: jax.Array) -> jax.Array:
    """Classes of pixels (H, W, 1) moved by a matrix, to the nearest pixel; −1 where none is."""
    back: jax.Array = warped(labels, matrix, "nearest", -1.0)
    return back
