"""A sweep from its space to its result: everything is checked before the first trial, and any process may go on."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archspec.diagnostics import DataError, count, listed
from archspec.fields import at_home
from archspec.loading import Spec, open_spec
from archspec.output import said_when_slow, say
from archspec.sweeping.checking import checked, drawn_trials
from archspec.sweeping.choosing import Outcomes, ranked, rungs, survivors
from archspec.sweeping.space import Space, no_range, python_space
from archspec.sweeping.trials import PAUSE, Folder, How, Outcome, Running, Stop, Trial, ended, started, stop
from archspec.training.interrupt import Stopped, held_back

if TYPE_CHECKING:
    from archspec.sweeping.showing import SweepResult
    from archspec.sweeping.tpe import Proposals

Search = Literal["grid", "random", "halving", "tpe"]
SEARCHES: tuple[Search, ...] = ("grid", "random", "halving", "tpe")
FACTOR = 3
MOST_EDGES = 256
"""Combinations of values and bounds that are checked before the first trial of a search that is not known before."""


@dataclass
class Sweep:
    """What is to be done: the trials of a search, or what proposes them, and where. `notes` are to be said first."""

    folder: Folder
    space: Space
    search: Search
    trials: list[Trial]
    rungs: list[tuple[int | None, int]]
    """Of each rung the epoch at which it ends, None for the end of training, and how many trials it has."""
    notes: list[str]
    proposals: Proposals | None = None
    wanted: int = 0
    how: How = field(default_factory=How)
    jobs: int = 1
    shown: bool = True

    def go(self) -> None:
        """Works until every trial has ended, in this process or another one.

        Raises `Stopped` after Ctrl-C or SIGTERM, and `DataError` where the folder cannot be used. Trials that fail are
        recorded, and no reason to end.
        """
        self.folder.make()
        running: list[Running] = []
        try:
            # A signal that falls into `Popen` would leave a trial that nobody knows of; one that falls into `poll`, a
            # process that can never be waited for again.
            with held_back(signal.SIGINT, signal.SIGTERM) as check:
                if self.proposals is not None:
                    self._propose(running, check)
                    return
                members = self.trials
                for rung, (until, number) in enumerate(self.rungs):
                    if rung:
                        before, _ = self.rungs[rung - 1]
                        members = survivors(members, self.outcomes(members, before), number)
                        if members and self.shown:
                            said = f"rung {rung + 1} of {len(self.rungs)}: {count(len(members), 'trial')} "
                            say(said + (f"until epoch {until}" if until is not None else "to the end"))
                    self._work(members, until, running, check)
        except KeyboardInterrupt as interrupt:
            stop(running)
            number = interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT
            raise Stopped(f"stopped; the same command goes on with the sweep in {self.folder.path}", number) from None
        except BaseException:
            stop(running)
            raise

    def _work(
        self, members: Sequence[Trial], until: int | None, running: list[Running], check: Callable[[], None]
    ) -> None:
        while True:
            check()
            self._reap(running)
            done = self.outcomes(members, until)
            todo = _todo(members, done, running)
            if not todo and not running:
                return
            if not self._begin(todo, until, running):
                time.sleep(PAUSE)

    def _begin(self, todo: Sequence[Trial], until: int | None, running: list[Running]) -> bool:
        """Starts as many trials as there are free places and trials that nobody has; whether one was."""
        begun = False
        for trial in todo:
            if len(running) >= self.jobs:
                break
            held = self.folder.claim(trial.digest)
            if held is None:
                continue
            outcome = self.folder.outcome(trial, until)  # another process may have been quicker
            if outcome.finished or outcome.failed:
                held.release()
                continue
            if self.shown:
                on = f", on from epoch {outcome.epochs:g}" if outcome.epochs else ""
                say(f"trial {trial.number} of {self.wanted}: {trial.combination.said}{on}")
            running.append(started(self.folder, trial, until, held, self.how))
            begun = True
        return begun

    def _reap(self, running: list[Running]) -> None:
        """Sees to trials whose processes have ended. Raises `DataError` where one ended for the folder's sake."""
        for run in list(running):
            if run.held.lost and run.process.poll() is None:
                # This process was not heard of for so long that another one has the trial by now.
                run.process.terminate()
            if run.process.poll() is None:
                continue
            running.remove(run)
            try:
                reason = ended(self.folder, run)
            except Stop as end:
                if run.held.lost:
                    continue
                raise DataError("E514", str(end), help=["the same command goes on with the sweep"]) from None
            if self.shown:
                say(self._said(run, reason))

    def _said(self, run: Running, reason: str | None) -> str:
        trial = run.trial
        if reason is not None:
            return f"trial {trial.number} failed: {reason}"
        outcome = self.folder.outcome(trial, run.until)
        if not outcome.finished:
            return f"trial {trial.number} is written by another process, and tried again"
        value = "–" if outcome.value is None else f"{outcome.value:.4g}"
        return f"trial {trial.number}: {trial.figure.name} {value} after {count(int(outcome.epochs), 'epoch')}"

    def _propose(self, running: list[Running], check: Callable[[], None]) -> None:
        assert self.proposals is not None
        while True:
            check()
            self._reap(running)
            known, free = self.proposals.look(self.folder, {run.trial.number for run in running})
            self.trials = known
            done = self.outcomes(known, None)
            todo = _todo(known, done, running)
            if not free and not todo and not running:
                return
            begun = self._begin(todo, None, running)
            if not begun and free and len(running) < self.jobs:
                trial = self.proposals.propose(self.folder, free[0], known, done)
                begun = trial is not None
            if not begun:
                time.sleep(PAUSE)

    def outcomes(self, trials: Sequence[Trial], until: int | None = None) -> Outcomes:
        """What came of trials so far."""
        return {trial.digest: self.folder.outcome(trial, until) for trial in trials}

    def result(self) -> SweepResult:
        """What has come of it: trials in their order, the best first."""
        from archspec.sweeping.showing import SweepResult

        order: list[Trial] = []
        outcomes: dict[str, Outcome] = {}
        members = self.trials
        left: list[list[Trial]] = []
        for rung, (until, number) in enumerate(self.rungs):
            if rung:
                members = survivors(members, outcomes, number)
            outcomes |= self.outcomes(members, until)
            left.append(ranked(members, outcomes))
        for group in reversed(left):
            good = [trial for trial in group if outcomes[trial.digest].failed is None]
            order += [trial for trial in good if trial not in order]
        order += [trial for trial in ranked(self.trials, outcomes) if trial not in order]
        return SweepResult.of(self, order, outcomes)


def prepared(
    base: Spec,
    space: Space,
    *,
    search: Search = "grid",
    trials: int | None = None,
    seed: int = 0,
    workdir: Path | None = None,
    factor: int = FACTOR,
    skip_invalid: bool = False,
) -> Sweep:
    """A sweep whose trials are all checked. Raises `SpecError` with every fault and how many combinations have it."""
    notes = list(space.notes)
    if not space.axes:
        raise DataError(
            "E113",
            "there is nothing to try: no --set has several values",
            help=["--set train.optimiser.sgd.learning_rate=0.01,0.03,0.1", "one run is `archspec train`"],
        ).located(None)
    base = base.changed_by(space.fixed)
    if search == "tpe":
        from archspec.sweeping.tpe import check_installed

        check_installed()
    drawn = search == "random" or (search == "halving" and (space.size is None or trials is not None))
    if trials is None and (search in ("random", "tpe") or (drawn and space.size is None)):
        raise DataError("E113", f"--search {search} does not end by itself", help=["--trials N says how many"]).located(
            None
        )
    if search == "grid":
        no_range(space, "grid")
        if trials is not None:
            help = ["leave --trials out", "--search random tries N combinations of them"]
            raise DataError("E113", "a grid tries all combinations: --trials has no meaning", help=help).located(None)
    with said_when_slow("checking every combination"):
        if search == "tpe":
            edges = list(islice(space.edges(), MOST_EDGES + 1))
            if len(edges) > MOST_EDGES:
                edges.pop()
                notes.append(f"{MOST_EDGES:,} combinations of values and bounds are checked before the first trial")
            checked(base, edges, skip_invalid)
            found: list[Trial] = []
        elif drawn:
            found, said = drawn_trials(base, space, trials or 1, seed, skip_invalid)
            notes += said
        else:
            found, said = checked(base, list(space.grid()), skip_invalid)
            notes += said
    named = found[0].spec if found else base
    folder = Folder(Path(at_home(str(workdir))) if workdir is not None else Path("runs") / f"{named.run_name}-sweep")
    if search == "tpe":
        from archspec.sweeping.tpe import Proposals

        sweep = Sweep(folder, space, search, [], [(None, trials or 1)], notes, wanted=trials or 1)
        sweep.proposals = Proposals(base, space, trials or 1, seed)
        return sweep
    steps: list[tuple[int | None, int]] = [(None, len(found))]
    if search == "halving":
        steps = _rungs(found, factor)
    return Sweep(folder, space, search, found, steps, notes, wanted=len(found))


def _rungs(trials: Sequence[Trial], factor: int) -> list[tuple[int | None, int]]:
    epochs = {trial.epochs for trial in trials}
    if len(epochs) > 1:
        raise DataError(
            "E113",
            "--search halving stops trials at equal epochs, and train.epochs differs among them",
            help=["leave train.epochs out of what is tried"],
        ).located(None)
    found = rungs(len(trials), epochs.pop(), factor)
    for trial in trials:
        every = trial.spec.train.evaluate_every if trial.spec.train is not None else None
        if every is not None and every.epochs and any(end % every.epochs for end, _ in found[:-1]):
            raise DataError(
                "E113",
                f"rungs end after {listed([str(end) for end, _ in found[:-1]])} epochs, of which "
                f"`evaluate_every: {{epochs: {every.epochs}}}` measures not all",
                help=["leave `evaluate_every` out"],
            ).located(None)
        if every is not None and every.steps:
            raise DataError(
                "E113",
                "--search halving compares trials at the ends of epochs, and `evaluate_every` counts steps",
                help=["--set train.evaluate_every= measures each epoch's end"],
            ).located(None)
    ends: list[tuple[int | None, int]] = [(end, number) for end, number in found]
    ends[-1] = (None, ends[-1][1])
    return ends


def _todo(trials: Sequence[Trial], done: Outcomes, running: Sequence[Running]) -> list[Trial]:
    """The trials that have not ended, and that this process is not at."""
    busy = {run.trial.digest for run in running}
    ended = {digest for digest, outcome in done.items() if outcome.finished or outcome.failed}
    return [trial for trial in trials if trial.digest not in ended | busy]


def sweep(
    spec: Spec | str | Path,
    settings: Mapping[str, Any],
    *,
    search: Search = "grid",
    trials: int | None = None,
    seed: int = 0,
    workdir: Path | str | None = None,
    jobs: int = 1,
    factor: int = FACTOR,
    skip_invalid: bool = False,
    progress: bool = True,
    verbose: bool = False,
) -> SweepResult:
    """Tries settings of a spec, a run each, and returns them with the best first.

    `settings` are values by path: a list is tried one by one, `"1e-4..1e-1"` is a range, whose numbers are drawn by
    their logarithm (whole ones alike), another value is set in all trials. `search` is `grid`, `random` with
    `trials` combinations by `seed`, `halving` (successive halving: all trials train for a part of the epochs, and the
    best of each `factor` go on), or `tpe` by Optuna. The best is chosen by the validation figure that the spec's `best`
    names, else by its task's headline. State is the folder `workdir` alone (runs/NAME-sweep): the same call goes on
    where another one was ended, and several processes may make it at once. Each trial runs in a process of its own,
    `jobs` at a time; one that fails ranks last. Raises `SpecError` where a combination is wrong, before the first trial
    (`skip_invalid` leaves these out), and where the folder cannot be used.
    """
    from archspec.plugins import loaded_files, used_by

    base = spec if isinstance(spec, Spec) else open_spec(str(spec))
    space = python_space(settings)
    made = prepared(
        base,
        space,
        search=search,
        trials=trials,
        seed=seed,
        workdir=Path(workdir) if workdir is not None else None,
        factor=factor,
        skip_invalid=skip_invalid,
    )
    for trial in made.trials:
        for used in used_by(trial.spec, trial.spec.graph()):
            if used["path"] is None:
                raise DataError(
                    "E113",
                    f"{used['file']} is a class of this process, which those of trials do not know",
                    help=["write it into a file, and give `archspec.plugin` the file"],
                ).located(None)
    made.jobs, made.shown = jobs, progress
    made.how = How(loaded_files(), verbose=verbose, command=" ".join(sys.argv))
    return worked(made)


def worked(made: Sweep, tell: Callable[[str], None] = say) -> SweepResult:
    """Does what a sweep has left to do, and returns its result. Raises `SpecError`."""
    try:
        if made.shown:
            for note in made.notes:
                tell(note)
            others = made.folder.others(made.trials) if made.proposals is None else 0
            if others:
                tell(f"{made.folder.path} holds {count(others, 'trial')} of other settings too, left out here")
        made.go()
        return made.result()
    except DataError as error:
        raise error.located(None) from None
