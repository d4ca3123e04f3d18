"""The blocks of a network whose spec was written out flat, as runs and imports keep it: those of the zoo's network."""

from __future__ import annotations

from dataclasses import replace

from archspec.diagnostics import SpecError
from archspec.graph import Graph
from archspec.loading import load
from archspec.zoo import in_zoo


def with_blocks(graph: Graph) -> Graph:
    """The graph with the blocks of the zoo's network of its name, where that has the same layers; else as it is.

    What a block was given there may differ from what it was given here: it lends its names alone.
    """
    if graph.blocks or not any("." in node.path for node in graph.nodes) or in_zoo(graph.name) is None:
        return graph
    try:
        known = load(graph.name).graph().pruned(graph.mode)
    except SpecError:
        return graph
    mine, theirs = ([(node.path, node.kind, node.inputs) for node in own.nodes] for own in (graph, known))
    return replace(graph, blocks=known.blocks) if mine == theirs else graph
