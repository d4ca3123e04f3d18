"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.device import Device


class Rule(NamedTuple):
    """Where a candidate is the fastest known.

    `when` says so of a case; that the candidate can stand for the library there is looked at besides, so a rule need
    not repeat what its `fits` says. `reason` is shown to users: what is slow otherwise, in one line, best with measured
    milliseconds. `since` and `before` bound the versions of jaxlib, `before` excluded; `onednn` is whether programs
    call oneDNN, None where it does not matter.
    """

    candidate: str
    directions: tuple[Direction, ...]
    when: Callable[[Case], bool]
    reason: str
    operation: str = "conv"
    backend: str = "cpu"
    since: tuple[int, ...] = (0,)
    before: tuple[int, ...] = (1 << 30,)
    onednn: bool | None = None

    def holds(self, case: Case, direction: Direction, device: Device) -> bool:
        """Whether the rule speaks of a case and direction on a device."""
        return (
            case.operation == self.operation
            and direction in self.directions
            and device.backend == self.backend
            and self.since <= device.jaxlib < self.before
            and self.onednn in (None, device.onednn)
            and self.when(case)
        )


FORWARD: tuple[Direction, ...] = ("forward",)
INPUT: tuple[Direction, ...] = ("input",)
KERNEL: tuple[Direction, ...] = ("kernel",)
