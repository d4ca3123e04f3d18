"""Reports as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.reports import Report


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain data; `input` and `output` are [height, width, channels] or [features]."""
    graph = report.graph
    return {
        "spec": graph.name,
        "variant": graph.variant,
        "args": dict(graph.args),
        "input": list(graph.input.shape),
        "dtype": graph.input.dtype,
        "batch": report.batch,
        "mode": graph.mode,
        "layers": [asdict(row) for row in report.rows],
        "totals": report.totals,
    }


def render(report: Report) -> str:
    """The report as indented JSON text."""
    return json.dumps(to_dict(report), indent=2, ensure_ascii=False)
