"""Graphviz's DOT language: open blocks are clusters, edges have the shapes of what flows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.drawing.captions import about, caption
from archspec.drawing.layout import Direction
from archspec.drawing.opening import chosen
from archspec.drawing.palette import FAINT, FAMILIES
from archspec.drawing.pieces import OUTPUT_PATH, Piece, Pieces
from archspec.graph import Graph, input_number


def render(graph: Graph, *, depth: int | None = None, open: Sequence[str] = (), direction: Direction = "down") -> str:
    """The graph as DOT, with the same blocks open as in the look of a graph. Raises DrawingError where that does."""
    pieces = Pieces(graph)
    opened = chosen(pieces, depth, open)
    rank = "LR" if direction == "right" else "TB"
    title = f", label={quoted(graph.title)}, labelloc=t" if graph.title else ""
    lines = [
        f"digraph {quoted(graph.name)} {{",
        f'  graph [rankdir={rank}, fontname="Helvetica,sans-serif", fontsize=11{title}]',
        '  node [shape=box, style="filled,rounded", fillcolor="#ffffff", fontname="Helvetica,sans-serif", fontsize=11]',
        f'  edge [fontname="Helvetica,sans-serif", fontsize=9, color="{FAINT}", fontcolor="{FAINT}"]',
    ]
    home = {input_number(at): path for at, path in enumerate(pieces.inputs)}
    lines += _within(pieces, pieces.root, opened, home, "  ")
    edges: dict[tuple[str, str, int, str], None] = {}
    for index, node in enumerate(graph.nodes):
        for source, port in zip(node.inputs, node.ports, strict=True):
            if home[source] != home[index]:
                edges[home[source], home[index], source, port] = None
    for output in graph.outputs:
        edges[home[output.node], OUTPUT_PATH + output.name, output.node, "value"] = None
    for tail, head, tensor, taken in edges:
        dashed = "" if taken == "value" else ", style=dashed"
        lines.append(f"  {quoted(tail)} -> {quoted(head)} [label={quoted(str(graph.source_type(tensor)))}{dashed}]")
    return "\n".join([*lines, "}", ""])


def _within(pieces: Pieces, block: Piece, opened: set[str], home: dict[int, str], indent: str) -> Iterator[str]:
    """The statements of a block's parts; notes in `home` the box of each layer."""
    for piece in block.pieces:
        if piece.opens and piece.path in opened:
            title = f"{piece.name}: {what}" if (what := about(piece)) else piece.name
            title += f" · {tie}" if (tie := pieces.ties.get(piece.path)) else ""
            yield f"{indent}subgraph {quoted('cluster_' + piece.path)} {{"
            yield f'{indent}  label={quoted(title)}; labeljust=l; color="#c9cfd5"'
            yield from _within(pieces, piece, opened, home, indent + "  ")
            yield indent + "}"
            continue
        home.update(dict.fromkeys(piece.nodes, piece.path))
        text = caption(pieces, piece, block.path)
        lines = "\n".join((text.heading, *text.lines))
        yield f"{indent}{quoted(piece.path)} [label={quoted(lines)}{_style(pieces, piece)}]"


def _style(pieces: Pieces, piece: Piece) -> str:
    if piece.kind in ("input", "output"):
        return ', fillcolor="#3b4652", fontcolor="#ffffff"'
    dashed = ', style="filled,rounded,dashed"' if (tie := pieces.ties.get(piece.path)) and tie.whole else ""
    if piece.kind == "unit":
        colours = FAMILIES[pieces.graph.nodes[piece.nodes[0]].layer.family]
        return f', fillcolor="{colours.light}", color="{colours.dark}"{dashed}'
    return f", peripheries=2{dashed}"


def quoted(text: str) -> str:
    """A string of the language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
