"""The columns of a report's table: headings, and a cell for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from archspec.diagnostics import listed
from archspec.figures.units import mebibytes, si
from archspec.reports import Report, Row
from archspec.reports.cells import Cell, Table, short


class Column(NamedTuple):
    """One column. `key` names it on the command line, `raw` in CSV with the unit."""

    key: str
    title: str
    raw: str
    right: bool
    cell: Callable[[Report, Row], Cell | str]


def _amount(value: int, text: str) -> Cell:
    """A figure that is left out where it is 0, as most layers have none."""
    return Cell(text if value else "", value)


def _fields(row: Row) -> str:
    """The size of the receptive field; of several inputs by name: `28×28 of left and right`, `3×3 of a, 9 of b`."""
    names: dict[tuple[int, ...], list[str]] = {row.receptive_field: [row.field_of]}
    for name, size in row.other_fields:
        names.setdefault(size, []).append(name)
    return ", ".join("×".join(map(str, size)) + (f" of {listed(own)}" if own[0] else "") for size, own in names.items())


def _params(report: Report, row: Row) -> Cell:
    """Parameters; where they are counted at another layer, which: the end that both paths have is left out."""
    if row.params or not row.weights_of:
        return _amount(row.params, f"{row.params:,}")
    own, other = row.name.split("."), row.weights_of.split(".")
    while len(own) > 1 and len(other) > 1 and own[-1] == other[-1]:
        own.pop()
        other.pop()
    return Cell(f"as {'.'.join(other)}", row.params)


def _share(report: Report, row: Row) -> Cell:
    """Share of the operations: multiply–adds, or what the convention counts."""
    share = row.operations / report.operations if report.operations else 0.0
    return Cell(f"{100 * share:.1f} %" if share >= 0.0005 else "", round(share, 6))


COLUMNS = {
    column.key: column
    for column in (
        Column("path", "layer", "path", False, lambda report, row: row.name),
        Column("kind", "kind", "kind", False, lambda report, row: row.kind),
        Column("inputs", "from", "inputs", False, lambda report, row: ", ".join(row.inputs)),
        Column("output", "output", "output", True, lambda report, row: "×".join(map(str, row.output))),
        Column("params", "params", "params", True, _params),
        Column("macs", "MACs", "macs", True, lambda report, row: _amount(row.macs, si(row.macs))),
        Column("flops", "FLOPs", "flops", True, lambda report, row: _amount(row.flops, si(row.flops))),
        Column("counted", "", "counted", True, lambda report, row: _amount(row.counted or 0, si(row.counted or 0))),
        Column("share", "share", "share", True, _share),
        Column(
            "activations",
            "activations",
            "activation_bytes",
            True,
            lambda report, row: _amount(row.activation_bytes, mebibytes(row.activation_bytes)),
        ),
        Column(
            "moved",
            "moved",
            "moved_bytes",
            True,
            lambda report, row: _amount(row.moved_bytes, mebibytes(row.moved_bytes)),
        ),
        Column(
            "intensity",
            "FLOPs/byte",
            "flops_per_byte",
            True,
            lambda report, row: Cell(short(row.intensity) if row.flops else "", round(row.intensity, 4)),
        ),
        Column(
            "receptive_field",
            "receptive field",
            "receptive_field",
            True,
            lambda report, row: _fields(row),
        ),
    )
}
"""Every column by the name that `--columns` takes; `counted` is what a convention counts."""

DEFAULT = ("path", "kind", "output", "params", "macs", "flops", "share", "activations", "receptive_field")
CONVENTIONAL = ("path", "kind", "output", "params", "counted", "share")
"""The default where another tool's convention is asked for: no figures of ours beside that tool's."""


def chosen(report: Report, columns: Sequence[str] | None) -> list[str]:
    """The columns' names: those given, `["all"]` for all, or the default. Raises ValueError for another name."""
    names = list(columns or (CONVENTIONAL if report.convention else DEFAULT))
    known = [name for name in COLUMNS if name != "counted" or report.convention is not None]
    if names == ["all"]:
        return known
    for name in names:
        if name not in known:
            raise ValueError(f"there is no column {name}")
    return names


def table(report: Report, columns: Sequence[str] | None = None, caption: Sequence[str] = ()) -> Table:
    """The rows of a report under the chosen columns. Raises ValueError for an unknown column."""
    shown = [COLUMNS[name] for name in chosen(report, columns)]
    return Table(
        head=[_title(column, report) for column in shown],
        rows=[[column.cell(report, row) for column in shown] for row in report.rows],
        right=[column.right for column in shown],
        caption=caption,
        keys=[column.raw for column in shown],
    )


def _title(column: Column, report: Report) -> str:
    if column.key == "counted" and report.convention is not None:
        return f"{report.convention.word} ({report.convention.name})"
    return column.title
