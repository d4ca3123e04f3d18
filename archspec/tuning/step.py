"""A whole program with the choices of before and those found, in turns: whether single gains are gains together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.bench.clock import timed
from archspec.bench.programs import program
from archspec.lowerings.choosing import Lowerings, as_tuned
from archspec.lowerings.tuned import Found
from archspec.xla import Mode

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


def with_tuned(lowerings: Lowerings, found: Found) -> Lowerings:
    """Lowerings that take what was found before what they take else."""
    tuned = dict(lowerings.tuned)
    for case, own in as_tuned(found).items():
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
