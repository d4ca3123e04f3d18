"""Which trials go on, and which is the best: by validation records of the states that they end with, never by test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log

from archspec.sweeping.trials import Outcome, Trial

Outcomes = Mapping[str, Outcome]
"""Outcomes of trials, by the digests of their specs."""


def ranked(trials: Sequence[Trial], outcomes: Outcomes) -> list[Trial]:
    """The best first: those without a figure after all with one, failed ones last, the lower number first of equals."""

    def order(trial: Trial) -> tuple[int, float, int]:
        outcome = outcomes[trial.digest]
        if outcome.failed is not None:
            return (2, 0.0, trial.number)
        if outcome.value is None:
            return (1, 0.0, trial.number)
        return (0, -outcome.value if trial.figure.better == "higher" else outcome.value, trial.number)

    return sorted(trials, key=order)


def rungs(trials: int, epochs: int, factor: int) -> list[tuple[int, int]]:
    """Successive halving's rungs (Jamieson & Talwalkar 2016): of each the epoch at which it ends, and how many trials
    it has.

    With factor η and s = ⌊log_η min(trials, epochs)⌋, rung k of 0 … s ends after max(1, ⌊epochs/η^(s−k)⌋) epochs and
    has max(1, ⌊trials/η^k⌋) trials.
    """
    last = floor(log(max(1, min(trials, epochs)), factor) + 1e-9)
    found = [(max(1, epochs // factor ** (last - k)), max(1, trials // factor**k)) for k in range(last + 1)]
    return [own for at, own in enumerate(found) if at == len(found) - 1 or own[0] < found[at + 1][0]]


def survivors(trials: Sequence[Trial], outcomes: Outcomes, number: int) -> list[Trial]:
    """The best trials of a rung, which go on; none that failed, nor any that has no figure."""
    found = [trial for trial in ranked(trials, outcomes) if outcomes[trial.digest].failed is None]
    return [trial for trial in found if outcomes[trial.digest].value is not None][:number]
