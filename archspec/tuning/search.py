"""Timing the candidates for what a network's programs compute, and what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from archspec.lowerings import timing
from archspec.lowerings.candidates import LIBRARY, fitting
from archspec.lowerings.case import Case, Direction
from archspec.lowerings.choosing import Lowerings, Why
from archspec.lowerings.tuned import Timed
from archspec.tuning.operations import Operation
from archspec.xla import Mode

NOISE = 0.05
"""A candidate must take this share less than the present choice to take its place."""
ROUNDS_LEAST, ROUNDS_MOST = 0.1, 1.0
"""Seconds that the measurements of one direction of a case take, compiling left out: what is left is divided."""

Said = Callable[[int, int], None]
"""Is told how many have been timed, and of how many."""


class Asked(NamedTuple):
    """A direction of a case that programs compute: at which paths, and how often in one run of each program."""

    case: Case
    direction: Direction
    paths: tuple[str, ...]
    times: dict[Mode, int]


class Tried(NamedTuple):
    """A direction of a case with what chose its candidate so far, and seconds of each candidate."""

    asked: Asked
    present: Why
    seconds: dict[str, float]

    @property
    def best(self) -> str:
        """The fastest, unless the present choice is as fast but for noise."""
        name = min(self.seconds, key=lambda name: self.seconds[name])
        present = self.present.candidate
        return name if self.seconds[name] <= (1 - NOISE) * self.seconds[present] else present

    @property
    def changed(self) -> bool:
        """Whether another candidate takes the place of the present one."""
        return self.best != self.present.candidate

    @property
    def gain(self) -> float:
        """Seconds that the best takes less than the present one."""
        return self.seconds[self.present.candidate] - self.seconds[self.best]


class Outcome(NamedTuple):
    """What was timed, in the order of the network, and how many directions of cases were not.

    `single` have one candidate alone, `known` were tuned before, `failed` are those whose present choice or library
    cannot be run by itself, and for `left` there was no time. `stopped` is whether Ctrl-C has ended it.
    """

    tried: list[Tried]
    single: int
    known: int
    failed: int
    left: int
    stopped: bool = False

    def gain(self, mode: Mode) -> float:
        """Seconds that one run of a program should take less."""
        return sum(own.gain * own.asked.times.get(mode, 0) for own in self.tried)

    @property
    def changed(self) -> list[Tried]:
        """Where another candidate takes the place of the present one."""
        return [own for own in self.tried if own.changed]


def asked(programs: Mapping[Mode, Iterable[Operation]]) -> list[Asked]:
    """What several programs compute, each direction of a case once."""
    found: dict[tuple[Case, Direction], Asked] = {}
    for mode, operations in programs.items():
        for path, case, directions in operations:
            for direction in directions:
                own = found.setdefault((case, direction), Asked(case, direction, (), {}))
                own.times[mode] = own.times.get(mode, 0) + 1
                paths = own.paths if path in own.paths else (*own.paths, path)
                found[case, direction] = own._replace(paths=paths)
    return list(found.values())


def search(
    items: list[Asked],
    lowerings: Lowerings,
    *,
    seconds: float,
    again: bool = False,
    said: Said | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Times the candidates of what programs compute, what has most to do first, until so many seconds are over.

    What was tuned before is timed `again` only where that is asked for. One direction of a case is timed in any case.
    Ctrl-C ends it with what has been found.
    """
    begun = now()
    several = [own for own in items if len(fitting(own.case, own.direction)) > 1]
    due = [own for own in several if again or lowerings.why(own.case, own.direction).source != "tuned"]
    order = sorted(due, key=lambda own: -own.case.macs * sum(own.times.values()))
    found: dict[tuple[Case, Direction], Tried] = {}
    done, stopped = 0, False
    for own in order:
        left = seconds - (now() - begun)
        if done and left <= 0:
            break
        if said is not None:
            said(done, len(order))
        bound = min(ROUNDS_MOST, max(ROUNDS_LEAST, left / (len(order) - done)))
        present = lowerings.why(own.case, own.direction)
        names = fitting(own.case, own.direction)
        try:
            times = timing.compared(own.case, own.direction, names, lowerings.options, seconds=bound)
        except KeyboardInterrupt:
            stopped = True
            break
        if LIBRARY in times and present.candidate in times:
            found[own.case, own.direction] = Tried(own, present, times)
        done += 1
    tried = [found[own.case, own.direction] for own in items if (own.case, own.direction) in found]
    known, failed, unreached = len(several) - len(due), done - len(tried), len(due) - done
    return Outcome(tried, len(items) - len(several), known, failed, unreached, stopped)


def to_keep(tried: Iterable[Tried]) -> dict[Case, dict[Direction, Timed]]:
    """What is to be kept of it: the best of each, changed or not, so that it need not be timed again."""
    found: dict[Case, dict[Direction, Timed]] = {}
    for own in tried:
        best = Timed(own.best, 1e3 * own.seconds[own.best], 1e3 * own.seconds[LIBRARY])
        found.setdefault(own.asked.case, {})[own.asked.direction] = best
    return found
