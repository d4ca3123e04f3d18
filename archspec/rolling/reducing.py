"""A graph as one list of entries: branches that begin and end together become `parallel` and `residual`."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from archspec.graph import Graph, Node, is_input
from archspec.kinds import JOINS, Kind, plain
from archspec.rolling.entries import Chain, Entry, Layer, Parallel, Residual

MAX_INSIDE = 60
"""Layers that one structure may have: more are followed better in one list, with names."""

SHORT = 2
"""Layers of a branch that is a mere way round."""


class Reduced:
    """The list of a graph. `uses` counts how often each node's value is taken, by layers, fields and outputs."""

    def __init__(self, chain: Chain, uses: list[int]) -> None:
        self.chain = chain
        self.uses = uses


def tidy(value: Any) -> Any:
    """A field as one writes it: one number for an equal pair, and for four equal sides."""
    if not isinstance(value, list) or len(value) != 2:
        return value
    if isinstance(value[0], list):
        # Sides of a map, alike above and below as left and right.
        return tidy([side[0] for side in value]) if all(len(set(side)) == 1 for side in value) else value
    return value[0] if value[0] == value[1] else value


Defaults = Mapping[str, Mapping[str, Any]]
"""Fields that layers of a kind have where they say nothing, by kind."""


def layer_of(node: Node, index: int, defaults: Defaults | None = None) -> Layer:
    """A node as an entry. `defaults` are those that the file is to have."""
    written = node.layer.to_plain()
    fields: dict[str, Any] = dict(written[node.kind]) if isinstance(written, dict) else {}
    referred = node.layer.referred() if node.layer.references else {}
    data = len(node.inputs) - len(referred)
    for name in referred:
        fields.pop(name)
    pairs = {name: tidy(value) for name, value in fields.items() if name in PAIRED}
    if node.kind in PADDED and "pad" in pairs:
        pairs["pad"] = padding_of(fields, pairs["pad"])
    references = dict(zip(referred, node.inputs[data:], strict=True))
    layer = Layer(node.kind, {**fields, **pairs}, node.inputs[:data], index, references)
    own = (defaults or {}).get(node.kind, {})
    standing = {name: own.get(name, default_of(type(node.layer), name)) for name in fields}
    layer.is_activation = node.layer.family == "activation" and not node.arrays and data == 1 and fields == standing
    return layer


def default_of(kind: type[Kind], name: str) -> Any:
    """A field's default as one writes it; None where it has none."""
    info = kind.model_fields.get(name)
    if info is None or info.is_required():
        return None
    value = plain(info.get_default(call_default_factory=True))
    return tidy(value) if name in PAIRED else value


PAIRED = ("kernel", "stride", "dilation", "pad", "window", "factor", "sides", "size", "offset", "output_pad")
"""Fields that take one number for several."""


PADDED = ("conv", "depthwise_conv", "locally_connected")
"""Kinds whose padding is said in words where it is none, or as much as `same`."""


def padding_of(fields: Mapping[str, Any], pad: Any) -> Any:
    """Padding in words where numbers come to the same, whatever is padded: `same` of a window of one place is none."""
    extents = [(k - 1) * d + 1 for k, d in zip(fields["kernel"], fields.get("dilation", [1, 1]), strict=True)]
    sides = [[pad, pad]] * 2 if isinstance(pad, int) else pad
    if isinstance(pad, str):
        return "same" if pad == "valid" and extents == [1, 1] else pad
    if len(sides) != 2:
        return pad
    given = [side if isinstance(side, list) else [side, side] for side in sides]
    if all(extent % 2 for extent in extents) and given == [[(extent - 1) // 2] * 2 for extent in extents]:
        return "same"
    return "valid" if given == [[0, 0], [0, 0]] else pad


def is_plain(layer: Layer) -> bool:
    """Whether a layer is one that joins branches, without fields that it need not have."""
    return layer.kind in JOINS and len(layer.inputs) > 1 and not layer.references and not layer.fields


def reduced(graph: Graph, defaults: Defaults) -> Reduced:
    """The list of a graph."""
    uses = [0] * len(graph.nodes)
    for node in graph.nodes:
        for source in node.inputs:
            if not is_input(source):
                uses[source] += 1
    for output in graph.outputs:
        if not is_input(output.node):
            uses[output.node] += 1
    return Reduced(_ordered(_Reducer(graph, uses, defaults).chains()), uses)


class _Piece:
    """A stretch without a fork: `chain`, its layers' number, and the nodes whose values it takes and gives."""

    __slots__ = ("chain", "first", "inputs", "out", "size")

    def __init__(self, entry: Entry, first: int, size: int) -> None:
        self.chain: Chain = [entry]
        self.first = first
        self.inputs = entry.inputs
        self.out = entry.out
        self.size = size


class _Reducer:
    """Goes through the nodes in order, and keeps the stretch that ends in each value that is still to be taken."""

    def __init__(self, graph: Graph, uses: list[int], defaults: Defaults) -> None:
        self.graph = graph
        self.uses = uses
        self.defaults = defaults
        self.pieces: dict[int, _Piece] = {}
        self.inputs = [0] * len(graph.inputs)

    def chains(self) -> list[_Piece]:
        """The stretches that are left, each a list."""
        for index, node in enumerate(self.graph.nodes):
            layer = layer_of(node, index, self.defaults)
            joined = self.joined(layer) if is_plain(layer) else None
            entry, size = (layer, 1) if joined is None else joined
            self.place(entry, index, size)
        return sorted(self.pieces.values(), key=lambda piece: piece.first)

    def place(self, entry: Entry, index: int, size: int) -> None:
        """Puts an entry behind the stretch whose value it alone takes, or begins one."""
        if len(entry.inputs) == 1 and not (isinstance(entry, Layer) and entry.references):
            (source,) = entry.inputs
            before = self.pieces.get(source)
            if before is not None and self.uses[source] == 1:
                del self.pieces[source]
                before.chain.append(entry)
                before.out = entry.out
                before.size += size
                self.pieces[entry.out] = before
                return
        self.pieces[entry.out] = _Piece(entry, index, size)

    def joined(self, join: Layer) -> tuple[Entry, int] | None:
        """The structure that a join ends, and the number of its layers; None where its branches begin apart."""
        if len(set(join.inputs)) < len(join.inputs):
            return None
        branches: list[_Piece | None] = []
        source: int | None = None
        # The identity begins where the other branches do.
        for value in join.inputs:
            piece = self.pieces.get(value)
            single = piece if piece is not None and self.uses[value] == 1 and len(piece.inputs) == 1 else None
            if single is not None and isinstance(single.chain[0], Layer) and single.chain[0].references:
                single = None
            branches.append(single)
            begin = value if single is None else single.inputs[0]
            if source is None:
                source = begin
            elif source != begin:
                return None
        assert source is not None
        size = 1 + sum(piece.size for piece in branches if piece is not None)
        if not any(branches) or size > MAX_INSIDE or self.goes_round(join, branches):
            return None
        for piece in branches:
            if piece is not None:
                del self.pieces[piece.out]
        if not is_input(source):
            self.uses[source] -= len(branches) - 1
        chains = [piece.chain if piece is not None else [] for piece in branches]
        return self.structure(join, chains, [piece.size if piece else 0 for piece in branches], source), size

    def structure(self, join: Layer, chains: list[Chain], sizes: list[int], source: int) -> Entry:
        if join.kind != "add" or len(chains) != 2:
            return Parallel(chains, join, source)
        body, shortcut = chains
        if sizes[1] > sizes[0]:
            body, shortcut = shortcut, body
        return Residual(body, shortcut, False, join, source)

    def goes_round(self, join: Layer, branches: list[_Piece | None]) -> bool:
        """Whether a join ends an hourglass, with a short way round it: its maps shrink and grow again."""
        if len(branches) != 2 or join.kind == "multiply":
            return False
        sizes = [piece.size if piece is not None else 0 for piece in branches]
        body = branches[0] if sizes[0] >= sizes[1] else branches[1]
        if body is None or min(sizes) > SHORT or max(sizes) < 6:
            return False
        nodes = self.graph.nodes
        start = self.graph.source_type(body.inputs[0]).spatial
        if not start or nodes[body.out].output.spatial != start:
            return False
        sizes_inside = [nodes[entry.out].output.spatial for entry in body.chain if entry is not None]
        return any(len(size) == len(start) and size[0] * 2 <= start[0] for size in sizes_inside)


def _ordered(pieces: list[_Piece]) -> Chain:
    """The stretches one after the other: behind what it takes, and where that can be right behind it."""
    place = {piece.out: number for number, piece in enumerate(pieces)}
    waiting = [0] * len(pieces)
    takers: list[list[int]] = [[] for _ in pieces]
    for number, piece in enumerate(pieces):
        for source in sources_of(piece):
            if source in place:
                waiting[number] += 1
                takers[place[source]].append(number)
    ready = [number for number, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    done = [False] * len(pieces)
    chain: Chain = []
    nearest: list[int] = []
    while ready or nearest:
        number = heapq.heappop(nearest) if nearest else heapq.heappop(ready)
        if done[number]:
            continue
        done[number] = True
        chain.extend(pieces[number].chain)
        while nearest:
            heapq.heappush(ready, heapq.heappop(nearest))
        for other in takers[number]:
            waiting[other] -= 1
            if not waiting[other]:
                follows = pieces[other].inputs and pieces[number].out in pieces[other].inputs
                heapq.heappush(nearest if follows else ready, other)
    return chain


def sources_of(piece: _Piece) -> list[int]:
    """The values that a stretch takes from outside, for whatever."""
    first = piece.chain[0]
    extra = list(first.references.values()) if isinstance(first, Layer) else []
    return [*piece.inputs, *extra]
