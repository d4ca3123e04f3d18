"""How long candidates take on this device, for arrays of a case's shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.lowerings.candidates import function
from archspec.lowerings.case import Case, Direction

LONG_ENOUGH = 2e-3
"""Seconds that one measurement takes at least: short operations are run several times in it."""
HOPELESS, CHEAP = 3.0, 0.02
"""A candidate whose first runs all take so many times the least one is run no more, unless they take fewer seconds than
these: on a busy machine several short ones in a row may be held up."""
FIRST, FIRST_SECONDS = 3, 0.5
"""First runs of a candidate, after one that does not count: fewer where they take long."""

Clock = Callable[[], float]


def shapes_of(case: Case) -> dict[str, tuple[int, ...]]:
    """The shapes of an operation's input, its kernel and the gradient of its output."""
    return {
        "x": (case.batch, *case.size, case.channels),
        "kernel": case.kernel_shape,
        "gradient": (case.batch, *case.output, case.filters),
    }


TAKEN: Mapping[str, Mapping[Direction, tuple[str, ...]]] = {
    "conv": {"forward": ("x", "kernel"), "input": ("gradient", "kernel"), "kernel": ("x", "gradient")},
    "transposed_conv": {"forward": ("x", "kernel"), "input": ("gradient", "kernel"), "kernel": ("x", "gradient")},
    "max_pool": {"forward": ("x",), "input": ("gradient", "x")},
    "sum_pool": {"forward": ("x",), "input": ("gradient",)},
}
"""What the directions of operations are computed of, in the order of their functions' arguments."""


def arrays_for(case: Case, direction: Direction) -> tuple[jax.Array, ...]:
    """Random numbers of the shapes that a direction takes."""
    draw = np.random.default_rng(0)
    shapes = [shapes_of(case)[name] for name in TAKEN[case.operation][direction]]
    return tuple(jnp.asarray(draw.standard_normal(shape, np.float32), case.dtype) for shape in shapes)


def compiled(case: Case, direction: Direction, name: str, options: Mapping[str, Any]) -> Any:
    """A candidate's direction alone as a program."""
    compute = function(case.operation, name, direction)
    assert compute is not None
    make: Any = jax.ShapeDtypeStruct
    given = [make(shapes_of(case)[own], case.dtype) for own in TAKEN[case.operation][direction]]
    whole = jax.jit(lambda *given: compute(*given, case), compiler_options=dict(options) or None)
    return whole.lower(*given).compile()


def compared(
    case: Case,
    direction: Direction,
    names: Iterable[str],
    options: Mapping[str, Any],
    *,
    rounds: int = 7,
    seconds: float = 1.0,
    clock: Clock = time.perf_counter,
) -> dict[str, float]:
    """Seconds of each candidate for one run of a direction: the least of `rounds` measurements in turns.

    They end early once `seconds` are used up; each candidate is measured once in any case. One that cannot be compiled
    or run, for want of memory for one, is left out.
    """
    arrays = arrays_for(case, direction)
    best: dict[str, float] = {}
    programs: dict[str, Any] = {}
    for name in names:
        try:
            programs[name] = compiled(case, direction, name, options)
            best[name] = _first(programs[name], arrays, clock)
        except jax.errors.JaxRuntimeError:
            programs.pop(name, None)
    begun = time.perf_counter()
    turns = [name for name in programs if best[name] <= max(HOPELESS * min(best.values()), CHEAP)]
    for _ in range(rounds):
        for name in turns:
            count = max(1, int(LONG_ENOUGH / max(best[name], 1e-7)))
            best[name] = min(best[name], _measured(programs[name], arrays, count, clock))
        if time.perf_counter() - begun > seconds:
            break
    return best


def _first(program: Any, arrays: tuple[jax.Array, ...], clock: Clock) -> float:
    """The least of a few single runs: one alone may have been held up by whatever else the machine does."""
    begun = time.perf_counter()
    _measured(program, arrays, 1, clock)
    least = _measured(program, arrays, 1, clock)
    for _ in range(FIRST - 1):
        if time.perf_counter() - begun > FIRST_SECONDS:
            break
        least = min(least, _measured(program, arrays, 1, clock))
    return least


def _measured(program: Any, arrays: tuple[jax.Array, ...], count: int, clock: Clock) -> float:
    """Seconds of one of several runs in a row."""
    begun = clock()
    for _ in range(count):
        last = program(*arrays)
    jax.block_until_ready(last)
    return (clock() - begun) / count
