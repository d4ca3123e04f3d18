"""Reports as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.reports import Report, Row


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain data; `input` and `output` are [height, width, channels], [length, channels] or [features].

    Of several inputs `inputs` has the shapes by name.
    """
    graph = report.graph
    fields = {
        "spec": graph.name,
        "variant": graph.variant,
        "args": dict(graph.args),
        **shapes(graph),
        "dtype": report.dtype,
        "batch": report.batch,
        "mode": graph.mode,
        "layers": [_row(row) for row in report.rows],
        "totals": report.totals,
    }
    if report.convention is not None:
        count = sum(row.counted or 0 for row in report.rows)
        printed = dict(report.convention.summary(graph, count, report.batch))
        fields["convention"] = {"name": report.convention.name, "count": count, "printed": printed}
    return fields


def shapes(graph: Graph) -> dict[str, Any]:
    """What the network takes as plain data: `input`, or several `inputs` by name."""
    if len(graph.inputs) == 1:
        return {"input": list(graph.input.shape)}
    return {"inputs": {item.name: list(item.type.shape) for item in graph.inputs}}


def _row(row: Row) -> dict[str, Any]:
    fields = row._asdict()
    fields["intensity"] = row.intensity
    if row.counted is None:
        del fields["counted"]
    fields["other_fields"] = dict(row.other_fields)
    for key in ("field_of", "other_fields", "weights_of"):
        if not fields[key]:
            del fields[key]
    return fields


def render(report: Report) -> str:
    """The report as indented JSON text."""
    return json.dumps(to_dict(report), indent=2, ensure_ascii=False)
