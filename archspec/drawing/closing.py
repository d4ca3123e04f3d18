"""Which blocks a paper's figure folds into one volume each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archspec.blocks import Part
from archspec.drawing.pieces import Piece
from archspec.graph import Graph

MAX_SIZES = 2
"""Sizes of maps or signals that a block may have inside to be folded: one, or two where it changes the size."""


def compound(graph: Graph, root: Part) -> Iterator[str]:
    """Paths of the outermost blocks that are folded from the start."""
    most = 0.6 * sum(1 for node in graph.nodes if node.cost.macs)

    def look(part: Part) -> Iterator[str]:
        for inner in part.parts:
            if inner.is_layer:
                continue
            weighty = sum(1 for index in inner.nodes if graph.nodes[index].cost.macs)
            whole = weighty > most and len(root.parts) <= 3
            if not whole and _few_sizes(graph, inner) and not _is_chain(graph, inner) and not _is_row(graph, inner):
                yield inner.path
            else:
                yield from look(inner)

    yield from look(root)


def _is_chain(graph: Graph, part: Part) -> bool:
    """Whether each layer inside takes the value of the one before it and nothing else."""
    before: int | None = None
    for index in part.nodes:
        node = graph.nodes[index]
        values = [source for source, port in zip(node.inputs, node.ports, strict=True) if port != "shape"]
        if len(values) > 1 or (before is not None and values != [before]):
            return False
        before = index
    return True


def _is_row(graph: Graph, part: Part) -> bool:
    """Whether the parts inside are blocks, and each takes values of the one before it alone."""
    before: set[int] = set()
    for inner in part.parts:
        if inner.is_layer:
            return False
        mine = set(inner.nodes)
        outside = {source for index in inner.nodes for source in graph.nodes[index].inputs} - mine
        if before and not outside <= before:
            return False
        before = mine
    return True


def gathered(part: Part, stretches: Sequence[Piece]) -> Part:
    """The part with the layers of each stretch in a part of their own, where they are neighbours in one block."""
    whole = {stretch.nodes[0]: stretch for stretch in stretches}
    mine = set(part.nodes)
    parts: list[Part] = []
    for inner in part.parts:
        stretch = whole.get(inner.nodes[0])
        if parts and inner.nodes[0] in parts[-1].nodes:
            parts[-1].parts.append(inner)
        elif stretch and len(stretch.nodes) > len(inner.nodes) and mine.issuperset(stretch.nodes):
            parts.append(Part(stretch.path, stretch.name, "block", None, stretch.nodes, [inner]))
        else:
            parts.append(inner if inner.is_layer else gathered(inner, stretches))
    return replace(part, parts=parts)


def _few_sizes(graph: Graph, part: Part) -> bool:
    sizes = {graph.nodes[index].output.spatial for index in part.nodes}
    return len(sizes) <= MAX_SIZES


def next_to_fold(graph: Graph, root: Part, closed: set[str]) -> list[Part]:
    """The open block of few sizes with most layers, and those like it."""

    def candidates(part: Part) -> Iterator[Part]:
        for inner in part.parts:
            if not inner.is_layer and inner.path not in closed:
                if len(inner.nodes) < len(graph.nodes) / 2 and _few_sizes(graph, inner):
                    yield inner
                else:
                    yield from candidates(inner)

    parts = list(candidates(root))
    if not parts:
        return []
    largest = max(parts, key=lambda part: len(part.nodes))
    return [part for part in parts if part.kind == largest.kind]
