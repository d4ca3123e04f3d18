"""Pooling over height and width of (batch, height, width, channels), or length of (batch, length, channels), by chosen
candidates."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax

from archspec.lowerings.candidates import LIBRARY, computing
from archspec.lowerings.case import Case, Sides
from archspec.lowerings.choosing import Choice
from archspec.lowerings.places import placed, places, taps_of

Pair = tuple[int, ...]


def pooling(operation: str, x: jax.Array, window: Pair, stride: Pair, padding: Sides, dilation: Pair) -> Case:
    """The case of an operation on each channel by itself: `max_pool` or `sum_pool`."""
    channels = x.shape[-1]
    return Case(
        operation,
        x.shape[0],
        tuple(x.shape[1:-1]),
        channels,
        channels,
        window,
        stride,
        padding,
        dilation,
        channels,
        x.dtype.name,
    )


def maxima(x: jax.Array, case: Case, choice: Choice) -> jax.Array:
    """The maximum of each window; of equals the first has the gradient, row by row, as in PyTorch."""
    undilated = set(case.dilation) == {1}
    if undilated and (choice.forward == choice.input == LIBRARY or not taps_of(case).few):
        y: jax.Array = computing(case, choice.forward, "forward")(x, case)
        return y
    # Without a gradient nobody asks for the numbers, and XLA drops what finds them.
    return maxima_with_places(x, case, choice)[0]


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def maxima_with_places(x: jax.Array, case: Case, choice: Choice) -> tuple[jax.Array, jax.Array]:
    """The maximum of each window and the number of its tap, row by row; of equals the first.

    Where a gradient is taken both are computed by the candidate for the input's direction. Each maximum's gradient goes
    back to where it came from: the numbers say it all, the input need not be kept.
    """
    return _with_places(x, case, choice.forward)


def _with_places(x: jax.Array, case: Case, name: str) -> tuple[jax.Array, jax.Array]:
    largest: jax.Array = computing(case, name, "forward")(x, case)
    return largest, places(x, largest, case, written=name != LIBRARY)


def _places_forward(x: jax.Array, case: Case, choice: Choice) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    found = _with_places(x, case, choice.input)
    return found, found[1]


def _places_backward(
    case: Case, choice: Choice, numbers: jax.Array, gradients: tuple[jax.Array, Any]
) -> tuple[jax.Array]:
    return (placed(gradients[0], numbers, taps_of(case)),)


maxima_with_places.defvjp(_places_forward, _places_backward)


def sums(x: jax.Array, case: Case, choice: Choice) -> jax.Array:
    """The sum of each window, of which each direction is computed by the candidate that the choice names."""
    if choice.forward == choice.input == LIBRARY:
        y: jax.Array = computing(case, LIBRARY, "forward")(x, case)
        return y
    return _sums(x, case, choice)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _sums(x: jax.Array, case: Case, choice: Choice) -> jax.Array:
    y: jax.Array = computing(case, choice.forward, "forward")(x, case)
    return y


def _sums_forward(x: jax.Array, case: Case, choice: Choice) -> tuple[jax.Array, None]:
    return _sums(x, case, choice), None


def _sums_backward(case: Case, choice: Choice, kept: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (computing(case, choice.input, "input")(gradient, case),)


_sums.defvjp(_sums_forward, _sums_backward)
