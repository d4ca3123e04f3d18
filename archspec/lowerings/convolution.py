"""A convolution whose directions are computed by chosen candidates."""

from __future__ import annotations

from functools import partial

import jax

from archspec.lowerings.candidates import LIBRARY, computing
from archspec.lowerings.case import Case
from archspec.lowerings.choosing import Choice


def convolve(x: jax.Array, kernel: jax.Array, case: Case, choice: Choice) -> jax.Array:
    """The operation of a case, of which each direction is computed by the candidate that the choice names."""
    if set(choice) == {LIBRARY}:
        y: jax.Array = computing(case, LIBRARY, "forward")(x, kernel, case)
        return y
    return _chosen(x, kernel, case, choice)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _chosen(x: jax.Array, kernel: jax.Array, case: Case, choice: Choice) -> jax.Array:
    y: jax.Array = computing(case, choice.forward, "forward")(x, kernel, case)
    return y


def _forward(
    x: jax.Array, kernel: jax.Array, case: Case, choice: Choice
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _chosen(x, kernel, case, choice), (x, kernel)


def _backward(
    case: Case, choice: Choice, kept: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    # Where only one of both is asked for, XLA drops the other.
    x, kernel = kept
    return (
        computing(case, choice.input, "input")(gradient, kernel, case),
        computing(case, choice.kernel, "kernel")(x, gradient, case),
    )


_chosen.defvjp(_forward, _backward)
