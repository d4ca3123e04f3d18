"""Run folders as rows, from their files alone: nothing is locked, written or imported that a table does not need.

A folder may be written meanwhile, or be a copy: a last line that is half written is passed over, and whatever is
missing or damaged is said of its run.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from archspec.diagnostics import DataError, Findings, count
from archspec.kinds import builtin_kinds, find_kind
from archspec.runs.changes import LACKING, leaves
from archspec.runs.folder import (
    CHECKPOINTS,
    FAILED,
    FIGURE,
    IMPORT,
    METRICS,
    RESULT,
    RUN,
    SPEC,
    RunFolder,
    read_object,
)
from archspec.runs.holding import lives
from archspec.runs.owner import MARKER, marker_of
from archspec.source import read_text, resolve_plain
from archspec.watching import LOSS, MEASURED, Figure

State = Literal["finished", "running", "stopped", "elsewhere", "failed", "import", "damaged"]
"""`stopped` is a run that can go on; of one that was last written on another host nothing tells here whether it still
runs there: `elsewhere`."""

TRIAL = ".trial.json"
"""How the names of the records end that a sweep keeps beside its trials' run folders."""

TIMES_LATE = 5.0
"""Seconds that a process may seem to have begun after it took a folder, by clocks that do not agree."""


class Row(NamedTuple):
    """A run as its files show it.

    `settings` are the spec's values by their paths, `given` those that a sweep chose; `figure` is what runs are
    compared by, None where nothing says so; `ended` the record of the state that the run ends with, the last one so
    far of a run that goes on, and `best` the best of all.
    """

    name: str
    path: Path
    network: str
    state: State
    settings: Mapping[str, Any]
    given: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    figure: Figure | None
    ended: Mapping[str, Any]
    best: Mapping[str, Any]
    test: Mapping[str, Any]
    parameters: int | None
    seconds: float | None
    size: int
    changed: float
    """When something was last recorded, in seconds since 1970."""

    notes: Sequence[str]
    reason: str = ""
    """Why a run failed."""

    @property
    def planned(self) -> int | float | None:
        """Epochs that the recipe has."""
        value = self.settings.get("train.epochs")
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    @property
    def epochs(self) -> float | None:
        """Epochs that are recorded."""
        return self.records[-1]["epoch"] if self.records else None

    def figures(self) -> dict[str, float]:
        """Numbers of the state that the run ends with, by part and name: `train.loss`, `validation.top1`."""
        found = dict(_numbers("train", self.ended.get("train")))
        found |= dict(_numbers(MEASURED, self.ended.get(MEASURED)))
        return found | dict(_numbers("test", self.test))


class Found(NamedTuple):
    """Rows of all runs, in the order of their names, and what is to be said of folders and files."""

    rows: list[Row]
    notes: list[str]


def read_runs(folders: Sequence[Path]) -> Found:
    """The runs, imports and trials of sweeps that are below folders, or are these themselves.

    Links to folders are not followed. Raises `DataError` (E512) where a folder is none, or cannot be read.
    """
    notes: list[str] = []
    base = folders[0] if len(folders) == 1 else Path()
    places: set[Path] = set()
    trials: dict[Path, Path] = {}
    closed = 0
    for top in folders:
        if not top.is_dir():
            help = ["give a folder with runs, as runs/"]
            raise DataError("E512", f"{top} is {'no folder' if top.exists() else 'not there'}", help=help)
        closed += _look(top, places, trials)
    if closed:
        notes.append(f"{count(closed, 'folder')} cannot be read, and {'is' if closed == 1 else 'are'} left out")
    records = {path: read_object(file) for path, file in trials.items()}
    specs: dict[Path, str | None] = {}
    for path in {*places, *trials}:
        specs[path] = RunFolder(path).spec_text
        if specs[path] is None and path in trials:  # it failed before there was anything to keep
            with suppress(OSError, ValueError):
                specs[path] = path.with_name(f"{path.name}.yaml").read_text("utf-8")
    settings = flattened(specs)
    host = socket.gethostname()
    rows = [_row(path, base, specs[path], settings.get(path), records.get(path, {}), host) for path in specs]
    rows.sort(key=lambda row: _natural(row.name))
    said = [note for row in rows for note in row.notes]
    return Found(rows, notes + said)


def _look(top: Path, places: set[Path], trials: dict[Path, Path]) -> int:
    """Finds runs, and the records of a sweep's trials by the folder that the trial has; how many folders are closed."""
    closed = 0
    waiting = [str(top)]
    while waiting:
        folder = waiting.pop()
        inner, names = [], set()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    names.add(entry.name)
                    with suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            inner.append(entry.path)
        except OSError:
            closed += 1
            continue
        if is_run(names, folder):
            places.add(Path(folder))
            continue
        for name in names:
            if name.endswith(TRIAL):
                trials[Path(folder) / name.removesuffix(TRIAL)] = Path(folder) / name
        waiting.extend(inner)
    return closed


def is_run(names: set[str], folder: str) -> bool:
    """Whether a folder with these entries holds a run or an import."""
    if SPEC in names:
        return bool(names & {RUN, METRICS, CHECKPOINTS, IMPORT, RESULT, MARKER})
    if MARKER in names:  # a run that has just begun, or whose spec is lost
        return (marker_of(Path(folder)) or {}).get("purpose") in ("run", "import")
    return METRICS in names and (RUN in names or CHECKPOINTS in names)


def _row(
    path: Path, base: Path, text: str | None, settings: dict[str, Any] | None, trial: Mapping[str, Any], host: str
) -> Row:
    folder = RunFolder(path)
    notes: list[str] = []
    about = folder.about
    try:
        records, amiss = folder.metrics()
    except DataError as error:
        records, amiss = [], [error.message]
    notes += amiss
    result = read_object(path / RESULT)
    if (path / RESULT).is_file() and not result:
        notes.append(f"{path / RESULT} cannot be read, so the run counts as not finished")
    if text is not None and settings is None:
        notes.append(f"{path / SPEC} cannot be read as a spec: the run has no settings")
    failed = trial.get(FAILED) or about.get(FAILED)
    reason = str(failed.get("message", "")) if isinstance(failed, Mapping) else ""
    state: State
    if folder.imported:
        state = "import"
    elif result:
        state = "finished"
    elif failed:
        state = "failed"
    elif settings is None and path.is_dir() and not records:
        state = "damaged"
    else:
        state = _state(path, host)
    figure = Figure.from_plain(about.get(FIGURE)) or _guessed(settings or {}, result, records)
    best = best_record(records, figure)
    step = result.get("step")
    ended = next((record for record in records if record["step"] == step), records[-1] if records else {})
    settings = settings or {}
    times = folder.times()
    seconds = [own["seconds"] for own in times.values() if isinstance(own.get("seconds"), (int, float))]
    size, changed = _size(str(path))
    test = result.get("test")
    given = trial.get("settings")
    parameters = about.get("parameters")
    return Row(
        _name(path, base),
        path,
        str(settings.get("name", path.name)),
        state,
        settings,
        given if isinstance(given, Mapping) else {},
        records,
        figure,
        ended,
        best,
        test if isinstance(test, Mapping) else {},
        parameters if type(parameters) is int else None,
        sum(seconds) if seconds else None,
        size,
        changed,
        notes,
        reason,
    )


def best_record(records: Sequence[Mapping[str, Any]], figure: Figure | None) -> Mapping[str, Any]:
    """The first of the best records; empty where none has the figure."""
    best: Mapping[str, Any] = {}
    value: float | None = None
    for record in records:
        own = figure.of(record) if figure is not None else None
        if figure is not None and own is not None and figure.improves(own, value):
            best, value = record, own
    return best


def _name(path: Path, base: Path) -> str:
    with suppress(ValueError):
        name = str(path.relative_to(base)) if base != Path() else str(path)
        return path.resolve().name if name == "." else name
    return str(path)


def _natural(name: str) -> list[Any]:
    """An order in which run-2 comes before run-10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"([0-9]+)", name) if part]


def _state(path: Path, host: str) -> State:
    """Whether a run without a result is written: the marker says by which process on which host."""
    marker = marker_of(path)
    if not marker or "process" not in marker:
        return "stopped"
    if marker.get("host") != host:
        return "elsewhere"
    process = marker["process"]
    if type(process) is not int or process <= 0 or not lives(process):
        return "stopped"
    begun, since = _begun(process), _time(marker.get("since"))
    # The number of a process that ended may be another one's by now.
    return "stopped" if begun is not None and since is not None and begun > since + TIMES_LATE else "running"


def _time(text: Any) -> float | None:
    try:
        return time.mktime(time.strptime(str(text), "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return None


def _begun(process: int) -> float | None:
    """When a process began, where the system tells."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime"))
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _size(folder: str) -> tuple[int, float]:
    """Bytes of all files, and when records were last written."""
    size, changed = 0, 0.0
    waiting = [folder]
    while waiting:
        at = waiting.pop()
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    found = entry.stat(follow_symlinks=False)
                    size += found.st_size
                    if at == folder and entry.name in (SPEC, RUN, METRICS, RESULT):
                        changed = max(changed, found.st_mtime)
        except OSError:
            continue  # deleted meanwhile, as old checkpoints are
    return size, changed


def _numbers(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, own in value.items():
            yield from _numbers(f"{path}.{name}", own)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def _guessed(
    settings: Mapping[str, Any], result: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> Figure | None:
    """The figure of a run whose run.json does not say it, as those of before did not: its `best`, else its headline.

    None where it cannot be told whether higher is better.
    """
    name = settings.get("train.best")
    if not isinstance(name, str):
        known = records[-1][MEASURED] if records else result
        names = [own for own, value in known.items() if own not in (LOSS, "heads", "outputs", "step", "epochs")]
        name = next((own for own in names if better_of(own) is not None), LOSS if records else None)
    better = better_of(name) if name else None
    return Figure(str(name), (str(name),), better) if better is not None else None


def better_of(name: str) -> Literal["higher", "lower"] | None:
    """Which values of a figure are better, by the name that a metric gives it; None of names that no metric gives."""
    if name == LOSS:
        return "lower"
    if re.fullmatch(r"top[0-9]+", name):
        return "higher"
    for kind in builtin_kinds("metrics"):
        metric: Any = find_kind("metrics", kind)
        with suppress(AttributeError):
            if name in metric.plain_default().numbers:
                better: Literal["higher", "lower"] = metric.better
                return better
    return None


def flattened(specs: Mapping[Path, str | None]) -> dict[Path, dict[str, Any]]:
    """The values of elaborated specs by their paths, of each spec that can be read.

    An elaborated spec has a line for each layer, output and field of the recipe. Of many specs most lines are alike, or
    differ in numbers alone, so each is parsed once.
    """
    known: dict[str, dict[str, Any] | None] = {}
    found: dict[Path, dict[str, Any]] = {}
    whole: dict[str, dict[str, Any] | None] = {}
    for path, text in specs.items():
        if text is None:
            continue
        if text not in whole:
            whole[text] = _by_lines(text, known)
        settings = whole[text]
        if settings is not None:
            found[path] = settings
    return found


_NUMBER = re.compile(r"(?<=[ \[])-?[0-9][0-9.e+-]*(?=[,}\]\n]|\Z)")
_HELD = re.compile("\ue000([0-9]+)\ue001")
"""What stands for a number in a piece that is like others but for its numbers."""


def _by_lines(text: str, known: dict[str, dict[str, Any] | None]) -> dict[str, Any] | None:
    settings: dict[str, Any] = {}
    for piece in _pieces(text):
        own = known.get(piece, settings)
        if own is settings:
            numbers: list[str] = []

            def held(match: re.Match[str], numbers: list[str] = numbers) -> str:
                numbers.append(match[0])
                return f"\ue000{len(numbers) - 1}\ue001"

            like = _NUMBER.sub(held, piece) if "\ue000" not in piece else piece
            if like not in known:
                known[like] = _parsed(like)
            template = known[like]
            own = (
                None
                if template is None
                else {_filled_text(path, numbers): _filled(value, numbers) for path, value in template.items()}
            )
            known[piece] = own
        if own is None:
            return _parsed(text)
        settings |= own
    return settings


def _filled(value: Any, numbers: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_filled(own, numbers) for own in value]
    if isinstance(value, dict):
        return {name: _filled(own, numbers) for name, own in value.items()}
    if not isinstance(value, str) or "\ue000" not in value or not numbers:
        return value
    match = _HELD.fullmatch(value)
    if match is not None:
        return resolve_plain(numbers[int(match[1])])
    return _filled_text(value, numbers)


def _filled_text(text: str, numbers: Sequence[str]) -> str:
    return _HELD.sub(lambda match: numbers[int(match[1])], text) if numbers else text


def _pieces(text: str) -> Iterator[str]:
    """The text's sections; one whose heading stands alone in its line is taken apart at lines of its own depth.

    A list is so only where its entries have names, by which their values are told apart.
    """
    for section in re.split(r"(?<=\n)(?=[^\s#-])", text):
        head, _, rest = section.partition("\n")
        apart = re.split(r"(?:^|(?<=\n))(?=  [^\s])", rest)
        apart = apart[1:] if apart[0] == "" else []
        if re.fullmatch(r"[A-Za-z_]+:", head) and apart and all("name: " in own for own in apart if own[2] == "-"):
            yield from (f"{head}\n{own}" for own in apart)
        else:
            yield section


def _parsed(text: str) -> dict[str, Any] | None:
    findings = Findings()
    value = read_text(text, SPEC, findings)
    if value is None or findings.failed or not isinstance(value.plain, dict):
        return None
    return dict(leaves("", value.plain))


def differing(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Settings of which not all runs have the same value, with the value of each run; `LACKING` where one has none."""
    paths: dict[str, None] = {}
    seen: set[int] = set()
    for row in rows:
        if id(row.settings) not in seen:
            seen.add(id(row.settings))
            paths.update(dict.fromkeys(row.settings))
    found = {}
    several = list({id(row.settings): row.settings for row in rows if row.settings}.values())
    for path in paths:
        first = several[0].get(path, LACKING)
        if any(own.get(path, LACKING) is not first and other(own.get(path, LACKING), first) for own in several):
            found[path] = [row.settings.get(path, LACKING) for row in rows]
    return found


def other(one: Any, two: Any) -> bool:
    """Whether two values differ: true is not 1, and 1 is 1.0."""
    return bool(one != two) or isinstance(one, bool) != isinstance(two, bool)


def plain_json(value: Any) -> Any:
    """A setting's value as JSON has it."""
    return None if value is LACKING else json.loads(json.dumps(value, default=str))
