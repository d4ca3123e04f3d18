"""The maximum of each window as that along one axis of the maxima along the other ones: F + F taps in place of F·F."""

from __future__ import annotations

import jax
import numpy as np
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.places import placed, places, taps_of


def fits(case: Case, direction: Direction) -> bool:
    """Where windows have more than one axis, and are not dilated; for the gradient, where they have few taps."""
    several = sum(taps > 1 for taps in case.kernel) > 1 and set(case.dilation) == {1}
    return several and (direction == "forward" or taps_of(case).few)


def forward(x: jax.Array, case: Case) -> jax.Array:
    """y[i, j] = max over rows t of max over columns u of x[i·S + t − P, j·S + u − P]."""
    # Rows last: so the gradient goes to the first of equals, row by row.
    for axis in reversed(range(1, x.ndim - 1)):
        taps, step, sides = case.kernel[axis - 1], case.stride[axis - 1], case.padding[axis - 1]
        window, steps = ([own if at == axis else 1 for at in range(x.ndim)] for own in (taps, step))
        border = [sides if at == axis else (0, 0) for at in range(x.ndim)]
        x = lax.reduce_window(x, -np.inf, lax.max, window, steps, border)
    return x


def input_gradient(gradient: jax.Array, x: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[i] over the windows i whose first maximum is at j."""
    return placed(gradient, places(x, forward(x, case), case), taps_of(case))
