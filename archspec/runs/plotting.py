"""The learning curves of many runs in one plot, their colours those of a setting's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.drawing.palette import FAINT, INK
from archspec.reports.plotting import PALETTE, Spot, new_figure, place_labels, save, tidy
from archspec.runs.changes import LACKING, shown
from archspec.runs.rows import Row, best_record
from archspec.watching import LOSS, MEASURED

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

    from archspec.runs.table import RunsTable

NAMED = 8
"""Runs up to which each has its colour and its name; of more the colours are those of a setting."""

WIDEST = 34
"""Letters of a name in a legend."""


ROW = ((60, 30, 120), (40, 100, 170), (20, 150, 140), (120, 180, 50), (230, 160, 20))
"""Colours for numbers from low to high: violet, blue, green, amber, ever lighter, and none too light for white."""


class Curve(NamedTuple):
    """A run's values of a figure over its epochs."""

    row: Row
    at: Sequence[float]
    values: Sequence[float]


class Colours(NamedTuple):
    """What colours stand for: a title, the value of each run, and, where these are many numbers, their bounds."""

    title: str
    values: Sequence[Any]
    groups: Mapping[str, str]
    """The colour of each value, as it is said."""
    bounds: tuple[float, float] | None = None
    logarithmic: bool = False


def metric_path(table: RunsTable, metric: str | None) -> tuple[str, ...]:
    """Where records have a figure: `validation.top1`, `train.loss`, or `top1` of validation.

    Without a name it is the figure that most runs are compared by. Raises `DataError` where no run has it.
    """
    if metric is None:
        names = [row.figure.path for row in table.rows if row.figure is not None and row.records]
        path = max(names, key=names.count, default=(LOSS,))
        return (MEASURED, *path)
    known: dict[tuple[str, ...], None] = {}
    for row in table.rows:
        for name in row.figures():
            known.setdefault(tuple(name.split(".")))
    known = {path: None for path in known if path[0] in ("train", MEASURED)}
    for path in (tuple(metric.split(".")), (MEASURED, *metric.split(".")), ("train", *metric.split("."))):
        if path in known or path == ("learning_rate",):
            return path
    dotted = [".".join(path) for path in known]
    raise DataError(
        "E113",
        f"no run has records of {metric[:60]!r}",
        help=[did_you_mean(metric, dotted) or f"there are {listed(dotted, 30)}"],
    )


def _value(record: Mapping[str, Any], path: Sequence[str]) -> float | None:
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and isfinite(value) else None


def curves_of(rows: Sequence[Row], path: Sequence[str]) -> list[Curve]:
    """The curves of those runs that have the figure."""
    found = []
    for row in rows:
        pairs = [(float(record["epoch"]), _value(record, path)) for record in row.records]
        held = [(at, value) for at, value in pairs if value is not None]
        if held:
            found.append(Curve(row, [at for at, _ in held], [value for _, value in held]))
    return found


def colours_of(table: RunsTable, rows: Sequence[Row], setting: str | None) -> Colours:
    """What colours stand for: runs where they are few, else a setting: the one asked for, or the one with the fewest
    values, of which there are several. Raises `DataError` for a setting that there is not."""
    if setting is None and len(rows) <= NAMED:
        names = [_named(row, table) for row in rows]
        if len(set(names)) == len(names):
            return Colours("", names, {name: PALETTE[index] for index, name in enumerate(names)})
    if setting is not None:
        column = table.column(setting)
    else:
        counted = []
        for key in table.settings:
            if key not in [own.key for own in table.columns]:
                continue
            number = len({shown(table.known[key].value(row)) for row in rows})
            if 1 < number < len(rows):
                counted.append((number, key))
        if not counted:
            return Colours("", ["" for _ in rows], {"": PALETTE[0]})
        column = table.known[min(counted, key=lambda pair: (pair[0] > NAMED, pair[0]))[1]]
    values = [column.value(row) for row in rows]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    said = dict.fromkeys(shown(LACKING if value is None else value) for value in values)
    if len(said) <= NAMED:
        numeric = len(numbers) == len(values)
        order = [shown(value) for value in sorted(set(numbers))] if numeric else list(said)
        return Colours(column.head, values, dict(zip(order, PALETTE, strict=False)))
    if numbers and len(numbers) == len(values):
        low, high = float(min(numbers)), float(max(numbers))
        return Colours(column.head, values, {}, (low, high), low > 0 and high >= 20 * low)
    return Colours(column.head, values, {name: PALETTE[index % NAMED] for index, name in enumerate(said)})


def _named(row: Row, table: RunsTable) -> str:
    name = row.name
    return name if len(name) <= WIDEST else f"…{name[-WIDEST + 1 :]}"


def draw(table: RunsTable, path: Path, metric: str | None = None, colour: str | None = None) -> list[str]:
    """Writes the curves, and gives what is to be said of runs that have none. Raises `DataError`."""
    made, said = figure(table, metric, colour)
    save(made, path)
    return said


def figure(table: RunsTable, metric: str | None = None, colour: str | None = None) -> tuple[Picture, list[str]]:
    """The curves of all runs over epochs, the best one named at its best epoch; and what is to be said of the others.

    Raises `DataError` where no run has the figure.
    """
    path = metric_path(table, metric)
    found = curves_of(table.rows, path)
    if not found:
        raise DataError("E113", f"no run has a record of {'.'.join(path)} to draw")
    colours = colours_of(table, [curve.row for curve in found], colour)
    made = new_figure(9, 5.2)
    axes = made.subplots()
    tidy(axes)
    many = len(found) > NAMED
    for curve, value in zip(found, colours.values, strict=True):
        own = colour_of(colours, value)
        single = len(curve.values) == 1
        axes.plot(
            curve.at,
            curve.values,
            color=own,
            linewidth=1.1 if many else 1.8,
            alpha=0.75 if many else 1.0,
            marker="o" if single or len(curve.at) <= 12 else None,
            markersize=2.5 if many else 3.5,
            linestyle=":" if curve.row.state == "failed" else "-",
        )
    values = [value for curve in found for value in curve.values]
    if min(values) > 0 and max(values) > 50 * min(values):
        axes.set_yscale("log")
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel(".".join(path), color=INK)
    whole = max(at for curve in found for at in curve.at) <= 12
    if whole:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    left_out = len(table.rows) - len(found)
    said = (
        [f"{count(left_out, 'run')} without a record of {'.'.join(path)} {'has' if left_out == 1 else 'have'} no curve"]
        if left_out
        else []
    )
    made.suptitle(f"{'.'.join(path)} of {count(len(found), 'run')}", x=0.085, ha="left", fontsize=12, color=INK)
    right = 0.97
    if colours.bounds is not None:
        _bar(made, axes, colours)
    elif any(colours.groups) and len(colours.groups) > 0:
        right = _legend(made, axes, colours)
    if colours.bounds is None:
        made.subplots_adjust(left=0.085, right=right, top=0.91, bottom=0.11)
    _mark_best(axes, found, path, many)
    return made, said


def colour_of(colours: Colours, value: Any) -> str:
    """The colour of a run with this value."""
    if colours.bounds is None:
        return colours.groups.get(shown(LACKING if value is None else value), FAINT)
    low, high = colours.bounds
    own = float(value)
    if colours.logarithmic:
        low, high, own = log10(low), log10(high), log10(own)
    return _between((own - low) / ((high - low) or 1.0))


def _between(share: float) -> str:
    """A colour of the row `ROW` that stands for numbers, from 0 to 1."""
    place = min(max(share, 0.0), 1.0) * (len(ROW) - 1)
    at = min(int(place), len(ROW) - 2)
    mixed = (round(one + (place - at) * (two - one)) for one, two in zip(ROW[at], ROW[at + 1], strict=True))
    return "#{:02X}{:02X}{:02X}".format(*mixed)


def _bar(made: Picture, axes: Any, colours: Colours) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    assert colours.bounds is not None
    part = ListedColormap([_between(at / 255) for at in range(256)])
    norm = (LogNorm if colours.logarithmic else Normalize)(*colours.bounds)
    made.subplots_adjust(left=0.085, right=0.93, top=0.91, bottom=0.11)
    bar = made.colorbar(ScalarMappable(norm, part), ax=axes, pad=0.02, fraction=0.05)
    bar.set_label(colours.title, color=INK)
    bar.outline.set_visible(False)


def _legend(made: Picture, axes: Any, colours: Colours) -> float:
    """A legend to the right of the axes; how far these may go then."""
    from matplotlib.lines import Line2D

    used = {shown(LACKING if value is None else value) for value in colours.values}
    handles = [
        Line2D([], [], color=own, linewidth=2.2, label=name) for name, own in colours.groups.items() if name in used
    ]
    more = len(handles) - 24
    if more > 0:
        handles = [*handles[:24], Line2D([], [], color="none", label=f"and {more} more")]
    # In figure coordinates, and measured, so that no name is cut off at the edge.
    legend = made.legend(
        handles=handles,
        title=colours.title or None,
        loc="upper right",
        bbox_to_anchor=(0.99, 0.92),
        frameon=False,
        fontsize=8.5,
        title_fontsize=8.5,
        alignment="left",
    )
    canvas: Any = made.canvas
    box = legend.get_window_extent(canvas.get_renderer())
    return max(0.4, float(box.x0 / made.bbox.width) - 0.015)


def _mark_best(axes: Any, found: Sequence[Curve], path: Sequence[str], many: bool) -> None:
    """Names the best run at its best epoch, where the plot is of the figure that runs are compared by."""
    best: tuple[float, float, Row] | None = None
    for curve in found:
        own = curve.row.figure
        if own is None or (MEASURED, *own.path) != tuple(path):
            continue
        record = best_record(curve.row.records, own)
        value = own.of(record)
        if value is not None and own.improves(value, None if best is None else best[1]):
            best = float(record["epoch"]), value, curve.row
    if best is None:
        return
    axes.plot([best[0]], [best[1]], marker="*", markersize=11, color=INK, linestyle="none", zorder=6)
    name = best[2].name if len(best[2].name) <= WIDEST else f"…{best[2].name[-WIDEST + 1 :]}"
    text = f"{best[1]:.4g}" if not many else f"best: {name}, {best[1]:.4g}"
    axes.figure.canvas.draw()
    place_labels(
        axes,
        [Spot(best[0], best[1], text, 9.0, INK)],
        size=8.5,
        paths=[list(zip(curve.at, curve.values, strict=True)) for curve in found[:20]],
    )
