"""Reports as an HTML fragment, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from archspec.reports import report as make_report
from archspec.reports import table

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.reports import Report

_COLUMNS = ("layer", "kind", "output", "parameters", "MACs", "FLOPs", "receptive field")


def render(report: Report) -> str:
    """A table with a caption and the totals below."""
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in _COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.cells(report)
    )
    caption = "<br>".join(map(escape, table.header(report)))
    foot = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in table.totals(report))
    return f"<p>{caption}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{foot}</ul>"


def fragment(graph: Graph) -> str:
    """The fragment for a graph in evaluation."""
    return render(make_report(graph))
