"""What the boxes of a drawing stand for: units of layers, blocks, and runs of alike blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from math import inf
from typing import Any, Literal, NamedTuple

from archspec.blocks import Part, tree
from archspec.drawing.repeats import Member, repeats
from archspec.drawing.sharing import Sharing, Tie
from archspec.drawing.words import alike
from archspec.graph import Graph, Node, input_number, is_input
from archspec.layers import Layer, Port

Kind = Literal["input", "output", "unit", "block", "run"]

INPUT_PATH = "@input"
OUTPUT_PATH = "@output."
"""Paths of the boxes that stand for the network's input and, with its name, an output; no layer's path has an @. Where
there are several inputs, each has a path with its name, `@input.left`."""

_FOLLOWERS = ("normalisation", "activation")
_FOLLOWER_KINDS = ("dropout", "spatial_dropout", "stochastic_depth", "identity")
_SCOPES = ("branch", "shortcut", "parallel", "residual")
_MAX_DISSOLVED = 8
MAX_BETWEEN = 8
_MAX_UNIT = 6
_MAX_PIECES = 120
_CHUNK = 40
_FEW = 8
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
    a stretch of them. Where several pieces come again and again, a run's members are stretches too, and `what` tells
    what they are together. `nodes` are the indices of the layers inside, `path` is the block's or the unit's first
    layer's; a run's is that of its first member with `…` and the rest of the last one's.
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

    @property
    def end(self) -> str:
        """The path of its last part that is no run."""
        return self.pieces[-1].end if self.kind == "run" else self.path

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
                if not is_input(source):
                    self.consumers[source].append(index)
        self.outputs: dict[int, list[str]] = {}
        for output in graph.outputs:
            self.outputs.setdefault(output.node, []).append(output.name)
        self._known: dict[Any, int] = {}
        self._paths: set[str] = set()
        self._alone: set[str] = set()
        self._dissolved: dict[str, list[Piece]] = {}
        # The last layer that takes each layer's value; an output is taken by nothing that a run could hold.
        self._reach = [
            inf if index in self.outputs else max(users, default=index) for index, users in enumerate(self.consumers)
        ]
        # The only input counts as the value before the first layer, unless it is taken again all along the network. Of
        # several, one that a single layer takes counts as the value before that layer.
        users = [index for index, node in enumerate(graph.nodes) if any(map(is_input, node.inputs))]
        several = len(graph.inputs) > 1
        self._input_spreads = several or sum(3 * index > len(graph.nodes) for index in users) > 1
        takers = Counter(source for index in users for source in graph.nodes[index].inputs if several)
        self._taken_once = {source for source, count in takers.items() if is_input(source) and count == 1}
        self._sharing = Sharing(graph)
        self._marks = [self._mark(index, node) for index, node in enumerate(graph.nodes)]
        pieces = self._within(tree(graph))
        self.inputs = [f"{INPUT_PATH}.{item.name}" if several else INPUT_PATH for item in graph.inputs]
        """The paths of the network's inputs, in order."""
        names = [item.name if several else "input" for item in graph.inputs]
        first = [Piece(path, name, "input", []) for path, name in zip(self.inputs, names, strict=True)]
        last = [Piece(OUTPUT_PATH + output.name, output.name, "output", []) for output in graph.outputs]
        self.root = Piece("", graph.name, "block", list(range(len(graph.nodes))), "network", [*first, *pieces, *last])
        self.ties: dict[str, Tie] = {}
        """Of each block, run or unit that uses others' arrays, whose: by its path, but for what an open block tells."""
        if self._sharing.holder:
            for piece in pieces:
                self._note_ties(piece)

    def _note_ties(self, piece: Piece) -> None:
        tie = self._tie(piece)
        if tie:
            self.ties[piece.path] = tie
        if not (tie and tie.exact):
            for inner in piece.pieces:
                self._note_ties(inner)

    def _tie(self, piece: Piece) -> Tie | None:
        if piece.kind != "run":
            return self._sharing.tie(piece.path, piece.nodes, unit=piece.kind == "unit")
        whole = self._sharing.is_whole(piece.nodes)
        inside = set(piece.nodes)
        ties = [tie for member in piece.pieces if (tie := self._tie(member))]
        if not ties or not any(self._sharing.holder.get(index, index) not in inside for index in piece.nodes):
            return None
        first, last = ties[0], ties[-1]
        if {tie.path for tie in ties} == {first.path}:
            return Tie(first.path, whole, whole and all(tie.exact for tie in ties))
        return Tie(f"{first.path} … {last.path}", whole, exact=False)

    def by_path(self) -> dict[str, Piece]:
        """Every piece by its path."""
        return {piece.path: piece for piece in self.root.walk()}

    def tensor(self, source: int) -> str:
        """What a value is called: the path of the input or of the layer that gives it."""
        return self.inputs[input_number(source)] if is_input(source) else self.graph.nodes[source].path

    def flows(self, piece: Piece) -> list[Flow]:
        """What flows between a block's pieces, given by their numbers, and across its border; each once.

        Of very many tensors between the same two, as from a stretch of branches to what joins them, the first stand
        for all.
        """
        owner = {node: number for number, inner in enumerate(piece.pieces) for node in inner.nodes}
        names = {inner.path: number for number, inner in enumerate(piece.pieces) if inner.kind in ("input", "output")}
        owner |= {input_number(at): names[path] for at, path in enumerate(self.inputs) if path in names}
        between_pieces: dict[Flow, None] = {}
        for index in piece.nodes:
            node = self.graph.nodes[index]
            at = owner[index]
            for source, port in zip(node.inputs, node.ports, strict=True):
                if owner.get(source) != at:
                    between_pieces[Flow(owner.get(source), at, source, port)] = None
            if piece.path:
                leaves = index in self.outputs or any(user not in owner for user in self.consumers[index])
                if leaves:
                    between_pieces[Flow(at, None, index, "value")] = None
        for name, number in names.items():
            if name not in self.inputs:
                output = next(output for output in self.graph.outputs if OUTPUT_PATH + output.name == name)
                between_pieces[Flow(owner[output.node], number, output.node, "value")] = None
        for flow in list(between_pieces):
            # What goes into a block as a value also has one line; inside, it parts.
            into_block = flow.target is not None and bool(piece.pieces[flow.target].pieces)
            if flow.port != "value" and into_block and flow._replace(port="value") in between_pieces:
                del between_pieces[flow]
        between = Counter((flow.source, flow.target) for flow in between_pieces)
        many = {pair for pair, number in between.items() if number > MAX_BETWEEN}
        seen: set[tuple[int | None, int | None]] = set()
        for flow in sorted(between_pieces, key=lambda flow: flow.tensor) if many else ():
            pair = flow.source, flow.target
            if pair in many and pair in seen:
                del between_pieces[flow]
            seen.add(pair)
        return list(between_pieces)

    def _mark(self, index: int, node: Node) -> tuple[tuple[int, ...], ...]:
        """What alike layers have in common: kind, fields, shapes, how far back their inputs are, and shared arrays.

        Whose arrays a layer uses is told in two ways: by that layer, as for rounds that all use the first one's, and by
        how far back it is, as for a chain whose layers each use those of their counterpart. The last mark leaves out
        how many channels come out, as for blocks that each add some to what comes in.
        """
        layer = alike(node.layer)
        distances = [self._distance(index, source) for source in node.inputs]
        mark = (self._number(node.kind, layer, node.output), *distances)
        loose = (self._number(node.kind, layer, node.output.spatial), *distances)
        holder = self._sharing.holder.get(index)
        if holder is None:
            return mark, mark, loose
        return (*mark, -1, holder), (*mark, -2, index - holder), (*loose, -1, holder)

    def _number(self, kind: str, layer: Layer, *more: Any) -> int:
        """A number for what alike layers have in common."""
        try:
            return self._known.setdefault((kind, layer, *more), len(self._known))
        except TypeError:
            return self._known.setdefault((kind, repr(layer), *more), len(self._known))

    def _distance(self, index: int, source: int) -> int:
        """How far before a layer an input of its is; 0 or less for an input of the network that spreads."""
        if source in self._taken_once:
            return 1
        return source + 1 if is_input(source) and self._input_spreads else index - source

    def _within(self, part: Part) -> list[Piece]:
        """The pieces of a block's frame."""
        pieces: list[Piece] = []
        for inner in part.parts:
            if inner.is_layer:
                self._add_layer(pieces, inner)
                continue
            parts = self._within(inner)
            if len(parts) == 1 and parts[0].kind == "unit":
                pieces.append(Piece(inner.path, inner.name, "unit", parts[0].nodes, inner.kind))
                continue
            block = Piece(inner.path, inner.name, "block", inner.nodes, inner.kind, parts)
            if inner.kind in _SCOPES and len(parts) <= _MAX_DISSOLVED:
                self._dissolved.setdefault(parts[0].path, []).append(block)
                pieces.extend(parts)
            else:
                pieces.append(block)
        return self._chunks(self._firsts(self._folded(pieces, part.path)))

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

    def _folded(self, pieces: list[Piece], path: str) -> list[Piece]:
        """The pieces with what comes again and again in a chain put together, and that again."""
        while True:
            folded: list[Piece] = []
            for repeat in repeats([self._member(piece) for piece in pieces]):
                part = pieces[repeat.start : repeat.end]
                if repeat.times == 1:
                    folded += part
                    continue
                stretches = [part[at : at + repeat.period] for at in range(0, len(part), repeat.period)]
                folded.append(self._run([self._together(stretch) for stretch in stretches], alike=True))
            if len(folded) == len(pieces):
                return pieces
            first = folded[0].pieces
            if path and len(folded) == 1 and len(first) <= _FEW and first[0].kind != "block":
                # A block that is one short run says so itself.
                return first
            pieces = folded

    def _firsts(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces with the first of alike blocks by itself where none of their kind is, so that it may be opened."""
        self._alone.update(piece.what for piece in pieces if piece.kind == "block")
        parts: list[Piece] = []
        for piece in pieces:
            first = piece.pieces[0] if piece.alike else piece
            if first.kind != "block" or piece.what in ("", *_SCOPES) or first.what in self._alone:
                parts.append(piece)
                continue
            self._alone.add(first.what)
            rest = piece.pieces[1:]
            parts += [first, self._run(rest, alike=True) if len(rest) > 1 else rest[0]]
        return parts

    def _member(self, piece: Piece) -> Member:
        """A piece as `repeats` compares it: what is alike has the same kind and the same layers, in the same order."""
        nodes = piece.nodes
        first, second, loose = (
            self._known.setdefault((piece.kind, *(self._marks[index][way] for index in nodes)), len(self._known))
            for way in range(3)
        )
        inside = max((self._reach[index] for index in nodes[:-1]), default=-1.0)
        reach = max(inside, self._reach[nodes[-1]])
        whole = nodes[-1] - nodes[0] == len(nodes) - 1
        return Member((first, second, loose), nodes[0], nodes[-1], reach, inside, _MIN_RUN.get(piece.kind, 0), whole)

    def _together(self, pieces: list[Piece]) -> Piece:
        """Neighbours as one piece: the block that they are the parts of, or a stretch."""
        if len(pieces) == 1:
            return pieces[0]
        nodes = [index for piece in pieces for index in piece.nodes]
        for block in self._dissolved.get(pieces[0].path, ()):
            if block.nodes == nodes:
                return block
        stretch = self._run(pieces, alike=False)
        firsts = [self.graph.nodes[piece.nodes[0]] for piece in pieces]
        kinds = [piece.what or node.kind for piece, node in zip(pieces, firsts, strict=True)]
        stretch.what = "residual" if kinds[-1] == "add" and len(firsts[-1].inputs) > 1 else " – ".join(kinds)
        return stretch

    def _run(self, members: list[Piece], *, alike: bool) -> Piece:
        first, last = members[0], members[-1]
        begin, end = first.path.split("…")[0], last.end
        # What both paths begin with is not said twice, where it leaves no doubt which run it is.
        pairs = zip(begin.split(".")[:-1], end.split(".")[:-1], strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        path = f"{begin}…{'.'.join(end.split('.')[shared:])}"
        if path in self._paths:
            path = f"{begin}…{end}"
        while path in self._paths:
            path += "…"
        self._paths.add(path)
        name = f"{first.name.split(' … ')[0]} … {last.name.rpartition(' … ')[2]}"
        nodes = [node for member in members for node in member.nodes]
        kinds = {member.what for member in members}
        what = kinds.pop() if alike and len(kinds) == 1 else ""
        return Piece(path, name, "run", nodes, what, members, alike)

    def _chunks(self, pieces: list[Piece]) -> list[Piece]:
        """No more pieces than can be looked at: very many are put together as stretches, or stretches of those."""
        while len(pieces) > _MAX_PIECES:
            chunks: list[Piece] = []
            stretch: list[Piece] = []
            for piece in [*pieces, None]:
                # What joins very many branches stays outside their stretches.
                joins = piece is not None and len(self.graph.nodes[piece.nodes[0]].inputs) > _CHUNK
                if piece is None or joins or len(stretch) == _CHUNK:
                    chunks += [self._run(stretch, alike=False)] if len(stretch) > 1 else stretch
                    stretch = []
                if piece is not None and joins:
                    chunks.append(piece)
                elif piece is not None:
                    stretch.append(piece)
            if len(chunks) == len(pieces):
                break
            pieces = chunks
        return pieces
