"""XLA's windows, and their gradient as JAX has it."""

from __future__ import annotations

import jax
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.linear import gradient_of


def fits(case: Case, direction: Direction) -> bool:
    """Always."""
    return True


def forward(x: jax.Array, case: Case) -> jax.Array:
    """y[i] = Σ over taps t of x[i·S + t − P]."""
    y: jax.Array = lax.reduce_window(
        x, 0.0, lax.add, (1, *case.kernel, 1), (1, *case.stride, 1), ((0, 0), *case.padding, (0, 0))
    )
    return y


def input_gradient(gradient: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[i] over all i and t with i·S + t − P = j."""
    return gradient_of(lambda x: forward(x, case), (case.batch, *case.size, case.channels), gradient)
