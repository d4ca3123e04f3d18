"""Sums of windows as depthwise convolutions with kernels of ones, as `conv.shifts` computes these.

XLA's windows on CPUs go through their taps number by number; of shifted maps it makes one loop with channels innermost.
"""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv import shifts

MOST = 64
"""Taps: they are written one by one into the program."""


def fits(case: Case, direction: Direction) -> bool:
    """Where windows have few taps."""
    return prod(case.kernel) <= MOST


def _ones(case: Case, like: jax.Array) -> jax.Array:
    return jnp.ones((*case.kernel, 1, case.channels), like.dtype)


def forward(x: jax.Array, case: Case) -> jax.Array:
    """y[i] = Σ over taps t of x[i·S + t − P], summed in float32 at least."""
    return shifts.forward(x, _ones(case, x), case)


def input_gradient(gradient: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[i] over all i and t with i·S + t − P = j."""
    return shifts.input_gradient(gradient, _ones(case, gradient), case)
