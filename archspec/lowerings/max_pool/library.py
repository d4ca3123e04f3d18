"""XLA's windows, and their gradient by the numbers of the taps that were largest, or XLA's where these are many.

Where windows are dilated, which the gradient of XLA's does not know, they are the largest of the taps.
"""

from __future__ import annotations

import jax
import numpy as np
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.max_pool import slices
from archspec.lowerings.places import placed, places, taps_of


def fits(case: Case, direction: Direction) -> bool:
    """Always."""
    return True


def forward(x: jax.Array, case: Case) -> jax.Array:
    """y[i] = max over taps t of x[i·S + d·t − P]."""
    if set(case.dilation) != {1}:
        return slices.forward(x, case)
    y: jax.Array = lax.reduce_window(
        x, -np.inf, lax.max, (1, *case.kernel, 1), (1, *case.stride, 1), ((0, 0), *case.padding, (0, 0))
    )
    return y


def input_gradient(gradient: jax.Array, x: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[i] over the windows i whose first maximum is at j."""
    if taps_of(case).few or set(case.dilation) != {1}:
        return placed(gradient, places(x, forward(x, case), case, written=False), taps_of(case))
    _, back = jax.vjp(lambda x: forward(x, case), x)
    found: jax.Array = back(gradient)[0]
    return found
