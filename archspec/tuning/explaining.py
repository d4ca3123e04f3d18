"""Which candidate computes what in a network, and why: `archspec tune --explain`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.choosing import Lowerings, Why
from archspec.tuning.operations import Operation
from archspec.xla import Mode


class Explained(NamedTuple):
    """A direction of an operation at a path, the programs that compute it, and its candidate with source and reason."""

    path: str
    case: Case
    direction: Direction
    modes: tuple[Mode, ...]
    why: Why


def explained(programs: Mapping[Mode, Iterable[Operation]], lowerings: Lowerings) -> list[Explained]:
    """Every direction of every operation of several programs, those that are the same in all of them once."""
    found: dict[tuple[str, Case, Direction], tuple[Mode, ...]] = {}
    for mode, operations in programs.items():
        for path, case, directions in operations:
            for direction in directions:
                modes = found.get((path, case, direction), ())
                found[path, case, direction] = modes if mode in modes else (*modes, mode)
    return [
        Explained(path, case, direction, modes, lowerings.why(case, direction))
        for (path, case, direction), modes in found.items()
    ]
