"""Combinations before the first trial: each is a trial whose spec is read and whose shapes are inferred."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from archspec.diagnostics import DataError, Diagnostic, SpecError, count, listed
from archspec.loading import Spec
from archspec.sweeping.space import Combination, Space, undone
from archspec.sweeping.trials import Trial

TRIES = 50
"""So many draws for each trial that is wanted, at most: draws that come again, or do not fit, are left out."""
SHOWN = 6
"""Combinations that are named in a message."""


def drawn_trials(base: Spec, space: Space, wanted: int, seed: int, skip: bool) -> tuple[list[Trial], list[str]]:
    """Random trials that differ from each other."""
    combinations: list[Combination] = []
    seen: set[str] = set()
    for combination in islice(space.draws(seed), wanted * TRIES):
        key = repr(combination.settings)
        if key not in seen:
            seen.add(key)
            combinations.append(combination)
        if len(combinations) == wanted:
            break
    found, notes = checked(base, combinations, skip)
    if len(combinations) < wanted:
        notes.append(f"there are {count(len(combinations), 'combination')} alone, fewer than --trials {wanted}")
    return found, notes


def checked(base: Spec, combinations: Sequence[Combination], skip: bool) -> tuple[list[Trial], list[str]]:
    """The trials of combinations, each of its spec read and its shapes inferred; combinations that come to the same
    spec are one. Raises `SpecError` with all faults, each with the combinations that have it; with `skip` only where no
    combination is left.
    """
    faults: dict[tuple[str, str], tuple[Diagnostic, list[str]]] = {}
    trials: dict[str, Trial] = {}
    warnings: dict[str, None] = {}
    same = wrong = 0
    for number, combination in enumerate(combinations, 1):
        try:
            trial = trial_of(base, number, combination)
        except SpecError as error:
            wrong += 1
            for item in error.diagnostics:
                if item.severity == "error":
                    key = (item.code, "".join("#" if char.isdigit() else char for char in item.message))
                    faults.setdefault(key, (item, []))[1].append(combination.said)
            continue
        for item in trial.spec.diagnostics:
            warnings.setdefault(f"warning[{item.code}]: {item.message}")
        same += trial.digest in trials
        trials.setdefault(trial.digest, trial)
    notes = list(warnings)
    if same:
        notes.append(
            f"{count(same, 'combination')} {'comes' if same == 1 else 'come'} to the spec of another one, and "
            f"{'is' if same == 1 else 'are'} tried once"
        )
    if faults and (not skip or not trials):
        whole = len(combinations)
        raise SpecError(
            [
                item._replace(
                    notes=(
                        *item.notes,
                        f"so in {len(own):,} of {count(whole, 'combination')}: {'; '.join(own[:SHOWN])}"
                        + (f"; and {len(own) - SHOWN:,} more" if len(own) > SHOWN else ""),
                    ),
                    help=(
                        *item.help,
                        *(["--skip-invalid tries the other combinations"] if trials and not skip else []),
                    ),
                )
                for item, own in faults.values()
            ]
        )
    if wrong:
        reasons = listed([f"{item.code} {item.message}" for item, _ in faults.values()], 3)
        notes.append(f"{count(wrong, 'combination')} left out: {reasons}")
    return list(trials.values()), notes


def trial_of(base: Spec, number: int, combination: Combination) -> Trial:
    """The trial of a combination. Raises `SpecError` with what is wrong in its spec, its shapes or its recipe."""
    without = undone([*base.overrides, *combination.overrides])
    if without is not None:
        raise DataError(
            "E113",
            without,
            help=["give both in one value: --set 'train.optimiser={sgd: 0.1},{adam: 0.001}'"],
        ).located(None)
    spec = base.changed_by(combination.overrides)
    errors = [item for item in spec.diagnostics if item.severity == "error"]
    if errors:
        raise SpecError(errors)
    if spec.train is None:
        raise DataError(
            "E504",
            f"{spec.name} has no `train:` section",
            help=["for example `train: {dataset: {npz: FILE}, epochs: 10}`, in a spec that `extends` this one"],
        ).located(None)
    try:
        spec.train.dataset.check_path()
        return Trial.of(number, combination, spec)
    except DataError as error:
        raise spec.data_error(error) from None
