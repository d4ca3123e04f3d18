"""The candidates of an operation: modules of the folder that is called like it, found by name.

A candidate has `fits(case, direction)`, whether it computes what the library does there, and functions for one or more
directions: `forward(x, kernel, case)`, `input_gradient(gradient, kernel, case)`, `kernel_gradient(x, gradient, case)`.
Poolings have no kernel: `forward(x, case)`, and `input_gradient(gradient, case)` of sums, `input_gradient(gradient, x,
case)` of maxima, which is computed together with these where a gradient is taken.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from archspec.lowerings.case import DIRECTIONS, Case, Direction

LIBRARY = "library"
"""The candidate that every operation has, for all directions: what JAX and XLA do by themselves."""

FUNCTIONS: dict[Direction, str] = {"forward": "forward", "input": "input_gradient", "kernel": "kernel_gradient"}


@cache
def names(operation: str) -> tuple[str, ...]:
    """The candidates of an operation, the library first."""
    folder = import_module(f"archspec.lowerings.{operation}")
    found = sorted(item.name for item in pkgutil.iter_modules(folder.__path__) if not item.name.startswith("_"))
    return (LIBRARY, *(name for name in found if name != LIBRARY))


def function(operation: str, name: str, direction: Direction) -> Callable[..., Any] | None:
    """A candidate's function for a direction; None where it has none. Raises `ModuleNotFoundError` for no candidate."""
    found: Callable[..., Any] | None = getattr(
        import_module(f"archspec.lowerings.{operation}.{name}"), FUNCTIONS[direction], None
    )
    return found


def computing(case: Case, name: str, direction: Direction) -> Callable[..., Any]:
    """The function by which a candidate computes a direction of a case. Raises `ValueError` where it has none."""
    found = function(case.operation, name, direction)
    if found is None:
        raise ValueError(f"the candidate `{name}` of {case.operation} has no {direction} direction")
    return found


@cache
def directions(operation: str) -> tuple[Direction, ...]:
    """The directions of an operation that candidates are chosen for: those that the library has a function for."""
    return tuple(own for own in DIRECTIONS if function(operation, LIBRARY, own) is not None)


def fits(name: str, case: Case, direction: Direction) -> bool:
    """Whether a candidate can stand for the library in a case and direction. A batch has a sample at least."""
    if name not in names(case.operation) or function(case.operation, name, direction) is None:
        return False
    return bool(import_module(f"archspec.lowerings.{case.operation}.{name}").fits(case, direction))


def fitting(case: Case, direction: Direction) -> list[str]:
    """The candidates for a case and direction, the library first."""
    return [name for name in names(case.operation) if fits(name, case, direction)]
