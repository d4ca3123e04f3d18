"""Which candidate computes each direction of each operation of a program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from archspec.lowerings import rules
from archspec.lowerings.candidates import LIBRARY, fits
from archspec.lowerings.case import DIRECTIONS, Case
from archspec.lowerings.device import Device, this_device


class Choice(NamedTuple):
    """The candidates of a case by direction."""

    forward: str = LIBRARY
    input: str = LIBRARY
    kernel: str = LIBRARY


class Lowerings:
    """Chooses the candidates of a program's operations: those `given` for a case, else what the rules for a device say.

    `taken` has what was chosen, by case, as programs were traced.
    """

    def __init__(self, device: Device | None, given: Mapping[Case, Choice] | None = None) -> None:
        self.device = device
        self.given = dict(given or {})
        self.taken: dict[Case, Choice] = {}

    def of(self, case: Case) -> Choice:
        """The choice for a case. What does not fit it is the library's."""
        if case not in self.taken:
            wanted = self.given.get(case)
            if wanted is None and self.device is not None:
                wanted = Choice(*(rules.candidate(case, direction, self.device) for direction in DIRECTIONS))
            self.taken[case] = self._fitted(case, wanted or Choice())
        return self.taken[case]

    def _fitted(self, case: Case, wanted: Choice) -> Choice:
        return Choice(
            *(
                name if fits(name, case, direction) else LIBRARY
                for name, direction in zip(wanted, DIRECTIONS, strict=True)
            )
        )


BY_LIBRARY = Lowerings(None)
"""Leaves everything to JAX and XLA."""


@cache
def default() -> Lowerings:
    """By the rules for the device that programs run on."""
    return Lowerings(this_device())
