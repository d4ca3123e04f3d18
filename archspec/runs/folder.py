"""The run folder: what a run was made of and what came of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from archspec.diagnostics import DataError, SpecError, listed
from archspec.runs.holding import LOCK
from archspec.runs.owner import MARKER, Owner, marker_of
from archspec.writing import PARTIAL, write

SPEC = "spec.yaml"
RUN = "run.json"
METRICS = "metrics.jsonl"
TIMES = "times.jsonl"
CURVES = "curves.png"
LOWERINGS = "lowerings.json"
"""How the run's operations were computed: `training/lowered.py`."""
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
REPORT = "report.txt"
PAGE = "run.html"
"""What came of the run, as a page."""
EXPORTED = {"stablehlo": "network.stablehlo"}
"""The network as `train.export` asks for it, by the formats' names."""
RESULT = "result.json"
WEIGHTS = "weights.safetensors"
IMPORT = "import.json"

FIGURE = "figure"
"""Under this name run.json has the figure by which runs are compared."""
FAILED = "failed"
"""Under this name run.json says why the run ended before its time; not there where it goes on."""

OF_RUN = (RESULT, METRICS, TIMES, CURVES, PAGE, *EXPORTED.values(), REPORT, LOWERINGS, RUN, SPEC)
OF_IMPORT = (RESULT, WEIGHTS, IMPORT, SPEC)
"""What a run and an import make. The spec is deleted last: a folder in the middle of that is known by it."""

KEPT = re.compile(r"mean_image-[0-9a-f]{16}\.npy")
"""What files are called that a spec names and the folder keeps beside it: `Spec.kept`."""

EVENTS = "events.out.tfevents."
"""How the names of TensorBoard's files begin."""

UNFINISHED = ".orbax-checkpoint-tmp"
"""What the names of checkpoints have in them that are not yet written, or about to be deleted."""

_INSIDE: dict[str, Callable[[str], bool]] = {
    CHECKPOINTS: lambda name: name.isdecimal() or UNFINISHED in name,
    TENSORBOARD: lambda name: name.startswith(EVENTS),
}
"""What a run makes in its folders."""


class Metrics(NamedTuple):
    """Records of evaluations, one of a step and in order, and what was wrong with the file that they were read from."""

    records: list[dict[str, Any]]
    notes: list[str]


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one run, or one import."""

    path: Path

    @property
    def spec_text(self) -> str | None:
        """The elaborated spec in this folder; None where there is none that can be read."""
        try:
            return (self.path / SPEC).read_text("utf-8")
        except (OSError, ValueError):
            return None

    @property
    def spec_changed(self) -> bool:
        """Whether the spec in this folder is not the one that was written, as far as the marker tells."""
        known = (marker_of(self.path) or {}).get("specs")
        path = self.path / SPEC
        return isinstance(known, list) and path.is_file() and sha256(path.read_bytes()).hexdigest() not in known

    @property
    def purpose(self) -> str | None:
        """What this program made the folder for, `run` or `import`; None where it did not make it."""
        purpose = (marker_of(self.path) or {}).get("purpose")
        if purpose in ("run", "import"):
            return str(purpose)
        # Before there were markers.
        if {"network", "sha256"} <= set(read_object(self.path / IMPORT)):
            return "import"
        return "run" if {"archspec", "packages"} <= set(read_object(self.path / RUN)) else None

    @property
    def begun(self) -> bool:
        """Whether there is a run to go on with."""
        has_run = any((self.path / name).exists() for name in (RUN, METRICS, CHECKPOINTS))
        return self.spec_text is not None and has_run and not self.imported

    @property
    def finished(self) -> bool:
        return (self.path / RESULT).is_file()

    @property
    def imported(self) -> bool:
        """Whether the folder holds imported weights instead of a run."""
        return (self.path / IMPORT).is_file()

    @property
    def classes(self) -> list[str]:
        """The names of the classes; none where they are not known. A run knows them from its beginning on."""
        return names_in(read_object(self.path / RESULT).get("classes") or self.about.get("classes"))

    @property
    def value_names(self) -> list[str]:
        """What the numbers of a regression are called; none where they have no names."""
        return names_in(self.about.get("values"))

    @property
    def about(self) -> dict[str, Any]:
        """What run.json says; empty where there is none that can be read."""
        return read_object(self.path / RUN)

    @property
    def plugins(self) -> Any:
        """What is recorded of the files with kinds of the user's own; None where there were none."""
        return read_object(self.path / (IMPORT if self.imported else RUN)).get("plugins")

    def clear(self) -> None:
        """Deletes what a run or an import made here, and nothing else. Raises `DataError` before it does."""
        import shutil

        reason = self.undeletable()
        if reason is not None:
            raise reason
        for inner in _INSIDE:
            for entry in _made_inside(self.path, inner):
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            _remove_empty(self.path / inner)
        for entry in [entry for name in {*OF_RUN, *OF_IMPORT} for entry in _partials(self.path, name)]:
            entry.unlink(missing_ok=True)
        for entry in self._kept():
            entry.unlink(missing_ok=True)
        for name in OF_IMPORT if self.purpose == "import" else OF_RUN:
            (self.path / name).unlink(missing_ok=True)

    def forget(self, kept: Iterable[str]) -> None:
        """Deletes the files that the spec named before, but for these."""
        for entry in self._kept():
            if entry.name not in kept:
                entry.unlink(missing_ok=True)

    def _kept(self) -> list[Path]:
        """The files that the spec names, and what killed processes left of them."""
        return [item for item in self.path.iterdir() if _is_kept(item.name) and not item.is_symlink()]

    def clear_rest(self) -> None:
        """Deletes what libraries made in the place of a folder that was moved away meanwhile: its inner folders."""
        import shutil

        if (self.path / MARKER).exists():
            return  # another folder by now
        with suppress(OSError):
            for inner in _INSIDE:
                for entry in _made_inside(self.path, inner):
                    if entry.is_dir():
                        shutil.rmtree(entry, ignore_errors=True)
                    else:
                        entry.unlink()
                _remove_empty(self.path / inner)
            _remove_empty(self.path)

    def undeletable(self) -> DataError | None:
        """Why what is in the folder must not be deleted: it is not, or not wholly, what a run or an import made."""
        if self.purpose is None:
            reason = f"{self.path} is not empty and holds no run" if occupied(self.path) else None
            return DataError("E511", reason, help=[ELSEWHERE]) if reason else None
        kept = [entry.name for entry in self.path.iterdir() if KEPT.fullmatch(entry.name)]
        for name in (*{*OF_RUN, *OF_IMPORT, *_INSIDE}, *kept):
            path = self.path / name
            if path.is_symlink():
                return DataError("E511", f"{path} is a link, which no run made", help=["move it away", ELSEWHERE])
            if path.exists() and path.is_dir() != (name in _INSIDE):
                what = "a folder" if path.is_dir() else "a file"
                return DataError("E511", f"{path} is {what}, which no run made", help=["move it away", ELSEWHERE])
        for inner, is_made in _INSIDE.items():
            # What is not deleted would be taken for the new run's.
            for path in (self.path / inner).iterdir() if (self.path / inner).is_dir() else ():
                if is_made(path.name) and path.is_symlink():
                    return DataError("E511", f"{path} is a link, which no run made", help=["move it away", ELSEWHERE])
        if self.spec_changed:
            return DataError(
                "E511",
                f"{self.path / SPEC} is not as it was written, so it is not deleted",
                help=["move it away, or choose another folder"],
            )
        return None

    def metrics(self) -> Metrics:
        """One record of a step, in order. A last line that a killed process left unfinished is passed over.

        Raises `DataError` where records call `test` what is validation.
        """
        path = self.path / METRICS
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            return Metrics([], [])
        lines = text.splitlines()
        by_step: dict[int, dict[str, Any]] = {}
        unreadable, doubled = 0, set()
        for number, line in enumerate(lines):
            record = _record(line)
            if record is None and _is_of_two_parts(line):
                raise DataError(
                    "E513",
                    f"{path} is of an earlier archspec: what it calls `test` is called `validation` now",
                    help=["--overwrite trains anew", "or choose another folder as --workdir"],
                )
            if record is None:
                unreadable += number < len(lines) - 1 or text.endswith("\n")
                continue
            if record["step"] in by_step:
                doubled.add(record["step"])
            by_step[record["step"]] = record
        notes = []
        if unreadable:
            notes.append(f"{path}: {unreadable} of {len(lines)} lines cannot be read and are left out")
        if doubled:
            notes.append(f"{path} has more than one line of {_steps(doubled)}; the last counts")
        return Metrics([by_step[step] for step in sorted(by_step)], notes)

    def keep_metrics(self, step: int, due: Iterable[int] = ()) -> Metrics:
        """Drops the records after a step: those of work that is done again.

        `due` are the steps before it that should have a record; those that have none are noted.
        """
        records, notes = self.metrics()
        kept = [record for record in records if record["step"] <= step]
        lost = set(due) - {record["step"] for record in kept}
        if lost:
            notes.append(f"{self.path / METRICS} has no line of {_steps(lost)}, nor will the curves have")
        text = "".join(json.dumps(record) + "\n" for record in kept)
        if not _holds(self.path / METRICS, text):
            write(self.path / METRICS, text)
        times = self.times()
        text = "".join(json.dumps(times[at]) + "\n" for at in sorted(times) if at <= step)
        if not _holds(self.path / TIMES, text):
            write(self.path / TIMES, text)
        return Metrics(kept, notes)

    def times(self) -> dict[int, dict[str, Any]]:
        """What each record took, by its step: no two runs have it alike. Lines that cannot be read are passed over."""
        try:
            lines = (self.path / TIMES).read_text("utf-8", "replace").splitlines()
        except OSError:
            return {}
        found = (_object(line) for line in lines)
        return {value["step"]: value for value in found if value is not None and type(value.get("step")) is int}

    def add_metrics(self, record: dict[str, Any], times: dict[str, Any]) -> None:
        """Adds a record, and what it took. The files are there since the run began: else their folder has gone."""
        for name, own in ((TIMES, times), (METRICS, record)):
            descriptor = os.open(self.path / name, os.O_WRONLY | os.O_APPEND)
            with open(descriptor, "a", encoding="utf-8") as file:
                file.write(json.dumps(own) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def begin(
        self, owner: Owner, spec_text: str, report: str, about: dict[str, Any], kept: Mapping[str, bytes] | None = None
    ) -> None:
        """Writes what the run is made of into its folder. `kept` are the files that the spec names."""
        owner.says(purpose="run")
        # The spec comes first: from then on the folder is known as this run's, wherever it is killed.
        self.write_spec(owner, spec_text, kept)
        write(self.path / REPORT, report + "\n")
        self.say(about)

    def write_spec(self, owner: Owner, text: str, kept: Mapping[str, bytes] | None = None) -> None:
        """Writes the spec, and the files that it names; the marker knows it from before on, and the one that was there
        too.
        """
        for name, content in (kept or {}).items():
            write(self.path / name, content)
        digests = [digest_of_text(text)]
        if self.spec_text is not None:
            digests.append(sha256((self.path / SPEC).read_bytes()).hexdigest())
        owner.says(specs=digests)
        write(self.path / SPEC, text)

    def say(self, about: dict[str, Any]) -> None:
        """Writes run.json."""
        write(self.path / RUN, json.dumps(about, indent=2) + "\n")

    def fail(self, error: DataError | SpecError) -> None:
        """Has run.json say why the run ended before its time, until it goes on."""
        first = error.diagnostics[0] if isinstance(error, SpecError) else error
        self.say({**self.about, FAILED: {"code": first.code, "message": first.message}})

    def note(self, notes: Sequence[str]) -> None:
        """Adds notes to those that run.json keeps, each once."""
        about = self.about
        held = about.get("notes")
        before = [str(note) for note in held] if isinstance(held, list) else []
        added = [note for note in dict.fromkeys(notes) if note not in before]
        if added:
            self.say({**about, "notes": before + added})


def names_in(value: Any) -> list[str]:
    """The names that a record lists; none where it is no list."""
    return [str(name) for name in value] if isinstance(value, list) else []


ELSEWHERE = "choose an empty or a new folder as --workdir"


def read_object(path: Path) -> dict[str, Any]:
    """The mapping that a JSON file holds; empty where it holds none or cannot be read."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _object(line: str) -> dict[str, Any] | None:
    """A line's mapping; None where it has none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _record(line: str) -> dict[str, Any] | None:
    """A line's record of an evaluation; None where it has none."""
    value = _object(line)
    whole = (
        value is not None
        and type(value.get("step")) is int
        and value["step"] > 0
        and type(value.get("epoch")) in (int, float)
        and isinstance(value.get("train"), dict)
        and isinstance(value.get("validation"), dict)
    )
    return value if whole else None


def _is_of_two_parts(line: str) -> bool:
    """Whether a line is a record of before validation and test were two parts."""
    value = _object(line)
    return value is not None and isinstance(value.get("test"), dict) and "validation" not in value


def _steps(steps: set[int]) -> str:
    """`step 3`, `steps 1, 2 and 7`."""
    return f"step{'s' if len(steps) > 1 else ''} {listed(map(str, sorted(steps)), 6)}"


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _made_inside(folder: Path, inner: str) -> Iterator[Path]:
    path = folder / inner
    if path.is_dir() and not path.is_symlink():
        for entry in list(path.iterdir()):
            if _INSIDE[inner](entry.name) and not entry.is_symlink():
                yield entry


def _remove_empty(path: Path) -> None:
    if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        path.rmdir()


def _partials(folder: Path, name: str) -> list[Path]:
    """What killed processes left of a file that they had not written to the end."""
    return [item for item in folder.iterdir() if _is_partial(item.name, name) and not item.is_symlink()]


def _is_partial(name: str, of: str) -> bool:
    return re.fullmatch(re.escape(of) + r"(\.\d+-\d+)?" + re.escape(PARTIAL), name) is not None


def made_by_run(path: Path) -> bool:
    """Whether a file is one that the run or the import in its folder makes, so that nothing else may lie there."""
    path = Path(os.path.realpath(path))
    for folder in (path.parent, *path.parent.parents):
        if (folder / MARKER).exists() or (folder / SPEC).exists():
            first = path.relative_to(folder).parts[0]
            return first == MARKER or first in OF_RUN or first in OF_IMPORT or first in _INSIDE or _is_kept(first)
    return False


def _is_kept(name: str) -> bool:
    known = KEPT.match(name)
    return known is not None and (name == known[0] or _is_partial(name, known[0]))


def occupied(path: Path) -> bool:
    """Whether something is there that must not be written among; what was killed in its first moment is not."""
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return True
    except FileNotFoundError:
        return path.is_symlink()
    return any(not _begun_only(entry.name) for entry in path.iterdir())


def digest_of_text(spec_text: str) -> str:
    """By which a marker knows a spec."""
    return sha256(spec_text.encode("utf-8", "replace")).hexdigest()


def _begun_only(name: str) -> bool:
    known = KEPT.match(name)
    if known is not None and _is_partial(name, known[0]):
        return True
    return name == MARKER or name.startswith(LOCK) or any(_is_partial(name, of) for of in (*OF_RUN, *OF_IMPORT))


def open_run(path: Path) -> RunFolder:
    """A folder that holds a run. Raises `DataError` when it does not."""
    folder = RunFolder(path)
    try:
        what = None if path.is_dir() else "is no folder"
        if what is None and not (path / SPEC).is_file():
            what = f"holds no run: it has no {SPEC}"
    except (OSError, ValueError) as error:
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    if what is not None:
        help = ["give the folder that `archspec train` printed"]
        if path.suffix in (".yaml", ".yml"):
            train = f"`archspec train {shlex.quote(str(path))}`"
            help = [
                f"a spec has no weights: {train} makes a run of it, and prints its folder",
                "`archspec.load` reads a spec in Python",
            ]
        raise DataError("E512", f"{path} {what}", help=help)
    if folder.spec_text is None:
        raise DataError("E513", f"{path / SPEC} cannot be read: it is damaged, or closed to you")
    if folder.plugins:
        from archspec.plugins import lacking

        without = lacking(folder.plugins, f"the {'import' if folder.imported else 'run'} in {path}")
        if without is not None:
            raise without
    return folder
