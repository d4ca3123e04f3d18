"""Trials proposed by Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), where Optuna is installed.

Optuna keeps no state: its study is made anew from the trials in the sweep's folder for each proposal, so a proposal
depends on which trials have ended by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from archspec.diagnostics import DataError, SpecError
from archspec.loading import Spec
from archspec.runs.folder import FAILED, read_object
from archspec.runs.rows import TRIAL
from archspec.sweeping.checking import trial_of
from archspec.sweeping.choosing import Outcomes
from archspec.sweeping.space import Combination, Space
from archspec.sweeping.trials import Folder, Trial
from archspec.writing import write

STARTUP = 10
"""Trials that are drawn at random before proposals follow from results; Optuna's own number."""
SAME = "same"
"""Under this name a record has the trial that a proposal came again as."""


def check_installed() -> None:
    """Raises `SpecError` where Optuna is not installed."""
    if find_spec("optuna") is None:
        raise DataError(
            "E113",
            "--search tpe proposes trials by Optuna, which is not installed",
            help=["pip install 'archspec-jax[optuna]'", "--search random and --search halving need nothing"],
        ).located(None)


class Proposals:
    """What proposes the trials of a sweep, by number, from those that are in its folder."""

    def __init__(self, base: Spec, space: Space, wanted: int, seed: int) -> None:
        self.base = base
        self.space = space
        self.wanted = wanted
        self.seed = seed
        self._known: dict[str, Trial | None] = {}

    def look(self, folder: Folder, busy: set[int]) -> tuple[list[Trial], list[int]]:
        """The trials of this space that have been proposed, and the numbers that none has yet."""
        found: dict[int, Trial | None] = {}
        for name, about in _records(folder):
            number = about.get("number")
            if type(number) is not int or not 1 <= number <= self.wanted:
                continue
            if name not in self._known:
                self._known[name] = self._trial(number, about)
            trial = self._known[name]
            if trial is not None or (SAME in about or "invalid" in about):
                found[number] = trial
        free = [number for number in range(1, self.wanted + 1) if number not in found]
        return [trial for _, trial in sorted(found.items()) if trial is not None], free

    def _trial(self, number: int, about: Mapping[str, Any]) -> Trial | None:
        combination = self._combination(about.get("settings"))
        if combination is None or SAME in about or "invalid" in about:
            return None
        try:
            trial = trial_of(self.base, number, combination)
        except SpecError:
            return None
        return trial if trial.digest == about.get("digest") else None

    def _combination(self, settings: Any) -> Combination | None:
        """The combination of a record's settings; None where they are of another space."""
        if not isinstance(settings, dict) or list(settings) != [axis.path for axis in self.space.axes]:
            return None
        values = []
        for axis in self.space.axes:
            plain = settings[axis.path]
            if axis.range is not None:
                if not isinstance(plain, (int, float)):
                    return None
                values.append(axis.value(plain))
                continue
            value = next((own for own in axis.values if json.loads(json.dumps(own.plain, default=str)) == plain), None)
            if value is None:
                return None
            values.append(value)
        return Combination(tuple(values))

    def propose(self, folder: Folder, number: int, known: Sequence[Trial], done: Outcomes) -> Trial | None:
        """Proposes the trial of a number and writes it down; None where another process does so, or where it is none
        that can be tried, which is written down too."""
        held = folder.claim(f"number-{number}")
        if held is None:
            return None
        try:
            if any(about.get("number") == number and self._is_own(about) for _, about in _records(folder)):
                return None
            combination = self._asked(number, known, done)
            about = {"number": number, "settings": combination.settings}
            try:
                trial = trial_of(self.base, number, combination)
            except SpecError as error:
                first = error.diagnostics[0]
                reason = {"code": first.code, "message": f"it does not fit: {first.message}"}
                self._note(folder, number, {**about, "invalid": True, FAILED: reason})
                return None
            if any(other.digest == trial.digest for other in known):
                self._note(folder, number, {**about, SAME: trial.digest})
                return None
            folder.begin(trial)
            return trial
        finally:
            held.release()

    def _is_own(self, about: Mapping[str, Any]) -> bool:
        return self._combination(about.get("settings")) is not None

    def _note(self, folder: Folder, number: int, about: dict[str, Any]) -> None:
        digest = sha256(json.dumps(about, default=str, sort_keys=True).encode()).hexdigest()[:12]
        text = json.dumps({**about, "digest": digest}, default=str)
        write(folder.trials / f"{number:03d}-{digest}{TRIAL}", text + "\n")

    def left_out(self, folder: Folder) -> list[str]:
        """What became of proposals that were no trials, in words."""
        records = [about for _, about in _records(folder) if self._is_own(about)]
        same = sum(SAME in about for about in records)
        invalid = sum("invalid" in about for about in records)
        said = [f"{same} of {self.wanted} proposals came again, and were tried once"] if same else []
        return said + ([f"{invalid} of {self.wanted} proposals did not fit, and were not tried"] if invalid else [])

    def _asked(self, number: int, known: Sequence[Trial], done: Outcomes) -> Combination:
        import optuna
        from optuna.distributions import (
            BaseDistribution,
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )
        from optuna.trial import TrialState, create_trial

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        axes: dict[str, BaseDistribution] = {}
        for axis in self.space.axes:
            if axis.range is None:
                axes[axis.path] = CategoricalDistribution(list(range(len(axis.values))))
            elif axis.range.whole:
                axes[axis.path] = IntDistribution(int(axis.range.low), int(axis.range.high))
            else:
                axes[axis.path] = FloatDistribution(axis.range.low, axis.range.high, log=axis.range.logarithmic)
        better = known[0].figure.better if known else "higher"
        seed = int.from_bytes(sha256(f"{self.seed} {number}".encode()).digest()[:4], "big")
        sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed, constant_liar=True)
        study = optuna.create_study(direction="maximize" if better == "higher" else "minimize", sampler=sampler)
        for trial in known:
            outcome = done[trial.digest]
            params = {
                axis.path: axis.values.index(value) if axis.range is None else value.plain
                for axis, value in zip(self.space.axes, trial.combination.values, strict=True)
            }
            # Those that run count as poor results, so that proposals of several processes lie apart.
            state = TrialState.RUNNING
            if outcome.failed is not None or (outcome.finished and outcome.value is None):
                state = TrialState.FAIL
            elif outcome.finished:
                state = TrialState.COMPLETE
            value = outcome.value if state == TrialState.COMPLETE else None
            study.add_trial(create_trial(params=params, distributions=axes, value=value, state=state))
        params = study.ask(fixed_distributions=axes).params
        return Combination(tuple(axis.value(params[axis.path]) for axis in self.space.axes))


def _records(folder: Folder) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in sorted(folder.names().values()):
        yield name, read_object(folder.trials / f"{name}{TRIAL}")
