"""Reports as a plain-text table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.reports import CONVENTION

if TYPE_CHECKING:
    from archspec.reports import Report

_HEAD = ("layer", "kind", "output", "params", "MACs", "FLOPs", "receptive field")


def si(value: int) -> str:
    """Operations with an SI prefix: 416.5 k, 4.089 G."""
    for factor, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}"
    return str(value)


def mebibytes(value: int) -> str:
    """Bytes in MiB."""
    return f"{value / 2**20:,.3g} MiB" if value < 1000 * 2**20 else f"{value / 2**20:,.0f} MiB"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Rows as lines with columns of equal width; `right` says which are set flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def header(report: Report) -> list[str]:
    """What the figures are figures of."""
    graph = report.graph
    shape = "×".join(map(str, graph.input.shape))
    return [
        f"{graph.name}: input {shape} (H×W×C), batch {report.batch}, {graph.mode} mode, {graph.input.dtype}",
        CONVENTION,
    ]


def totals(report: Report) -> list[tuple[str, str]]:
    """Names and values of the totals, as people read them."""
    found = report.totals
    params, memory = found["params"], found["memory"]
    lines = [("trainable parameters", f"{params['trainable']:,}")]
    lines += [(f"{role} values", f"{params[role]:,}") for role in ("frozen", "statistics") if params[role]]
    return [
        *lines,
        ("multiply–adds", f"{found['macs']:,} ({si(found['macs'])})"),
        ("FLOPs", f"{found['flops']:,} ({si(found['flops'])})"),
        ("weights", mebibytes(memory["weights_bytes"])),
        (
            "activations",
            f"{mebibytes(memory['activations_bytes'])}, the largest {mebibytes(memory['largest_activation_bytes'])}",
        ),
    ]


def cells(report: Report) -> list[tuple[str, ...]]:
    """The table's rows as text."""
    return [
        (
            row.name,
            row.kind,
            "×".join(map(str, row.output)),
            f"{row.params:,}" if row.params else "",
            si(row.macs) if row.macs else "",
            si(row.flops) if row.flops else "",
            "×".join(map(str, row.receptive_field)),
        )
        for row in report.rows
    ]


def render(report: Report) -> str:
    """The report as text: header, one line a layer, totals."""
    lines = aligned([_HEAD, *cells(report)], [False, False, True, True, True, True, True])
    rule = "─" * max(map(len, lines))
    width = max(len(name) for name, _ in totals(report))
    return "\n".join(
        [
            *header(report),
            "",
            lines[0],
            rule,
            *lines[1:],
            rule,
            *(f"{name.ljust(width)}  {value}" for name, value in totals(report)),
        ]
    )
