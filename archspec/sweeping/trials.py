"""Trials as run folders below one folder, which is all the state that a sweep has.

`trials/NUMBER-DIGEST` is a trial's run folder; beside it lie its elaborated spec (`.yaml`), what was chosen and, where
it failed, why (`.trial.json`), and what it printed (`.txt`). `claims/DIGEST.lock` says which process has the trial: it
is made by one process alone, and counts no more once that process has ended (`runs/holding.py`). So any number of
processes on any hosts that share the folder may work on a sweep, and be killed at any time.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple

from archspec.loading import Spec
from archspec.runs.folder import CHECKPOINTS, FAILED, RESULT, RunFolder, read_object
from archspec.runs.holding import Held, hold
from archspec.runs.owner import this_process, unusable
from archspec.runs.rows import TRIAL, best_record
from archspec.sweeping.child import AWAY, BUSY, CHANGED
from archspec.sweeping.space import Combination
from archspec.watching import Figure, compared_by
from archspec.writing import write

TRIALS, CLAIMS = "trials", "claims"
OUTPUT = ".txt"
CHILD = [sys.executable, "-m", "archspec.sweeping.child"]
"""What runs a trial, told which on its standard input."""
AGAIN = 2.0
"""Seconds after which a run folder that another process still writes is tried again: of a sweep that was killed, whose
trial ends a little later."""
PAUSE = 0.5
"""Seconds between looks at what others do."""


class Trial(NamedTuple):
    """One combination with its spec. Trials are told apart by the digest of the spec; `number` is for people."""

    number: int
    combination: Combination
    spec: Spec
    text: str
    digest: str
    epochs: int
    figure: Figure

    @property
    def name(self) -> str:
        return f"{self.number:03d}-{self.digest}"

    @classmethod
    def of(cls, number: int, combination: Combination, spec: Spec) -> Trial:
        """The trial of a spec that has been checked."""
        text = spec.to_yaml()
        recipe = spec.train
        assert recipe is not None
        figure = compared_by(recipe, spec.heads(), spec.graph().main_output.name)
        digest = sha256(text.encode()).hexdigest()[:12]
        return cls(number, combination, spec, text, digest, recipe.epochs, figure)


class Outcome(NamedTuple):
    """What came of a trial so far.

    `value` is its figure of the validation record of the state that it ends with, or ended a rung with; None where
    there is none. `failed` says why it failed.
    """

    value: float | None
    epochs: float
    finished: bool
    failed: str | None
    record: Mapping[str, Any]


class Stop(Exception):  # noqa: N818 (the words are for the user, and it is no trial's fault)
    """Ends the sweep in this process; the words say why, and what goes on."""


class Folder:
    """A sweep's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials = path / TRIALS
        self.claims = path / CLAIMS

    def make(self) -> None:
        """Makes it where it is not there. Raises `DataError`."""
        try:
            self.trials.mkdir(parents=True, exist_ok=True)
            self.claims.mkdir(exist_ok=True)
        except OSError as error:
            raise unusable(self.path, error) from None

    def names(self) -> dict[str, str]:
        """The names of trials that have begun, by their digests."""
        found = {}
        with suppress(OSError):
            for entry in os.scandir(self.trials):
                match = re.fullmatch(r"([0-9]+-([0-9a-f]{12}))" + re.escape(TRIAL), entry.name)
                if match:
                    found[match[2]] = match[1]
        return found

    def outcome(self, trial: Trial, until: int | None = None) -> Outcome:
        """What came of a trial, or of its epochs until a rung's end."""
        name = self.names().get(trial.digest, trial.name)
        path = self.trials / name
        about = read_object(self.trials / f"{name}{TRIAL}")
        failed = about.get(FAILED)
        records = RunFolder(path).metrics().records
        result = read_object(path / RESULT)
        longer = self.trained_on(trial)
        end = trial.epochs if until is None else until
        if (until is not None and until < trial.epochs) or longer:
            records = [record for record in records if record["epoch"] <= end]
            best = trial.spec.train is not None and trial.spec.train.best is not None
            record = best_record(records, trial.figure) if best else records[-1] if records else {}
        else:
            step = result.get("step")
            record = next((own for own in records if own["step"] == step), {})
            if not record and records and result:  # of a run whose records are lost but for some
                record = records[-1]
        reason = str(failed.get("message", "it failed")) if isinstance(failed, dict) else None
        epochs = records[-1]["epoch"] if records else 0
        done = bool(result) or ((until is not None or longer) and self.reached(path, records, end))
        return Outcome(trial.figure.of(record), epochs, done, reason, record)

    def trained_on(self, trial: Trial) -> bool:
        """Whether somebody went on with a trial's run, for more epochs than it has: it counts as it was before."""
        text = RunFolder(self.trials / self.names().get(trial.digest, trial.name)).spec_text
        return text is not None and text != trial.spec.kept()[0]

    def reached(self, path: Path, records: Sequence[Mapping[str, Any]], until: int) -> bool:
        """Whether a run has a checkpoint at the end of an epoch, or after it."""
        step = next((record["step"] for record in records if record["epoch"] >= until), None)
        if step is None:
            return False
        with suppress(OSError):
            return any(name.isdecimal() and int(name) >= step for name in os.listdir(path / CHECKPOINTS))
        return False

    def claim(self, key: str) -> Held | None:
        """A claim on a trial, by its digest; None where another process has it."""
        try:
            return hold(self.claims / f"{key}.lock", this_process())
        except OSError as error:
            raise unusable(self.path, error) from None

    def begin(self, trial: Trial) -> str:
        """Writes what a trial is, where that is not there; its name in the folder."""
        name = self.names().get(trial.digest, trial.name)
        spec = self.trials / f"{name}.yaml"
        if not spec.is_file():
            write(spec, trial.text)
        if not (self.trials / f"{name}{TRIAL}").is_file():
            about = {"number": trial.number, "digest": trial.digest, "settings": trial.combination.settings}
            write(self.trials / f"{name}{TRIAL}", json.dumps(about, default=str) + "\n")
        return name

    def fail(self, name: str, reason: Mapping[str, Any]) -> None:
        """Has a trial's record say why it failed: from then on it counts as finished."""
        file = self.trials / f"{name}{TRIAL}"
        write(file, json.dumps({**read_object(file), FAILED: dict(reason)}) + "\n")

    def forgive(self, trial: Trial) -> bool:
        """Forgets that a trial failed, so that it is tried again; whether it had."""
        name = self.names().get(trial.digest)
        file = self.trials / f"{name}{TRIAL}"
        about = read_object(file)
        if name is None or FAILED not in about:
            return False
        write(file, json.dumps({key: value for key, value in about.items() if key != FAILED}) + "\n")
        return True

    def others(self, trials: Sequence[Trial]) -> int:
        """How many trials of other settings lie in the folder."""
        return len(self.names().keys() - {trial.digest for trial in trials})


class Running(NamedTuple):
    """A trial in its process."""

    trial: Trial
    name: str
    until: int | None
    process: subprocess.Popen[bytes]
    output: IO[bytes] | None
    held: Held


class How(NamedTuple):
    """How trials are run: files with kinds of one's own, compiled programs, pages, output, words of the command."""

    plugins: Sequence[str] = ()
    no_cache: bool = False
    pages: bool = False
    verbose: bool = False
    command: str = "archspec sweep"


def started(folder: Folder, trial: Trial, until: int | None, held: Held, how: How) -> Running:
    """Starts a trial in a process of its own, in a session of its own: Ctrl-C reaches it by us."""
    name = folder.begin(trial)
    outcome = folder.trials / f"{name}.outcome"
    outcome.unlink(missing_ok=True)
    order = {
        "spec": str(folder.trials / f"{name}.yaml"),
        "workdir": str(folder.trials / name),
        "outcome": str(outcome),
        "until": until if until is not None and until < trial.epochs else None,
        "epochs": trial.epochs,
        "plugins": [str(Path(file).resolve()) for file in how.plugins],
        "no_cache": how.no_cache,
        "page": how.pages,
        "command": how.command,
    }
    output = None if how.verbose else open(folder.trials / f"{name}{OUTPUT}", "ab")  # noqa: SIM115 (closed at its end)
    process = subprocess.Popen(
        CHILD,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    return Running(trial, name, until, process, output, held)


def ended(folder: Folder, run: Running) -> str | None:
    """Sees to a trial whose process has ended: why it failed, None where it did not.

    Raises `Stop` where it was stopped, or failed for what it cannot be blamed for.
    """
    status = run.process.wait()
    if run.process.stdin is not None:
        with suppress(OSError):
            run.process.stdin.close()
    if run.output is not None:
        run.output.close()
    outcome = folder.trials / f"{run.name}.outcome"
    told = read_object(outcome)
    try:
        if status == 0:
            return None
        where = folder.trials / f"{run.name}{OUTPUT}"
        if status == BUSY:
            time.sleep(AGAIN)
            return None
        if status in (AWAY, CHANGED):
            raise Stop(f"trial {run.name} cannot go on: {_last_words(where)}")
        if status in (130, 143, -signal.SIGTERM, -signal.SIGINT):
            raise Stop(f"trial {run.name} was stopped")
        if not told:
            if status < 0:
                name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
                killed = ", as the system does where memory runs out" if -status == signal.SIGKILL else ""
                told = {"code": "E902", "message": f"its process was ended by {name}{killed}"}
            else:
                told = {"code": "E901", "message": f"its process ended with status {status}: {_last_words(where)}"}
        folder.fail(run.name, told)
        return str(told.get("message", ""))
    finally:
        outcome.unlink(missing_ok=True)
        run.held.release()


def _last_words(path: Path) -> str:
    with suppress(OSError):
        lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
        told = [line for line in lines[-12:] if line.startswith("error[")]
        return (told or lines or [""])[-1][:300]
    return ""


def stop(runs: Sequence[Running]) -> None:
    """Has trials stop, each with a checkpoint; a second Ctrl-C ends them at once."""
    for run in runs:
        with suppress(ProcessLookupError):
            run.process.send_signal(signal.SIGTERM)
    try:
        for run in runs:
            run.process.wait()
    except KeyboardInterrupt:
        for run in runs:
            run.process.kill()
        raise
    finally:
        for run in runs:
            run.held.release()
            if run.output is not None:
                run.output.close()


def has_validation(folder: Folder, name: str) -> bool | None:
    """Whether a finished trial chose by a part that is not its held-out one; None where that is not known."""
    result = read_object(folder.trials / name / RESULT)
    return None if not result else isinstance(result.get("test"), dict)
