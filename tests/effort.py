"""How much work something is, in calls of functions: as many on a busy machine as on a quiet one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def calls(run: Callable[[], object]) -> int:
    """Calls of Python's and of C's functions in this thread while `run` runs; a generator's every item is one.

    Seconds would count what other threads and the collection of other tests' garbage take, too. What a function of C
    does is one call, however long it takes.
    """
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return counted


def growth(of: Callable[[int], Callable[[], object]], small: int, large: int) -> float:
    """How many times the calls of `of(small)` are made by `of(large)`; `of` prepares, and what it gives is counted."""
    few, many = of(small), of(large)
    few()  # what is made once in a process is made before
    return calls(many) / calls(few)
