"""Candidates are timed in turns, and none is given up for one run that something else held up."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.lowerings.case import Case
from archspec.lowerings.timing import compared

POINTWISE = Case("conv", 2, (5, 6), 3, 4, (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, "float32")


def clock(held_up: int) -> Iterator[float]:
    """Measurements take 10 ms each, but for one that takes 10 s."""
    now, measured = 0.0, 0
    while True:
        yield now
        now += 10 if measured == held_up else 0.01
        measured += 1
        yield now


def test_a_run_that_is_held_up_counts_for_nothing() -> None:
    for held_up in (0, 1, 5):
        times = clock(held_up)
        found = compared(POINTWISE, "forward", ["library", "product"], {}, rounds=2, clock=lambda: next(times))  # noqa: B023
        assert {name: round(own, 6) for name, own in found.items()} == {"library": 0.01, "product": 0.01}, held_up
