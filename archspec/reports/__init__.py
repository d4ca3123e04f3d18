"""Reports on a graph: what each layer and the whole network cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from archspec.graph import INPUT, Graph

CONVENTION = "MACs of convolutions and dense layers; FLOPs = 2·MACs + element-wise operations"


@dataclass(frozen=True)
class Row:
    """One layer's figures. Operations and activations are for the whole batch."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: tuple[int, ...]
    params: int
    macs: int
    flops: int
    activation_bytes: int
    receptive_field: tuple[int, int]


@dataclass(frozen=True)
class Report:
    """Figures of a network, printable as a table, JSON, or in a notebook."""

    graph: Graph
    batch: int
    rows: tuple[Row, ...]

    @property
    def totals(self) -> dict[str, Any]:
        """Parameters by role, operations, and bytes of weights and activations."""
        graph = self.graph
        arrays = [weight.size for node in graph.nodes for weight in node.weights]
        return {
            "params": {role: graph.count(role) for role in ("trainable", "frozen", "statistics")},
            "macs": sum(row.macs for row in self.rows),
            "flops": sum(row.flops for row in self.rows),
            "memory": {
                "weights_bytes": 4 * sum(arrays),
                "activations_bytes": sum(row.activation_bytes for row in self.rows),
                "largest_activation_bytes": max((row.activation_bytes for row in self.rows), default=0),
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, in the form that `--format json` prints."""
        from archspec.reports.json import to_dict

        return to_dict(self)

    def __str__(self) -> str:
        from archspec.reports.table import render

        return render(self)

    def _repr_html_(self) -> str:
        from archspec.reports.html import render

        return render(self)


def report(graph: Graph, *, mode: Literal["eval", "train"] = "eval", batch: int = 1) -> Report:
    """Figures of a graph, for evaluation (train-only parts left out) or training.

    Raises ValueError when the batch is not positive.
    """
    if batch < 1:
        raise ValueError("the batch must be 1 or more")
    seen = graph.pruned(mode)
    rows = []
    for node in seen.nodes:
        sources = tuple("input" if source == INPUT else seen.nodes[source].path for source in node.inputs)
        cost = node.cost
        rows.append(
            Row(
                node.path,
                node.kind,
                sources,
                node.output.shape,
                node.params,
                batch * cost.macs,
                batch * cost.flops,
                batch * node.output.bytes,
                node.receptive_field.size,
            )
        )
    return Report(seen, batch, tuple(rows))
