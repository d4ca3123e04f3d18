"""Times of steps, in blocks: several programs take turns, so that what else the machine does hits them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Step = Callable[[], Any]
"""Starts a step and gives an array that is there once it is done."""

BLOCKS = 7
LEAST = 0.1
"""Seconds that a block takes at least, unless its steps are counted."""
MOST_STEPS = 200


class Times(NamedTuple):
    """Seconds of a step, one number for each block: by the clock, and of all of the process's threads on processors."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    steps: int
    """Steps of a block."""

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of the blocks' times."""
        return quartiles(self.wall)


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The first and the third; of few values the least and the greatest."""
    if len(values) < 4:
        return min(values), max(values)
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def block(step: Step, count: int) -> tuple[float, float]:
    """Seconds of a step in a block of so many: by the clock, and of the process's threads."""
    import jax

    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(count - 1):
        step()
    jax.block_until_ready(step())
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def steps_for(step: Step, steps: int | None = None) -> int:
    """Warms up, and gives the number of steps that a block is to have."""
    block(step, 1)
    if steps is not None:
        return steps
    return max(1, min(MOST_STEPS, round(LEAST / max(block(step, 1)[0], 1e-9))))


def timed(runs: Mapping[str, Step], steps: int | None = None, blocks: int = BLOCKS) -> dict[str, Times]:
    """Times of each of the programs, which take turns block by block."""
    counts = {name: steps_for(step, steps) for name, step in runs.items()}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(blocks):
        for name, step in runs.items():
            found[name].append(block(step, counts[name]))
    return {
        name: Times(tuple(wall for wall, _ in own), tuple(cpu for _, cpu in own), counts[name])
        for name, own in found.items()
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Ours over theirs, block by block: the median and the quartiles."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return (statistics.median(ratios), *quartiles(ratios))
