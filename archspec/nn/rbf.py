"""Euclidean radial basis functions with fixed centres."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from archspec.nn.frozen import Frozen

_DIGITS = """
..###..    ...#...    .#####.    .#####.    ....##.
.#...#.    ..##...    #.....#    #.....#    ...#.#.
.#...#.    .#.#...    ......#    ......#    ...#.#.
#.....#    ...#...    ......#    ......#    ..#..#.
#.....#    ...#...    .....#.    .....#.    ..#..#.
#.....#    ...#...    ....#..    ..###..    .#...#.
#.....#    ...#...    ...#...    .....#.    .#...#.
#.....#    ...#...    ..#....    ......#    #....#.
#.....#    ...#...    .#.....    ......#    #######
.#...#.    ...#...    #......    ......#    .....#.
.#...#.    ...#...    #......    #.....#    .....#.
..###..    .#####.    #######    .#####.    .....#.

#######    ..####.    #######    ..###..    ..###..
#......    .#....#    ......#    .#...#.    .#...#.
#......    .#.....    ......#    #.....#    #.....#
#......    #......    .....#.    #.....#    #.....#
#.###..    #......    .....#.    .#...#.    #.....#
##...#.    #.###..    ....#..    ..###..    .#...##
......#    ##...#.    ....#..    .#...#.    ..###.#
......#    #.....#    ...#...    #.....#    ......#
......#    #.....#    ...#...    #.....#    ......#
......#    #.....#    ..#....    #.....#    .....#.
#....#.    .#...#.    ..#....    .#...#.    #....#.
.####..    ..###..    ..#....    ..###..    .####..
"""
"""The digits 0 to 9, seven columns by twelve rows each, drawn in the manner of LeCun et al. 1998, Fig. 3."""


class Rbf(nnx.Module):
    """−Σ_j (x_j − w_ij)² for centres w of shape (units, features), which training leaves as they are."""

    def __init__(self, centres: jax.Array) -> None:
        self.centres = Frozen(centres)

    def __call__(self, x: jax.Array) -> jax.Array:
        centres = jax.lax.stop_gradient(self.centres[...])
        return -jnp.sum(jnp.square(x[:, None, :] - centres), axis=-1)


def digit_centres() -> jax.Array:
    """The ten bitmaps as ±1, shape (10, 84), row by row."""
    centres = []
    for block in _DIGITS.strip("\n").split("\n\n"):
        rows = [line.split() for line in block.splitlines()]
        centres += ["".join(row[digit] for row in rows) for digit in range(5)]
    return jnp.asarray(np.array([[1.0 if mark == "#" else -1.0 for mark in text] for text in centres], np.float32))


def random_centres(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Centres of ±1 at random."""
    return jax.random.rademacher(key, shape, jnp.float32)
