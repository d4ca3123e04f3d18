"""Which blocks of a drawing are open."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from archspec.diagnostics import did_you_mean
from archspec.drawing import DrawingError
from archspec.drawing.pieces import Piece, Pieces
from archspec.graph import needed
from archspec.patterns import compiled

MANY = 48
"""Boxes that a drawing has without being asked for more."""


def visible(piece: Piece, opened: Collection[str]) -> int:
    """How many boxes a block shows."""
    return sum(visible(inner, opened) if inner.opens and inner.path in opened else 1 for inner in piece.pieces)


def chosen(pieces: Pieces, depth: int | None = None, open: Sequence[str] = ()) -> set[str]:
    """The blocks that are open: those above a depth, those that are named, or, where neither is given, by legibility.

    Then blocks are opened level by level as long as the boxes remain few; of a level that would be too much, the
    first block of each kind is, so that one sees what the others hold. Raises DrawingError when a path names nothing.
    """
    opened: set[str] = set()
    if depth is not None:
        blocks = (piece for piece in pieces.root.walk() if piece.kind == "block" and piece.path)
        opened = {piece.path for piece in blocks if len(piece.path.split(".")) < depth}
    for pattern in open:
        opened |= _named(pieces, pattern)
    if depth is not None or open:
        return opened
    graph = pieces.graph
    # What only training needs stands beside the network and stays folded.
    kept = needed(graph.nodes, [output.node for output in graph.outputs if not output.train_only])
    level = [piece for piece in pieces.root.pieces if piece.kind == "block" and kept.intersection(piece.nodes)]
    while level:
        shown = visible(pieces.root, opened)
        if shown + sum(len(piece.pieces) - 1 for piece in level) > MANY:
            level = _first_of_each(level)
            fitting: list[Piece] = []
            for piece in level:
                more = len(piece.pieces) - 1
                if shown + more <= MANY:
                    fitting.append(piece)
                    shown += more
            level = fitting
        opened |= {piece.path for piece in level}
        level = [inner for piece in level for inner in piece.pieces if inner.kind == "block"]
    return opened


def _first_of_each(blocks: Sequence[Piece]) -> list[Piece]:
    first: dict[object, Piece] = {}
    for piece in blocks:
        first.setdefault(_kind(piece), piece)
    return list(first.values())


def _kind(block: Piece) -> object:
    """What blocks have in common of which the first shows what is in the others: of rows of blocks, these."""
    inner = {member.what for part in block.pieces for member in (part.pieces if part.alike else [part])}
    return (block.what, *sorted(inner)) if "" not in inner else (block.what, len(block.nodes))


def _named(pieces: Pieces, pattern: str) -> set[str]:
    """What a path or pattern names, and all that it lies in."""
    fits = compiled(pattern).fullmatch
    opened_paths: set[str] = set()
    paths: list[str] = []

    def look(piece: Piece, around: tuple[str, ...]) -> None:
        for inner in piece.pieces:
            paths.append(inner.path)
            names = (
                {inner.path}
                if inner.kind != "unit"
                else {inner.path, *(pieces.graph.nodes[n].path for n in inner.nodes)}
            )
            if any(fits(name) for name in names):
                opened_paths.update(around, [inner.path])
            look(inner, (*around, inner.path))

    look(pieces.root, ())
    if not opened_paths:
        words = did_you_mean(pattern, paths)
        raise DrawingError(f"nothing is called {pattern} here" + (f"; {words}" if words else ""))
    return opened_paths
