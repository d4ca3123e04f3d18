"""Candidates are timed in turns, and none is given up for one run that something else held up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archspec.lowerings.case import Case
from archspec.lowerings.timing import compared

POINTWISE = Case("conv", 2, (5, 6), 3, 4, (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, "float32")


def clock(held_up: set[int], delay: float) -> Iterator[float]:
    """Measurements take 1 ms each, but for some that take longer."""
    now, measured = 0.0, 0
    while True:
        yield now
        now += delay if measured in held_up else 0.001
        measured += 1
        yield now


@pytest.mark.parametrize(
    ("held_up", "delay"),
    [({0}, 10), ({1}, 10), ({5}, 10), ({0, 1, 2, 3}, 0.015)],  # all first runs of a candidate, for a while
)
def test_what_is_held_up_counts_for_nothing(held_up: set[int], delay: float) -> None:
    times = clock(held_up, delay)
    found = compared(POINTWISE, "forward", ["library", "product"], {}, rounds=2, clock=lambda: next(times))
    assert set(found) == {"library", "product"} and max(found.values()) < 0.0011


def test_what_is_far_slower_is_run_no_more() -> None:
    times = clock({0, 1, 2, 3}, 10)
    found = compared(POINTWISE, "forward", ["library", "product"], {}, rounds=2, clock=lambda: next(times))
    assert found["library"] == 10 and next(times) < 40.1  # once for all rounds of the other
