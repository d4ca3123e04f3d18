"""A whole program with the choices of before and those found, in turns: whether single gains are gains together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.bench.clock import timed
from archspec.bench.programs import program
from archspec.lowerings.case import Case, Direction
from archspec.lowerings.choosing import Lowerings, Why
from archspec.lowerings.tuned import Timed
from archspec.tuning.operations import Mode

if TYPE_CHECKING:
    from archspec.loading import Spec


class Step(NamedTuple):
    """Seconds of one run with the choices of before and of now: the least of several blocks of runs."""

    before: float
    after: float

    @property
    def ratio(self) -> float:
        """What is taken now over what was taken before."""
        return self.after / self.before


def with_tuned(lowerings: Lowerings, found: Mapping[Case, Mapping[Direction, Timed]]) -> Lowerings:
    """Lowerings that take what was found before what they take else."""
    tuned: dict[Case, dict[Direction, Why]] = {case: dict(own) for case, own in lowerings.tuned.items()}
    for case, timed_ in found.items():
        own = {direction: Why(item.candidate, "tuned", item.said) for direction, item in timed_.items()}
        tuned[case] = {**tuned.get(case, {}), **own}
    return Lowerings(lowerings.device, tuned=tuned, options=lowerings.options)


def whole_step(
    spec: Spec, batch: int, mode: Mode, precision: Any, before: Lowerings, after: Lowerings, most: float
) -> Step | None:
    """A program of a spec with both; None where compiling the first alone takes more than `most` seconds."""
    first = program(spec, batch, mode, precision=precision, lowerings=before)
    if first.seconds > most:
        return None
    second = program(spec, batch, mode, precision=precision, lowerings=after)
    times = timed({"before": first.step, "after": second.step})
    return Step(min(times["before"].wall), min(times["after"].wall))
