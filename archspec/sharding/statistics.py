"""Which running statistics each device moves by its own part of the batch, so that a step ends with their mean."""

from __future__ import annotations

from collections.abc import Collection

from archspec.graph import Graph
from archspec.mesh import Mesh


def averaged_of(graph: Graph, mesh: Mesh, frozen: Collection[str] = ()) -> tuple[str, ...]:
    """The names of these arrays, `bn1.mean`, in the graph's order: they are summed over all devices as one array.

    With `mesh.per_device` those of every layer that training runs, without it those of kinds that are not told how the
    batch is divided. What is of a layer in `frozen` stays as it is.
    """
    if mesh.devices == 1:
        return ()
    return tuple(
        f"{node.owner}.{weight.name}"
        for node in graph.pruned("train").nodes
        if node.counted and node.owner not in frozen and (mesh.per_device or not node.layer.uses_shards)
        for weight in node.weights
        if weight.role == "statistics"
    )
