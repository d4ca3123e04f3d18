"""The maximum of each window as that of strided slices, one for each tap.

XLA makes one loop of them with channels innermost, where its own windows on CPUs go through them number by number. The
border is written out before: read through the padding, every slice would ask whether it is within the map.
"""

from __future__ import annotations

from functools import reduce

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.places import placed, places, taps, taps_of


def fits(case: Case, direction: Direction) -> bool:
    """Where windows have few taps: they are written one by one into the program."""
    return taps_of(case).few


def forward(x: jax.Array, case: Case) -> jax.Array:
    """y[i] = max over taps t of x[i·S + d·t − P]."""
    return reduce(jnp.maximum, taps(x, case))


def input_gradient(gradient: jax.Array, x: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[i] over the windows i whose first maximum is at j."""
    return placed(gradient, places(x, forward(x, case), case), taps_of(case))
