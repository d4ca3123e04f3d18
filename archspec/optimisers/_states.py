"""How many numbers Optax's optimisers keep, by the shapes of the arrays that are trained, scalars apart.

The tests hold each entry to what Optax allocates. Of an optimiser that is not here, reports say that they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

Shape = tuple[int, ...]
Count = Callable[[Any, Sequence[Shape]], int]


def _weights(shapes: Sequence[Shape]) -> int:
    return sum(map(prod, shapes))


def _each(slots: float) -> Count:
    """So many numbers for each weight."""
    return lambda optimiser, shapes: int(slots * _weights(shapes))


def _sm3(optimiser: Any, shapes: Sequence[Shape]) -> int:
    """A mean for each weight, and the largest square of each row of each axis."""
    return _weights(shapes) + sum(map(sum, shapes))


def _adafactor(optimiser: Any, shapes: Sequence[Shape]) -> int:
    """Squares of rows and columns over the two largest axes, where the smaller of them is large enough.

    Arrays of length 1 stand where there is nothing to keep.
    """
    total = _weights(shapes) if optimiser.momentum is not None else 0
    for shape in shapes:
        largest = sorted(shape)[-2:]
        if optimiser.factored and len(shape) > 1 and largest[0] >= optimiser.min_dim_size_to_factor:
            total += prod(shape) // largest[0] + prod(shape) // largest[1] + 1
        else:
            total += prod(shape) + 2
    return total


def _lbfgs(optimiser: Any, shapes: Sequence[Shape]) -> int:
    """Pairs of differences, the last weights and gradient, and the gradient that the line search ended with."""
    pairs: int = optimiser.memory_size
    return (2 * pairs + 3) * _weights(shapes) + pairs


STATES: dict[str, Count] = {
    "adabelief": _each(2),
    "adadelta": _each(2),
    "adafactor": _adafactor,
    "adagrad": _each(1),
    "adamax": _each(2),
    "adamaxw": _each(2),
    "adan": _each(4),
    "amsgrad": _each(3),
    "fromage": _each(0),
    "lamb": _each(2),
    "lars": _each(1),
    "lbfgs": _lbfgs,
    "nadam": _each(2),
    "nadamw": _each(2),
    "noisy_sgd": _each(0),
    "novograd": _each(1),
    "optimistic_adam": _each(3),
    "optimistic_adam_v2": _each(3),
    "optimistic_gradient_descent": _each(1),
    "polyak_sgd": _each(0),
    "radam": _each(2),
    "rprop": _each(2),
    "sign_sgd": _each(0),
    "signum": _each(1),
    "sm3": _sm3,
    "yogi": _each(2),
}
