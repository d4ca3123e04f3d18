"""Which candidate computes each direction of each operation of a program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.lowerings.candidates import LIBRARY, fits
from archspec.lowerings.case import DIRECTIONS, Case, Direction
from archspec.lowerings.device import Device, this_device
from archspec.lowerings.rules import rule_for

if TYPE_CHECKING:
    from archspec.lowerings.tuned import Found

Mode = Literal["auto", "library"]
"""`library` leaves everything to JAX and XLA as they are; `auto` chooses."""

Source = Literal["recorded", "tuned", "rule", "library"]


class Choice(NamedTuple):
    """The candidates of a case by direction."""

    forward: str = LIBRARY
    input: str = LIBRARY
    kernel: str = LIBRARY


class Why(NamedTuple):
    """A candidate, what chose it, and why in words."""

    candidate: str
    source: Source
    reason: str


class Lowerings:
    """Chooses the candidates of a program's operations, and the compiler options of a program.

    For a case those that are `given` (a run's record), else those that were `tuned`, else what the rules for the device
    say; without a device the library. `taken` has what was chosen, by case, as programs were traced. `options` are the
    compiler's; the device's where they are left out, none without a device.
    """

    def __init__(
        self,
        device: Device | None,
        given: Mapping[Case, Choice] | None = None,
        tuned: Mapping[Case, Mapping[Direction, Why]] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.device = device
        self.given = dict(given or {})
        self.tuned = dict(tuned or {})
        self.options = dict(options if options is not None else device.options if device is not None else {})
        self.taken: dict[Case, Choice] = {}

    def of(self, case: Case) -> Choice:
        """The choice for a case. What does not fit it is the library's."""
        if case not in self.taken:
            self.taken[case] = Choice(*(self.why(case, direction).candidate for direction in DIRECTIONS))
        return self.taken[case]

    def why(self, case: Case, direction: Direction) -> Why:
        """The candidate of a direction, and why it is taken."""
        if case in self.given:
            found = Why(getattr(self.given[case], direction), "recorded", "as the run began")
        elif direction in self.tuned.get(case, {}):
            found = self.tuned[case][direction]
        elif self.device is None:
            return Why(LIBRARY, "library", "as asked for")
        else:
            rule = rule_for(case, direction, self.device)
            if rule is None:
                return Why(LIBRARY, "library", f"no rule for {self.device.backend} knows a faster one")
            return Why(rule.candidate, "rule", rule.reason)
        if not fits(found.candidate, case, direction):
            return Why(LIBRARY, "library", f"`{found.candidate}` ({found.source}) does not fit")
        return found


BY_LIBRARY = Lowerings(None)
"""Leaves everything to JAX and XLA."""


Tuned = dict[Case, dict[Direction, Why]]


def tuned_for(device: Device) -> Tuned:
    """What `archspec tune` found for a device."""
    from archspec.lowerings.tuned import read

    return as_tuned(read(device))


def as_tuned(found: Found) -> Tuned:
    """What was timed, as reasons for a choice."""
    return {
        case: {direction: Why(own.candidate, "tuned", own.said) for direction, own in timed.items()}
        for case, timed in found.items()
    }


def of_mode(mode: Mode) -> Lowerings:
    """Those of a setting: this device's, or the library's."""
    return default() if mode == "auto" else BY_LIBRARY


def of_new_run(mode: Mode) -> Lowerings:
    """Those of a run that begins, which keeps them as they are: its own, which have what was chosen for it alone."""
    if mode == "library":
        return Lowerings(None)
    device = this_device()
    return Lowerings(device, tuned=tuned_for(device))


def of_one_call(mode: Mode) -> Lowerings:
    """Those of a program that is called once, with few samples: without oneDNN, so that it can be kept.

    jaxlib cannot write down a program that calls oneDNN, and to compile one takes longer than few samples gain.
    """
    chosen = of_mode(mode)
    if chosen.device is None or not chosen.device.onednn:
        return chosen
    device = chosen.device._replace(onednn=False)
    return Lowerings(device, tuned=tuned_for(device))


@cache
def default() -> Lowerings:
    """By what was tuned and the rules for the device that programs run on."""
    device = this_device()
    return Lowerings(device, tuned=tuned_for(device))
