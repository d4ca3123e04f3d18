"""What the boxes of a drawing stand for: units of layers, blocks, and runs of alike blocks, and the text in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from archspec.blocks import Part, tree
from archspec.diagnostics import count
from archspec.drawing.words import is_counted, size, spacing, window
from archspec.graph import INPUT, Graph, Node
from archspec.layers import Family, Port
from archspec.reports.units import si

Kind = Literal["input", "output", "unit", "block", "run"]

INPUT_PATH = "@input"
OUTPUT_PATH = "@output."
"""Paths of the boxes that stand for the network's input and, with its name, an output; no layer's path has an @."""

_FOLLOWERS = ("normalisation", "activation")
_FOLLOWER_KINDS = ("dropout", "identity")
_SCOPES = ("branch", "shortcut", "parallel", "residual")
_MAX_DISSOLVED = 8
MAX_BETWEEN = 8
_MAX_UNIT = 6
_MAX_PIECES = 120
_CHUNK = 40
_MIN_RUN = {"block": 2, "unit": 4}


class Flow(NamedTuple):
    """A value that goes from one piece to another; `source` or `target` is None where it enters or leaves their frame.

    `tensor` is the index of the node whose output it is.
    """

    source: int | None
    target: int | None
    tensor: int
    port: Port


@dataclass
class Piece:
    """One box of a drawing when it is folded.

    A unit is a layer with the element-wise layers that follow it, or a block that has no more than that. A block has
    the pieces that its frame shows. A run is made of alike blocks in a chain, or, where a block has very many parts, of
    a stretch of them. `nodes` are the indices of the layers inside, `path` is the block's or the unit's first layer's;
    a run's is that of its first member with `…` and the last one's name.
    """

    path: str
    name: str
    kind: Kind
    nodes: list[int]
    what: str = ""
    pieces: list[Piece] = field(default_factory=list)
    alike: bool = False

    @property
    def opens(self) -> bool:
        return self.kind in ("block", "run")

    def walk(self) -> Iterator[Piece]:
        """This piece and all inside it, from the outside in."""
        yield self
        for piece in self.pieces:
            yield from piece.walk()


class Pieces:
    """The pieces of a graph: `root` with the path "" has the input's and the outputs' among its own."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.consumers: list[list[int]] = [[] for _ in graph.nodes]
        for index, node in enumerate(graph.nodes):
            for source in node.inputs:
                if source != INPUT:
                    self.consumers[source].append(index)
        self.outputs: dict[int, list[str]] = {}
        for output in graph.outputs:
            self.outputs.setdefault(output.node, []).append(output.name)
        self._known: dict[Any, int] = {}
        self._marks = [self._mark(index, node) for index, node in enumerate(graph.nodes)]
        pieces = self._within(tree(graph))
        first = Piece(INPUT_PATH, "input", "input", [])
        last = [Piece(OUTPUT_PATH + output.name, output.name, "output", []) for output in graph.outputs]
        self.root = Piece("", graph.name, "block", list(range(len(graph.nodes))), "network", [first, *pieces, *last])

    def by_path(self) -> dict[str, Piece]:
        """Every piece by its path."""
        return {piece.path: piece for piece in self.root.walk()}

    def flows(self, piece: Piece) -> list[Flow]:
        """What flows between a block's pieces, given by their numbers, and across its border; each once.

        Of very many tensors between the same two, as from a stretch of branches to what joins them, the first stand
        for all.
        """
        owner = {node: number for number, inner in enumerate(piece.pieces) for node in inner.nodes}
        names = {inner.path: number for number, inner in enumerate(piece.pieces) if inner.kind in ("input", "output")}
        if INPUT_PATH in names:
            owner[INPUT] = names[INPUT_PATH]
        found: dict[Flow, None] = {}
        for index in piece.nodes:
            node = self.graph.nodes[index]
            at = owner[index]
            for source, port in zip(node.inputs, node.ports, strict=True):
                if owner.get(source) != at:
                    found[Flow(owner.get(source), at, source, port)] = None
            if piece.path:
                leaves = index in self.outputs or any(user not in owner for user in self.consumers[index])
                if leaves:
                    found[Flow(at, None, index, "value")] = None
        for name, number in names.items():
            if name != INPUT_PATH:
                output = next(output for output in self.graph.outputs if OUTPUT_PATH + output.name == name)
                found[Flow(owner[output.node], number, output.node, "value")] = None
        between = Counter((flow.source, flow.target) for flow in found)
        many = {pair for pair, number in between.items() if number > MAX_BETWEEN}
        seen: set[tuple[int | None, int | None]] = set()
        for flow in sorted(found, key=lambda flow: flow.tensor) if many else ():
            pair = flow.source, flow.target
            if pair in many and pair in seen:
                del found[flow]
            seen.add(pair)
        return list(found)

    def _mark(self, index: int, node: Node) -> tuple[int, ...]:
        """What alike layers have in common: kind, fields, shapes, and how far back their inputs are."""
        try:
            key: Any = (node.kind, node.layer, node.output)
            number = self._known.setdefault(key, len(self._known))
        except TypeError:
            number = self._known.setdefault((node.kind, repr(node.layer), node.output), len(self._known))
        return (number, *(0 if source == INPUT else index - source for source in node.inputs))

    def _within(self, part: Part) -> list[Piece]:
        """The pieces of a block's frame."""
        pieces: list[Piece] = []
        for inner in part.parts:
            if inner.is_layer:
                self._add_layer(pieces, inner)
                continue
            found = self._within(inner)
            if len(found) == 1 and found[0].kind == "unit":
                pieces.append(Piece(inner.path, inner.name, "unit", found[0].nodes, inner.kind))
            elif inner.kind in _SCOPES and len(found) <= _MAX_DISSOLVED:
                pieces.extend(found)
            else:
                pieces.append(Piece(inner.path, inner.name, "block", inner.nodes, inner.kind, found))
        return self._chunks(self._runs(pieces, part.path))

    def _add_layer(self, pieces: list[Piece], part: Part) -> None:
        (index,) = part.nodes
        node = self.graph.nodes[index]
        follows = node.layer.family in _FOLLOWERS or node.kind in _FOLLOWER_KINDS
        if follows and len(node.inputs) == 1 and pieces:
            before = pieces[-1]
            only = before.kind == "unit" and not before.what and before.nodes[-1] == node.inputs[0]
            alone = only and self.consumers[before.nodes[-1]] == [index] and before.nodes[-1] not in self.outputs
            if alone and len(before.nodes) < _MAX_UNIT:
                before.nodes.append(index)
                return
        pieces.append(Piece(part.path, part.name, "unit", [index]))

    def _like(self, piece: Piece, other: Piece) -> bool:
        """Whether the other is the same once more, next in a chain that nothing branches off from."""
        first, second = piece.nodes, other.nodes
        if piece.kind != other.kind or len(first) != len(second) or second[0] - first[0] != len(first):
            return False
        if second[-1] - second[0] != len(first) - 1 or first[-1] - first[0] != len(first) - 1:
            return False
        if any(self._marks[a] != self._marks[b] for a, b in zip(first, second, strict=True)):
            return False
        last = second[-1]
        return all(
            node not in self.outputs and all(user <= last for user in self.consumers[node]) for node in piece.nodes
        )

    def _runs(self, pieces: list[Piece], path: str) -> list[Piece]:
        """The pieces with alike ones in a chain put together."""
        found: list[Piece] = []
        start = 0
        while start < len(pieces):
            end = start + 1
            if pieces[start].kind in _MIN_RUN:
                while end < len(pieces) and self._like(pieces[end - 1], pieces[end]):
                    end += 1
            if end - start >= _MIN_RUN.get(pieces[start].kind, end):
                found.append(_run(pieces[start:end], alike=True))
            else:
                found.extend(pieces[start:end])
            start = end
        # A block that is one run says so itself.
        needless = path and len(found) == 1 and len(pieces) <= _MAX_PIECES
        return pieces if needless else found

    def _chunks(self, pieces: list[Piece]) -> list[Piece]:
        """No more pieces than can be looked at: very many are put together as stretches, or stretches of those."""
        while len(pieces) > _MAX_PIECES:
            found: list[Piece] = []
            stretch: list[Piece] = []
            for piece in [*pieces, None]:
                # What joins very many branches stays outside their stretches.
                joins = piece is not None and len(self.graph.nodes[piece.nodes[0]].inputs) > _CHUNK
                if piece is None or joins or len(stretch) == _CHUNK:
                    found += [_run(stretch, alike=False)] if len(stretch) > 1 else stretch
                    stretch = []
                if piece is not None and joins:
                    found.append(piece)
                elif piece is not None:
                    stretch.append(piece)
            if len(found) == len(pieces):
                break
            pieces = found
        return pieces


def _run(members: Sequence[Piece], alike: bool) -> Piece:
    first, last = members[0], members[-1]
    path = f"{first.path.split('…')[0]}…{last.path.rpartition('…')[2].rpartition('.')[2]}"
    name = f"{first.name.split(' … ')[0]} … {last.name.rpartition(' … ')[2]}"
    nodes = [node for member in members for node in member.nodes]
    return Piece(path, name, "run", nodes, first.what if alike else "", list(members), alike)


class Label(NamedTuple):
    """The text of a box: a heading, and lines under it."""

    heading: str
    lines: tuple[str, ...]


def described(node: Node) -> str:
    """A layer in a few words: its kind, the size of its window, its outputs and its stride."""
    layer = node.layer
    text = layer.kind
    if found := window(layer) or (
        layer.kind in ("adaptive_avg_pool", "resize") and size(getattr(layer, "size", ()) or ())
    ):
        text += f" {found}"
    more = []
    for name in ("filters", "units", "rate"):
        value = getattr(layer, name, None)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            more.append(f"{value:g}" if isinstance(value, float) else str(value))
    # A stride needs no comma before it where it is the first.
    first = ", " if more and text != layer.kind else " "
    more += spacing(layer)
    if (groups := getattr(layer, "groups", 1)) != 1:
        more.append(f"groups {groups}")
    return first.join([text, ", ".join(more)]) if more else text


def label(pieces: Pieces, piece: Piece, within: str) -> Label:
    """The text of a folded box in the frame of a block."""
    graph = pieces.graph
    if piece.kind == "input":
        return Label(graph.name, (f"input {graph.input}",))
    if piece.kind == "output":
        output = next(output for output in graph.outputs if OUTPUT_PATH + output.name == piece.path)
        return Label(piece.name, (f"output {graph.output_type(output)}",))
    if piece.kind == "unit":
        lines = tuple(described(graph.nodes[index]) for index in piece.nodes)
        name = piece.path[len(within) + 1 :] if within else piece.path
        if "…" in within:
            name = piece.path.rpartition(".")[2]
        unnamed = len(piece.nodes) and not piece.what and is_counted(piece.name, graph.nodes[piece.nodes[0]].kind)
        if unnamed:
            return Label(lines[0], lines[1:])
        return Label(name, lines)
    params = sum(graph.nodes[index].params for index in piece.nodes)
    size = f"{count(len(piece.nodes), 'layer')} · {si(params)} params"
    what = about(piece)
    if piece.kind == "run" and piece.alike:
        return Label(what or described(graph.nodes[piece.nodes[0]]) + f" ×{len(piece.pieces):,}", (piece.name, size))
    if piece.name.isdigit() and what:
        return Label(f"{piece.name}: {what}", (size,))
    return Label(piece.name, (what, size) if what else (size,))


def about(piece: Piece) -> str:
    """What a block or run is, in a word or two, where its name does not say it."""
    if piece.kind == "run":
        if not piece.alike:
            return count(len(piece.pieces), "part")
        return f"{piece.what} ×{len(piece.pieces):,}" if piece.what else ""
    if piece.what == "repeat":
        rounds = [inner for part in piece.pieces for inner in (part.pieces if part.kind == "run" else [part])]
        kinds = {inner.what for inner in rounds}
        return f"{len(rounds)} × {kinds.pop()}" if len(kinds) == 1 and "" not in kinds else ""
    return "" if piece.what in (piece.name, "block", "round", "network") else piece.what


def families(graph: Graph, piece: Piece) -> tuple[Family, ...]:
    """What each layer of a unit does; nothing for what is no unit."""
    return tuple(graph.nodes[index].layer.family for index in piece.nodes) if piece.kind == "unit" else ()
