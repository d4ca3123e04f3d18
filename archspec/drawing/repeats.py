"""What comes again and again in a chain: stretches of equal parts, of whatever period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MAX_PERIOD = 24
"""Parts that one stretch may have."""

LEAST = 3
"""How often a stretch of several parts must come to be a repeat."""


class Member(NamedTuple):
    """One part of a chain: equal ones have the same mark in one place of three, all along a repeat.

    `first` and `last` are its first and last layer. `reach` is the last layer that takes a value of it, `inside` the
    last one that takes a value of any of its layers but the last. `least` is how often it must come in a row to be a
    repeat, 0 for never; `whole` says whether no layer between `first` and `last` is another part's.
    """

    marks: tuple[int, int, int]
    first: int
    last: int
    reach: float
    inside: float
    least: int
    whole: bool


class Repeat(NamedTuple):
    """Members from `start` on: so many `times` a stretch of `period` members. What does not repeat has `times` 1."""

    start: int
    period: int
    times: int

    @property
    def end(self) -> int:
        return self.start + self.period * self.times


def repeats(members: Sequence[Member]) -> list[Repeat]:
    """The members in order, each in one repeat: the repeats of the shortest period that has any.

    Equal single members may hand on values from any of their layers to the next one. A stretch of several hands on
    its last layer's alone, so that it begins where its values do: at the layer after an addition, say.
    """
    ways = [0]
    if any(member.marks[0] != member.marks[1] for member in members):
        ways.append(1)
    if len({member.marks[2] for member in members}) < len({member.marks[0] for member in members}):
        ways.append(2)
    for period in range(1, max(1, min(MAX_PERIOD, len(members) // LEAST)) + 1):
        runs = []
        at = 0
        while at < len(members):
            repeat = _single(members, at, ways) if period == 1 else _several(members, at, period, ways)
            runs.append(repeat or Repeat(at, 1, 1))
            at = runs[-1].end
        if len(runs) < len(members):
            return runs
    return [Repeat(at, 1, 1) for at in range(len(members))]


def _single(members: Sequence[Member], start: int, ways: Sequence[int]) -> Repeat | None:
    found = [repeat for way in ways if (repeat := _single_by(members, start, way))]
    return max(found, key=lambda repeat: repeat.times, default=None)


def _single_by(members: Sequence[Member], start: int, way: int) -> Repeat | None:
    end = start + 1
    while end < len(members) and members[start].least and _follows(members, end, 1, way):
        if members[end - 1].reach > members[end].last:
            break
        end += 1
    times = end - start
    return Repeat(start, 1, times) if times > 1 and times >= members[start].least else None


def _several(members: Sequence[Member], start: int, period: int, ways: Sequence[int]) -> Repeat | None:
    most = 1
    for way in ways:
        times = 1
        while _again(members, start + times * period, period, way):
            times += 1
        most = max(most, times)
    return Repeat(start, period, most) if most >= LEAST else None


def _again(members: Sequence[Member], start: int, period: int, way: int) -> bool:
    """Whether the stretch that begins here is the one before it once more."""
    if start + period > len(members):
        return False
    before = members[start - period : start]
    last = before[-1].last
    return (
        all(_follows(members, at, period, way) for at in range(start, start + period))
        and all(member.reach <= last for member in before[:-1])
        and before[-1].inside <= last
        and before[-1].reach <= members[start + period - 1].last
    )


def _follows(members: Sequence[Member], at: int, period: int, way: int) -> bool:
    """Whether a member is as the one a period before it, and comes right after the one before it."""
    one, before, other = members[at - period], members[at - 1], members[at]
    return one.marks[way] == other.marks[way] and one.whole and other.whole and before.last + 1 == other.first
