"""Runs as a table: one row a run, of settings that differ and figures; sorted, filtered, and as a plot of curves."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.fields import at_home
from archspec.reports.cells import Cell, Table, short
from archspec.runs.changes import LACKING, shown
from archspec.runs.rows import Row, differing, other, plain_json, read_runs
from archspec.source import resolve_plain
from archspec.watching import LOSS, MEASURED

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

MANY = 8
"""Settings of layers up to which they have columns of their own where nobody asks for them."""
MOST = 14
"""Settings that have columns of their own where nobody asks for them."""

UNSAID = (
    "archspec",
    "name",
    "title",
    "notes",
    "paper",
    "lineage",
    "published",
    "weights",
    "train.best",
    "train.source",
)
"""What of a spec has no columns of its own unless they are asked for: it changes no training, or says it in words."""

CHOSEN = ("train.optimiser", "train.schedule", "train.dataset", "train.loss")
"""Sections of a spec that hold one kind with its fields."""


class Column(NamedTuple):
    """A column: its key, by which it is asked for, its heading, and a run's value; `better` is the way it is sorted."""

    key: str
    head: str
    value: Callable[[Row], Any]
    show: Callable[[Any], str]
    better: str | None = None
    right: bool = True


def seconds_said(seconds: float) -> str:
    """A time in words: 41 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _bytes_said(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size < 2**30 else f"{size / 2**30:,.2f} GiB"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else short(value, 4)


def _at_best(row: Row) -> float | None:
    return row.figure.of(row.best) if row.figure is not None else None


FIXED = (
    Column("run", "run", lambda row: row.name, str, right=False),
    Column("network", "network", lambda row: row.network, str, right=False),
    Column("state", "state", lambda row: row.state, str, right=False),
    Column("epochs", "epochs", lambda row: row.epochs, lambda value: f"{value:g}"),
    Column("planned", "planned", lambda row: row.planned, lambda value: f"{value:g}"),
    Column("figure", "figure", lambda row: row.figure.name if row.figure else None, str, right=False),
    Column("best", "best", _at_best, _number),
    Column("best_epoch", "at epoch", lambda row: row.best.get("epoch"), lambda value: f"{value:g}"),
    Column("parameters", "parameters", lambda row: row.parameters, _number),
    Column("seconds", "time", lambda row: row.seconds, seconds_said),
    Column("size", "size", lambda row: row.size, _bytes_said),
    Column("changed", "last record", lambda row: row.changed or None, _when),
    Column("reason", "reason", lambda row: row.reason or None, str, right=False),
)
"""Columns that every table may have."""
BY_KEY = {column.key: column for column in FIXED}


@dataclass(frozen=True)
class RunsTable:
    """Runs with the columns that they are shown in. `notes` say what was left out, guessed or damaged.

    `archspec.table_of_runs` makes it; a notebook shows it as a table.
    """

    rows: Sequence[Row]
    columns: Sequence[Column]
    notes: Sequence[str]
    known: Mapping[str, Column]
    """Every column that could be asked for, by its key."""

    def table(self, title: str = "") -> Table:
        """The table that formats write."""
        rows: list[list[str | Cell]] = []
        for row in self.rows:
            cells: list[str | Cell] = []
            for column in self.columns:
                value = column.value(row)
                text = "–" if value is None or value is LACKING else column.show(value)
                raw = None if value is LACKING else value
                cells.append(Cell(text, raw if isinstance(raw, (str, int, float, bool, type(None))) else text))
            rows.append(cells)
        return Table(
            [column.head for column in self.columns],
            rows,
            [column.right for column in self.columns],
            caption=[title] if title else [],
            notes=list(self.notes),
            keys=[column.key for column in self.columns],
        )

    def to_dict(self) -> dict[str, Any]:
        """The runs with every figure and setting that differs, as JSON has them."""
        runs = []
        for row in self.rows:
            fixed = {key: plain_json(column.value(row)) for key, column in self.known.items() if key in BY_KEY}
            settings = {key: plain_json(self.known[key].value(row)) for key in self.settings}
            runs.append({**fixed, "folder": str(row.path), "settings": settings, "figures": row.figures()})
        return {"runs": runs, "notes": list(self.notes)}

    def sorted(self, by: str) -> RunsTable:
        """The runs in the order of `NAME`, `NAME:asc` or `NAME:desc`; without a direction figures come best first.

        Runs that lack the value come last, failed ones after all others. Raises `DataError` for a name that there is
        not.
        """
        name, colon, way = by.rpartition(":") if by.endswith((":asc", ":desc")) else (by, "", "")
        column = self.column(name)
        down = way == "desc" if colon else column.better == "higher"
        if column.key == "best" and not colon:
            ways = {row.figure.better for row in self.rows if row.figure is not None}
            down = ways == {"higher"}
        have = [row for row in self.rows if not _is_none(column.value(row))]
        have.sort(key=lambda row: _order(column.value(row)), reverse=down)
        lack = [row for row in self.rows if _is_none(column.value(row))]
        rows = [*have, *lack]
        if column.better is not None or column.key == "best":
            rows.sort(key=lambda row: row.state == "failed")
        return replace(self, rows=rows)

    def filtered(self, by: str) -> RunsTable:
        """The runs for which `NAME=VALUE` holds, or `!=`, `<`, `<=`, `>`, `>=`. Raises `DataError`."""
        match = re.fullmatch(r"\s*([^=!<>]+?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*", by)
        if match is None:
            raise DataError(
                "E113", f"--filter takes NAME=VALUE, not {by[:60]!r}", help=["--filter 'learning_rate<0.1'"]
            )
        name, sign, text = match.groups()
        column = self.column(name)
        try:
            wanted = resolve_plain(text.strip("'\"")) if text else None
        except ValueError:
            wanted = text
        ordered = sign in ("<", "<=", ">", ">=")
        if ordered and not (isinstance(wanted, (int, float)) and not isinstance(wanted, bool)):
            raise DataError("E113", f"--filter {by[:60]}: {sign} compares numbers, and {text[:40]!r} is none")
        return replace(self, rows=[row for row in self.rows if _holds(column.value(row), sign, wanted, text, column)])

    def with_columns(self, names: Sequence[str]) -> RunsTable:
        """The runs with these columns alone; `all` has every one. Raises `DataError` for a name that there is not."""
        if list(names) == ["all"]:
            return replace(self, columns=list(self.known.values()))
        return replace(self, columns=[self.column(name) for name in names])

    def column(self, name: str) -> Column:
        """The column of a key, of a heading, or of the end of a setting's path: `learning_rate`.

        Raises `DataError` (E113) where none or several have that name.
        """
        if name in self.known:
            return self.known[name]
        ends = [key for key in self.known if key.endswith(f".{name}")]
        ends = [key for key in ends if key in self.settings] or ends
        ends = ends or [key for key, column in self.known.items() if column.head == name]
        if len(ends) == 1:
            return self.known[ends[0]]
        if ends:
            raise DataError("E113", f"several columns are called {name!r}", help=[f"there are {listed(ends)}"])
        settings = {path for row in self.rows for path in row.settings}
        alike = [path for path in settings if path == name or path.endswith(f".{name}")]
        if alike:  # it is the same in all runs
            return _setting(min(alike, key=len))
        there = [*self.known, *sorted(settings)]
        hint = did_you_mean(name, [*there, *(key.rpartition(".")[2] for key in there)])
        raise DataError(
            "E113", f"there is no column {name[:60]!r}", help=[hint or f"there are {listed(self.known, 40)}"]
        )

    @property
    def settings(self) -> list[str]:
        """The keys of columns that have settings."""
        return [key for key, column in self.known.items() if isinstance(column.value, (_Setting, _OfKinds))]

    def plot(self, path: Path | str, metric: str | None = None, colour: str | None = None) -> list[str]:
        """Writes the learning curves of all runs as SVG, PNG or PDF; what is to be said of them. Raises `DataError`."""
        from archspec.runs.plotting import draw

        return draw(self, Path(path), metric, colour)

    def figure(self, metric: str | None = None, colour: str | None = None) -> Picture:
        """The learning curves as a figure of Matplotlib. Raises `DataError`."""
        from archspec.runs.plotting import figure

        return figure(self, metric, colour)[0]

    def _repr_html_(self) -> str:
        from archspec.reports.cells import WRITERS

        return f"<div style='overflow-x:auto'>{WRITERS['html'](self.table())}</div>"

    def __str__(self) -> str:
        from archspec.reports.cells import text

        return text(self.table())

    def __len__(self) -> int:
        return len(self.rows)


class _Setting:
    """A run's value of a setting: what a sweep gave, else what the spec has."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, row: Row) -> Any:
        found = row.given.get(self.path, row.settings.get(self.path, LACKING))
        return None if found is LACKING else found


class _OfKinds:
    """A run's value of a field that several kinds have, or the kind itself: `train.optimiser.learning_rate`."""

    def __init__(self, path: str) -> None:
        self.section = next(own for own in CHOSEN if _begins(path, (own,)))
        self.name = path.removeprefix(self.section).removeprefix(".")

    def __call__(self, row: Row) -> Any:
        kind = _kind(row, self.section)
        return row.settings.get(f"{self.section}.{kind}.{self.name}") if self.name else kind


class _Of:
    """A figure of the state that a run ends with."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, row: Row) -> float | None:
        return row.figures().get(self.name)


def _setting(path: str, head: str | None = None) -> Column:
    return Column(path, head or path, _Setting(path), shown)


def table_of_runs(
    *folders: str | Path,
    sort: str | None = None,
    filter: str | Iterable[str] = (),
    columns: Sequence[str] | None = None,
) -> RunsTable:
    """The runs below folders, one row each: settings that differ, state, epochs and figures. Needs no JAX.

    `sort` is `NAME`, `NAME:asc` or `NAME:desc`, `filter` one or more of `NAME=VALUE` (`!=`, `<`, `<=`, `>`, `>=`),
    `columns` names of columns; a setting may go by the end of its path, as `learning_rate`. Folders that are still
    written, or were copied, are read as far as they go. Raises `SpecError` where a folder is not there, or a name is
    none.
    """
    try:
        rows, notes = read_runs([Path(at_home(str(folder))) for folder in folders or ("runs",)])
        made = of_rows(rows, notes)
        for own in [filter] if isinstance(filter, str) else filter:
            made = made.filtered(own)
        if list(made.rows) != list(rows):  # what differs among fewer runs is less
            made = of_rows(made.rows, notes, made.known)
        if sort:
            made = made.sorted(sort)
        return made.with_columns(columns) if columns else made
    except DataError as error:
        raise error.located(None) from None


def of_rows(rows: Sequence[Row], notes: Sequence[str], also: Mapping[str, Column] | None = None) -> RunsTable:
    """The table of rows; `also` are columns that could be asked for as well."""
    found = differing(rows)
    given = _given(rows)
    kinds, replaced = _of_kinds(rows, found)
    heads = _heads(list(dict.fromkeys([*given, *kinds, *(path for path in found if path not in replaced)])))
    heads |= {path: path for path in replaced}
    settings = {path: _setting(path, heads[path]) for path in dict.fromkeys([*given, *found])}
    settings |= {path: Column(path, heads[path], _OfKinds(path), shown) for path in kinds}
    figures: dict[str, Column] = {}
    ways = {row.figure.name: row.figure.better for row in rows if row.figure is not None}
    for row in rows:
        for name in row.figures():
            if name not in figures:
                last = name.rpartition(".")[2]
                better = "lower" if last == LOSS or ".heads." in name else ways.get(last)
                figures[name] = Column(name, name, _Of(name), _number, better)
    known = {**BY_KEY, **settings, **figures}
    said = list(notes)
    chosen = [BY_KEY["run"]]
    if len({row.network for row in rows}) > 1:
        chosen.append(BY_KEY["network"])
    if len({row.parameters for row in rows if row.parameters is not None}) > 1:
        chosen.append(BY_KEY["parameters"])
    plain, of_layers, others = _shown_settings([path for path in settings if path not in replaced], given)
    chosen += [settings[path] for path in plain]
    for hidden, words in ((of_layers, "of layers and outputs "), (others, "")):
        if hidden:
            said.append(
                f"{count(len(hidden), 'setting')} {words}{'differs' if len(hidden) == 1 else 'differ'} too: --columns "
                f"shows them, as {hidden[0]}"
            )
    chosen += [BY_KEY["state"], BY_KEY["epochs"]]
    if any(row.epochs != row.planned for row in rows):
        chosen.append(BY_KEY["planned"])
    if len(ways) > 1:
        chosen.append(BY_KEY["figure"])
    if ways:
        name = next(iter(ways)) if len(ways) == 1 else ""
        best = BY_KEY["best"]._replace(head=f"best {name}".strip(), better=next(iter(ways.values())) if name else None)
        known["best"] = best
        chosen += [best, BY_KEY["best_epoch"]]
    chosen += [figures[name] for name in _usual(figures, list(ways))]
    if any(row.seconds is not None for row in rows):
        chosen.append(BY_KEY["seconds"])
    chosen.append(BY_KEY["size"])
    said += _said(rows)
    return RunsTable(list(rows), chosen, said, {**(also or {}), **known})


def _of_kinds(rows: Sequence[Row], found: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    """Where runs have several kinds of optimiser, schedule and so on: the kind, and fields of the same name, each as
    one setting that differs; and the paths that these take the place of."""
    made: list[str] = []
    replaced: set[str] = set()
    for section in CHOSEN:
        if len({_kind(row, section) for row in rows if row.settings}) < 2:
            continue
        own = [path for path in found if path == section or path.startswith(f"{section}.")]
        replaced.update(own)
        made.append(section)
        for name in dict.fromkeys(path.removeprefix(f"{section}.").partition(".")[2] for path in own):
            path = f"{section}.{name}"
            values = [_OfKinds(path)(row) for row in rows]
            if name and all(value is not None for value in values) and any(other(value, values[0]) for value in values):
                made.append(path)
    return made, replaced


def _kind(row: Row, section: str) -> str | None:
    if section in row.settings:
        return str(row.settings[section])
    path = next((path for path in row.settings if path.startswith(f"{section}.")), None)
    return None if path is None else path.removeprefix(f"{section}.").partition(".")[0]


def _given(rows: Sequence[Row]) -> list[str]:
    """What sweeps gave, where it differs, which need not be a setting of the elaborated spec: `args.depth`."""
    paths = dict.fromkeys(path for row in rows for path in row.given)
    found = []
    for path in paths:
        values = [_Setting(path)(row) for row in rows]
        if any(other(value, values[0]) for value in values):
            found.append(path)
    return found


def _heads(paths: Sequence[str]) -> dict[str, str]:
    """The shortest ends of paths that tell them apart."""
    heads = {}
    for path in paths:
        words = path.split(".")
        for length in range(1, len(words) + 1):
            end = ".".join(words[-length:])
            if sum(own == end or own.endswith(f".{end}") for own in paths) == 1 and end not in BY_KEY:
                break
        heads[path] = end
    return heads


def _shown_settings(paths: Sequence[str], given: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Settings that have a column; and those of layers, and others, that have none since there are so many."""
    usual = [path for path in paths if path in given or not _begins(path, UNSAID)]
    of_layers = [path for path in usual if _begins(path, ("layers", "outputs")) and path not in given]
    # Arguments of a sweep say what layers they made.
    if len(of_layers) <= MANY and not any(path.startswith("args.") for path in given):
        of_layers = []
    rest = [path for path in usual if path not in of_layers]
    first = sorted(rest, key=lambda path: (path not in given, not _begins(path, ("train",))))[:MOST]
    return [path for path in rest if path in first], of_layers, [path for path in rest if path not in first]


def _begins(path: str, words: Sequence[str]) -> bool:
    return any(path == word or path.startswith(f"{word}.") for word in words)


def _usual(figures: Mapping[str, Column], names: Sequence[str]) -> list[str]:
    """The figures that a table shows where nobody asks for others: losses, and the headline of the test part."""
    wanted = [f"train.{LOSS}", f"{MEASURED}.{LOSS}", *(f"test.{name}" for name in names)]
    return [name for name in wanted if name in figures]


def _said(rows: Sequence[Row]) -> list[str]:
    said = []
    unknown = sum(row.figure is None and bool(row.records) for row in rows)
    if unknown:
        said.append(
            f"{count(unknown, 'run')} {'does' if unknown == 1 else 'do'} not say what it is compared by: no best "
            "evaluation is known"
        )
    for state, words in (
        ("elsewhere", "written last on another host, where it may still run"),
        ("damaged", "without a spec that can be read"),
    ):
        number = sum(row.state == state for row in rows)
        if number:
            said.append(f"{count(number, 'run')}: {words}")
    failed = [row for row in rows if row.state == "failed" and row.reason]
    said += [f"{row.name} failed: {row.reason}" for row in failed[:6]]
    if len(failed) > 6:
        said.append(f"and {count(len(failed) - 6, 'more run')} failed: --columns run,reason tells why")
    return said


def _is_none(value: Any) -> bool:
    return value is None or value is LACKING or value != value


def _order(value: Any) -> tuple[int, float, str]:
    number = isinstance(value, (int, float))
    return (0, float(value), "") if number else (1, 0.0, str(value))


def _holds(value: Any, sign: str, wanted: Any, text: str, column: Column) -> bool:
    if sign in ("=", "!="):
        same = (_is_none(value) and wanted is None) or value == wanted or (value is not None and shown(value) == text)
        if isinstance(value, str) and not same and re.search(r"[*?]", text):
            from fnmatch import fnmatchcase

            same = fnmatchcase(value, text)
        if isinstance(value, float) and isinstance(wanted, (int, float)) and not same:
            same = column.show(value) == text
        return same == (sign == "=")
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    number = float(wanted)
    return {"<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number}[sign]
