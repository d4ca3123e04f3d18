"""The page of many runs: a table that sorts, and their curves, switched on and off row by row. It loads nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from archspec.diagnostics import count
from archspec.page.page import hash_of, in_script, theme
from archspec.reports.plotting import PALETTE
from archspec.review.charts import HEIGHT, WIDTH, Plane, scales
from archspec.review.parts import Cell, Column, paragraph, section, static, table, whole_page
from archspec.runs.plotting import Colours, Curve, colour_of, colours_of, curves_of, metric_path
from archspec.runs.rows import Row
from archspec.runs.table import RunsTable
from archspec.watching import LOSS, MEASURED

POINTS = 300
"""Records that a curve draws."""
SHOWN = 24
"""Curves that are on at first: those of the first rows."""

_PLAIN: Mapping[str, tuple[str, Callable[[Any], Cell]]] = {
    "seconds": ("time, s", lambda value: round(value, 1)),
    "size": ("size, MiB", lambda value: round(value / 2**20, 2)),
}
"""Columns that are sorted as numbers, in one unit."""


def render(
    runs: RunsTable,
    metric: str | None = None,
    colour: str | None = None,
    more: Sequence[tuple[str, str, str]] = (),
    title: str = "runs",
) -> str:
    """The page. `more` are sections that come first: id, title, HTML. Raises `DataError` for a figure or setting that
    no run has."""
    style = "\n".join([theme(), static("review.css"), static("runs.css")])
    script = "\n".join([static("review.js"), static("runs.js")])
    charts, colours, drawn = _charts(runs, metric, colour)
    sections = [
        *more,
        ("table", "Runs", section("table", "Runs", _buttons() if charts else "", _table(runs), *_notes(runs))),
        ("curves", "Curves", section("curves", "Curves", *charts)),
    ]
    sections = [item for item in sections if item[2]]
    said = [count(len(runs), "run"), *(f"{own} {state}" for state, own in _states(runs.rows))]
    header = f"<header><h1>{escape(title)}</h1><p>{escape(' · '.join(said))}</p></header>"
    payload = {
        "colours": [colours.get(index) for index in range(len(runs))],
        "drawn": sorted(drawn),
        "shown": SHOWN,
        "names": [row.name for row in runs.rows],
    }
    body = header + "".join(item[2] for item in sections)
    body += f'<script type="application/json" id="runs-data">{in_script(payload)}</script>'
    return whole_page(
        f"{title} · archspec",
        sections,
        body,
        style=style,
        script=script,
        styles=hash_of(style),
        scripts=hash_of(script),
    )


def _states(rows: Sequence[Row]) -> list[tuple[str, int]]:
    states = [row.state for row in rows]
    return [(state, states.count(state)) for state in dict.fromkeys(states)]


def _buttons() -> str:
    buttons = "".join(
        f'<button type="button" data-switch="{name}">{said}</button>'
        for name, said in (("all", "all curves"), ("none", "none"), ("first", "those of the first eight rows"))
    )
    return f'<div class="switches" hidden>{buttons}</div>'


def _table(runs: RunsTable) -> str:
    columns = [Column(_PLAIN[own.key][0] if own.key in _PLAIN else own.head, title=own.key) for own in runs.columns]
    return table(
        columns, [[_cell(column, row) for column in runs.columns] for row in runs.rows], caption="Runs", sortable=True
    )


def _cell(column: Any, row: Row) -> Cell:
    value = column.value(row)
    if value is None:
        return None
    if column.key in _PLAIN:
        return _PLAIN[column.key][1](value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number and column.key != "changed" else str(column.show(value))


def _notes(runs: RunsTable) -> list[str]:
    return [f'<p class="note">{escape(note)}</p>' for note in runs.notes]


def _charts(runs: RunsTable, metric: str | None, colour: str | None) -> tuple[list[str], dict[int, str], set[int]]:
    """Charts of the figure that runs are compared by, and of losses; the colour of each row, and those that are drawn.
    Without records there are none."""
    if metric is None and not any(row.records for row in runs.rows):
        return [], {}, set()
    first = metric_path(runs, metric)
    paths = dict.fromkeys([first, (MEASURED, LOSS), ("train", LOSS)])
    index = {id(row): at for at, row in enumerate(runs.rows)}
    rows = [row for row in runs.rows if row.records]
    groups = colours_of(runs, rows, colour)
    colours = {index[id(row)]: _colour(groups, value, at) for at, (row, value) in enumerate(_paired(rows, groups))}
    charts: list[str] = []
    drawn: set[int] = set()
    for path in paths:
        found = curves_of(runs.rows, path)
        if found:
            charts.append(_chart(".".join(path), found, index, colours))
            drawn.update(index[id(curve.row)] for curve in found)
    what = f"Colours are values of {groups.title}. " if groups.title else ""
    said = paragraph(f"{what}Each row of the table switches its curve; a pointer on a curve names its run.")
    return [said, _legend(groups), f'<div class="charts">{"".join(charts)}</div>'], colours, drawn


def _paired(rows: Sequence[Row], groups: Colours) -> list[tuple[Row, Any]]:
    return list(zip(rows, groups.values, strict=True))


def _colour(groups: Colours, value: Any, at: int) -> str:
    if not groups.title and len(groups.groups) < 2:
        return PALETTE[at % len(PALETTE)]
    return colour_of(groups, value)


def _legend(groups: Colours) -> str:
    pairs: list[tuple[str, str]] = []
    if groups.title and groups.bounds is not None:
        low, high = groups.bounds
        pairs = [(f"{value:.4g}", colour_of(groups, value)) for value in (low, high)]
    elif groups.title:
        pairs = list(groups.groups.items())[:24]
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 18 10" aria-hidden="true"><line class="curve" stroke="{own}" x1="1" '
        f'x2="17" y1="5" y2="5"/></svg>{escape(name)}</li>'
        for name, own in pairs
    )
    return f'<ul class="legend">{items}</ul>' if items else ""


def _chart(title: str, found: Sequence[Curve], index: Mapping[int, int], colours: Mapping[int, str]) -> str:
    values = [value for curve in found for value in curve.values]
    logarithmic = min(values) > 0 and max(values) > 50 * min(values)
    bounds = (math.log10(min(values)), math.log10(max(values))) if logarithmic else (min(values), max(values))
    at = [place for curve in found for place in curve.at]
    plane = Plane(scales(min(at), max(at)), scales(*bounds), logarithmic)
    lines = []
    for curve in found:
        step = max(1, -(-len(curve.at) // POINTS))
        pairs = list(zip(curve.at, curve.values, strict=True))[::-1][::step][::-1]
        points = " ".join(f"{plane.x(place):.1f},{plane.y(value):.1f}" for place, value in pairs)
        own = index[id(curve.row)]
        shape = "polyline" if len(pairs) > 1 else "circle"
        where = f'points="{points}"' if len(pairs) > 1 else 'cx="{}" cy="{}" r="3"'.format(*points.split(","))
        said = " ".join(f"{place:g},{value:.5g}" for place, value in pairs)
        lines.append(f'<{shape} class="curve" data-run="{own}" stroke="{colours[own]}" data-said="{said}" {where}/>')
    axes = plane.axes("epoch", title, whole=all(place == round(place) for place in at))
    words = f"{title} of {count(len(found), 'run')} over epochs"
    return (
        f'<figure class="chart runs"><h3>{escape(title)}</h3><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(words)}">{axes}{"".join(lines)}</svg><div class="values" hidden></div></figure>'
    )
