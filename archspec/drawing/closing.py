"""Which blocks a paper's figure folds into one volume each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from archspec.blocks import Part
from archspec.drawing.pieces import Piece
from archspec.drawing.steps import SEPARABLE, is_named, name_of, same_layers, weighty
from archspec.drawing.words import spanned
from archspec.graph import Graph
from archspec.types import TensorType

MAX_SIZES = 2
"""Sizes of maps or signals that a block may have inside to be folded: one, or two where it changes the size."""

LEAST_GROWING = 3
"""How many blocks in a row that each give more channels are one volume."""


def compound(graph: Graph, root: Part) -> set[str]:
    """Paths of the blocks that are folded from the start: where values go side by side in them, where alike ones of
    several layers follow each other, and then all of their kind.
    """
    most = 0.6 * weighty(graph, root)

    def whole(part: Part) -> bool:
        """Whether a block is nearly all that there is, and no part of it."""
        return len(root.parts) <= 3 and weighty(graph, part) > most

    def look(part: Part) -> Iterator[Part]:
        for inner, following in pairwise([*part.parts, None]):
            if inner is None or inner.is_layer:
                continue
            if not whole(inner) and _is_compound(graph, inner):
                yield inner
                continue
            if following and _come_again(graph, inner, following):
                yield from (inner, following)
            yield from look(inner)

    kinds = {SEPARABLE, *(_kind(graph, part) for part in look(root))}

    def closed(part: Part) -> Iterator[str]:
        for inner in part.parts:
            if not inner.is_layer and _kind(graph, inner) in kinds and not whole(inner):
                yield inner.path
            else:
                yield from closed(inner)

    return set(closed(root))


def _kind(graph: Graph, part: Part) -> object:
    """What parts have in common that are folded together: the block, or where the structure was written."""
    return part.kind if is_named(graph, part) else (part.kind, part.span)


def _is_compound(graph: Graph, part: Part) -> bool:
    return _few_sizes(graph, part) and not _is_chain(graph, part) and not _is_row(graph, part)


def _come_again(graph: Graph, one: Part, other: Part) -> bool:
    """Whether two neighbours are chains of the same layers or blocks, several that are no row of slabs as they are."""
    if _kind(graph, one) != _kind(graph, other) or not same_layers(graph, one, other) or not _few_sizes(graph, one):
        return False
    pairs = [(graph.nodes[first], graph.nodes[second]) for first, second in zip(one.nodes, other.nodes, strict=True)]
    does = {(node.kind, getattr(node.layer, "kernel", None)) for node, _ in pairs if node.cost.macs}
    several = len(does) > 1 or sum(not inner.is_layer for inner in one.parts) > 1
    same = several and all(first.output == second.output for first, second in pairs)
    return same and _is_row(graph, replace(one, parts=[one, other]))


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
    """Whether each part inside takes values of the one before it alone, and all are blocks, or one is a row itself."""
    if not all(not inner.is_layer for inner in part.parts) and not any(inner.kind == "repeat" for inner in part.parts):
        return False
    before: set[int] = set()
    for inner in part.parts:
        if before and not _taken(graph, inner) <= before:
            return False
        before = set(inner.nodes)
    return True


def _taken(graph: Graph, part: Part) -> set[int]:
    """The nodes outside a part that it takes values of."""
    return {source for index in part.nodes for source in graph.nodes[index].inputs} - set(part.nodes)


def rows(graph: Graph, part: Part, closed: set[str]) -> tuple[Part, set[str]]:
    """The part with each row of folded blocks that differ in what comes in alone, and give more and more channels, in a
    part of its own, and the paths of those. A part that is nothing but such a row is that part itself.
    """
    parts: list[Part] = []
    made: set[str] = set()
    at = 0
    while at < len(part.parts):
        row = _growing(graph, part.parts, at, closed)
        at += max(len(row), 1)
        if not row:
            inner = part.parts[at - 1]
            if not inner.is_layer and inner.path not in closed:
                inner, more = rows(graph, inner, closed)
                made |= more
            parts.append(inner)
        elif len(row) == len(part.parts) and part.path:
            return part, {part.path}
        else:
            first, last = row[0], row[-1]
            nodes = [index for inner in row for index in inner.nodes]
            path = f"{first.path}…{last.path}"
            parts.append(Part(path, spanned(name_of(first.path), name_of(last.path)), "repeat", None, nodes, row))
            made.add(path)
    return replace(part, parts=parts), made


def _growing(graph: Graph, parts: Sequence[Part], start: int, closed: set[str]) -> list[Part]:
    """The row of folded blocks that begins at a part, or nothing."""
    row = [parts[start]]
    if row[0].path not in closed:
        return []
    for part in parts[start + 1 :]:
        one, two = (graph.nodes[inner.nodes[-1]].output for inner in (row[-1], part))
        grows = one.spatial == two.spatial and one.channels < two.channels
        if not grows or part.kind != row[-1].kind or not same_layers(graph, row[-1], part):
            break
        if not _is_row(graph, replace(part, parts=[row[-1], part])):
            break
        row.append(part)
    return row if len(row) >= LEAST_GROWING else []


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
    """Whether a block has few sizes, those of single numbers for each channel, which gate maps, not counted."""
    kinds = [graph.nodes[index].output for index in part.nodes]
    sizes = {kind.spatial for kind in (*(kind for kind in kinds if not _is_gate(kind)), kinds[-1])}
    return len(sizes) <= MAX_SIZES


def _is_gate(kind: TensorType) -> bool:
    return kind.is_vector or kind.size == kind.channels


def foldable(graph: Graph, root: Part, closed: set[str]) -> list[list[Part]]:
    """The open blocks of few sizes, those of a kind together, those with most layers first."""
    kinds: dict[object, list[Part]] = {}

    def look(part: Part) -> None:
        for inner in part.parts:
            if inner.is_layer or inner.path in closed:
                continue
            if len(inner.nodes) < len(graph.nodes) / 2 and _few_sizes(graph, inner):
                kinds.setdefault(inner.kind if inner.kind == "repeat" else _kind(graph, inner), []).append(inner)
            look(inner)

    look(root)
    return sorted(kinds.values(), key=lambda parts: -max(len(part.nodes) for part in parts))
