"""A convolution whose directions are computed by chosen candidates."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax

from archspec.lowerings.candidates import LIBRARY, function
from archspec.lowerings.case import Case, Direction
from archspec.lowerings.choosing import Choice


def convolve(x: jax.Array, kernel: jax.Array, case: Case, choice: Choice) -> jax.Array:
    """The operation of a case, of which each direction is computed by the candidate that the choice names."""
    if set(choice) == {LIBRARY}:
        y: jax.Array = _of(case, LIBRARY, "forward")(x, kernel, case)
        return y
    return _chosen(x, kernel, case, choice)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _chosen(x: jax.Array, kernel: jax.Array, case: Case, choice: Choice) -> jax.Array:
    y: jax.Array = _of(case, choice.forward, "forward")(x, kernel, case)
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
        _of(case, choice.input, "input")(gradient, kernel, case),
        _of(case, choice.kernel, "kernel")(x, gradient, case),
    )


_chosen.defvjp(_forward, _backward)


def _of(case: Case, name: str, direction: Direction) -> Any:
    found = function(case.operation, name, direction)
    if found is None:
        raise ValueError(f"the candidate `{name}` of {case.operation} has no {direction} direction")
    return found
