"""Normalisations behind layers, where two libraries divide biases between the two in different ways."""

from __future__ import annotations

from archspec.graph import Graph, Node


def behind(graph: Graph) -> dict[str, Node]:
    """By a layer's path the batch normalisation that alone takes what it gives; of layers with a kernel and no bias."""
    users: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for source in node.inputs:
            users.setdefault(source, []).append(node)
    outputs = {output.node for output in graph.outputs}
    found = {}
    for index, node in enumerate(graph.nodes):
        own = {weight.name for weight in node.weights}
        after = users.get(index, [])
        alone = index not in outputs and [user.kind for user in after] == ["batch_norm"]
        if alone and "kernel" in own and "bias" not in own:
            found[node.path] = after[0]
    return found
