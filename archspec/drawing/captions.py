"""What is written in the boxes of a drawing, and as the titles of open blocks."""

from __future__ import annotations

from typing import NamedTuple

from archspec.diagnostics import count
from archspec.drawing.pieces import OUTPUT_PATH, Piece, Pieces
from archspec.drawing.words import is_counted, ranges, sized, spacing, window
from archspec.figures.units import si
from archspec.graph import Graph, Node
from archspec.layers import Family

SIZED = ("adaptive_avg_pool", "adaptive_max_pool", "resize")
"""Kinds that say what size they make."""


class Caption(NamedTuple):
    """The text of a box: a heading, and lines under it."""

    heading: str
    lines: tuple[str, ...]


def described(node: Node) -> str:
    """A layer in a few words: its kind, the size of its window, its outputs and its stride."""
    layer = node.layer
    text = layer.kind
    if sides := window(node) or (layer.kind in SIZED and sized(node, "size")):
        text += f" {sides}"
    more = []
    for name in ("filters", "units", "rate"):
        value = getattr(layer, name, None)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            more.append(f"{value:g}" if isinstance(value, float) else str(value))
    # A stride needs no comma before it where it is the first.
    first = ", " if more and text != layer.kind else " "
    more += [*spacing(node), *ranges(node)]
    for name in ("groups", "heads", "multiplier"):
        if (number := getattr(layer, name, 1)) != 1:
            more.append(f"{name} {number}")
    return first.join([text, ", ".join(more)]) if more else text


def caption(pieces: Pieces, piece: Piece, within: str) -> Caption:
    """The text of a folded box in the frame of a block. The last line says whose arrays it uses, if not its own."""
    text = _caption(pieces, piece, within)
    tie = pieces.ties.get(piece.path)
    return Caption(text.heading, (*text.lines, str(tie))) if tie else text


def _caption(pieces: Pieces, piece: Piece, within: str) -> Caption:
    graph = pieces.graph
    if piece.kind == "input":
        kind = graph.inputs[pieces.inputs.index(piece.path)].type
        return Caption(piece.name if len(graph.inputs) > 1 else graph.name, (f"input {kind}",))
    if piece.kind == "output":
        output = next(output for output in graph.outputs if OUTPUT_PATH + output.name == piece.path)
        return Caption(piece.name, (f"output {graph.output_type(output)}",))
    if piece.kind == "unit":
        lines = tuple(described(graph.nodes[index]) for index in piece.nodes)
        name = piece.path[len(within) + 1 :] if within else piece.path
        if "…" in within:
            name = piece.path.rpartition(".")[2]
        unnamed = len(piece.nodes) and not piece.what and is_counted(piece.name, graph.nodes[piece.nodes[0]].kind)
        if unnamed:
            return Caption(lines[0], lines[1:])
        return Caption(name, lines)
    params = sum(graph.nodes[index].params for index in piece.nodes)
    tie = pieces.ties.get(piece.path)
    # What uses another's arrays has none to be counted here.
    size = count(len(piece.nodes), "layer") + ("" if tie and tie.whole else f" · {si(params)} params")
    what = about(piece)
    if piece.kind == "run" and piece.alike:
        heading = what or described(graph.nodes[piece.nodes[0]]) + f" ×{len(piece.pieces):,}"
        return Caption(heading, (piece.name, *_taken(graph, piece), *_grown(graph, piece), size))
    if piece.name.isdigit() and what:
        return Caption(f"{piece.name}: {what}", (size,))
    return Caption(piece.name, (what, size) if what else (size,))


def _taken(graph: Graph, run: Piece) -> list[str]:
    """Parts that the first and the last of alike pieces take of an axis, or how often they drop values in training,
    where these are not the same.
    """
    pairs = zip(run.pieces[0].nodes, run.pieces[-1].nodes, strict=True)
    ends = ((graph.nodes[first], graph.nodes[last]) for first, last in pairs)
    words = ((first.kind, ", ".join(_differing(first)), ", ".join(_differing(last))) for first, last in ends)
    return [f"{kind} {one} … {other}" for kind, one, other in words if one != other][:2]


def _differing(node: Node) -> list[str]:
    rate = getattr(node.layer, "rate", None)
    return [*ranges(node), *([f"{rate:g}"] if isinstance(rate, float) else [])]


def _grown(graph: Graph, run: Piece) -> list[str]:
    """How many channels come into the first and out of the last of pieces that differ in that alone."""
    ends = [graph.nodes[piece.nodes[-1]].output.channels for piece in run.pieces]
    first = graph.nodes[run.nodes[0]].input_types[0].channels
    return [f"{first} → {ends[-1]} channel{'s' * (ends[-1] != 1)}"] if len(set(ends)) > 1 else []


def about(piece: Piece) -> str:
    """What a block or run is, in a word or two, where its name does not say it."""
    if piece.kind == "run":
        if not piece.alike:
            return piece.what or count(len(piece.pieces), "part")
        # Alike blocks may have several names.
        each = piece.what or ("block" if piece.pieces[0].kind == "block" else "")
        return f"{each} ×{len(piece.pieces):,}" if each else ""
    if piece.what == "repeat":
        # A run that is alike, or a stretch of very many parts, stands for what is in it.
        rounds = [
            inner
            for part in piece.pieces
            for inner in (part.pieces if part.kind == "run" and (part.alike or not part.what) else [part])
        ]
        kinds = {inner.what for inner in rounds}
        return f"{len(rounds)} × {kinds.pop()}" if len(kinds) == 1 and "" not in kinds else ""
    return "" if piece.what in (piece.name, "block", "round", "network") else piece.what


def families(graph: Graph, piece: Piece) -> tuple[Family, ...]:
    """What each layer of a unit does; nothing for what is no unit."""
    return tuple(graph.nodes[index].layer.family for index in piece.nodes) if piece.kind == "unit" else ()
