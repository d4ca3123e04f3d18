"""Which layers have their own rows where `spatial` divides the rows of maps, and what they take of other devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from archspec.diagnostics import count, listed
from archspec.graph import Graph, Node, is_input
from archspec.kinds import is_foreign
from archspec.layers import Halo, OnRows
from archspec.mesh import Mesh
from archspec.passes import Group
from archspec.types import TensorType

Source = tuple[int, bool]
"""A node, or an input of the network, and whether its indices are meant in place of its value."""

Form = Halo | Literal["whole"]
"""In which form a layer takes a value: its own rows with those of its neighbours, or all."""


NONE = Halo()


class Place(NamedTuple):
    """How a node of a graph that is pruned to training is computed, and where its output is."""

    on: OnRows | None
    """How it is computed of own rows; None where every device computes it whole, all alike."""
    divided: bool
    """Whether a device has its own rows of what the node gives, not all."""
    inputs: tuple[TensorType, ...]
    """The types of what it is computed of, halos included, by the node's inputs."""
    output: TensorType
    """The type of what it gives."""
    why: str = ""
    """Why a node with maps is computed whole, in words."""

    def form(self, number: int) -> Form:
        """In which form it takes one of its inputs, by its number."""
        return "whole" if self.on is None or number in self.on.whole else self.on.halo


class Exchange(NamedTuple):
    """One collective of the forward pass over `spatial`, for one sample.

    A `down` or `up` is a permutation that gives the neighbour below or above the last or first rows; a `gather` gives
    all rows of a value to all, a `sum` adds up what all have. The backward pass has, where the value has a gradient, a
    permutation of as many numbers the other way; for a gather a sum of `whole` numbers of which each device keeps its
    part; for a sum the same sum.
    """

    node: int
    """The node that asks for it."""
    source: Source | None
    """The value that is exchanged; None where it is one of the node's own, as statistics are."""
    kind: Literal["down", "up", "gather", "sum"]
    elements: int
    """Numbers that each device gives."""
    whole: int
    """Numbers that each device has afterwards."""
    again: bool = False
    """Whether the backward pass does it once more, as the node is computed anew there."""
    times: int = 1
    """How often the forward pass does it: the rounds of a loop."""


@dataclass(frozen=True)
class Rows:
    """How the nodes of a graph that is pruned to training are placed, where so many `parts` divide the rows."""

    parts: int
    graph: Graph
    places: tuple[Place, ...]

    def divided(self, source: int) -> bool:
        """Whether a node's output is divided; the network's inputs are whole on every device."""
        return not is_input(source) and self.places[source].divided

    @property
    def outputs(self) -> frozenset[str]:
        """The names of the network's outputs of which each device has its own rows."""
        return frozenset(output.name for output in self.graph.outputs if self.divided(output.node))

    @property
    def maps(self) -> tuple[int, ...]:
        """The nodes that take or give maps of more than one row."""
        return tuple(index for index, node in enumerate(self.graph.nodes) if _has_rows(node))

    @property
    def whole(self) -> tuple[int, ...]:
        """The nodes with maps of more than one row that every device computes whole."""
        return tuple(index for index in self.maps if self.places[index].on is None)

    @property
    def said(self) -> str:
        """`12 of 45 layers with maps are computed whole on every device: pool5, …`."""
        if not self.maps:
            return "no layer has maps whose rows could be divided: every device computes all"
        if not self.whole:
            return f"the rows of all {count(len(self.maps), 'layer')} with maps are divided by {self.parts}"
        names = listed([self.graph.nodes[index].path for index in self.whole], 8)
        are = "is" if len(self.whole) == 1 else "are"
        return (
            f"{len(self.whole)} of {count(len(self.maps), 'layer')} with maps {are} computed whole on every device: "
            f"{names}"
        )

    def part(self) -> Graph:
        """The network as one device computes it: its layers, and the types of what they take and give there."""
        nodes = tuple(
            replace(
                node,
                layer=node.layer if place.on is None or place.on.layer is None else place.on.layer,
                input_types=place.inputs,
                output=place.output,
            )
            for node, place in zip(self.graph.nodes, self.places, strict=True)
        )
        return replace(self.graph, nodes=nodes)

    def exchanges(self, groups: Sequence[Group] = ()) -> tuple[Exchange, ...]:
        """Every collective of the forward pass over `spatial`, in the order of the nodes that ask for it.

        `groups` are those that run together. A value that several nodes take in the same form is exchanged once, but
        within blocks that are computed anew and loops once more.
        """
        scopes = self._scopes(groups, (0, False, 1))
        seen: set[tuple[int, Source, Form]] = set()
        found = []
        for index, (node, place) in enumerate(zip(self.graph.nodes, self.places, strict=True)):
            scope, again, times = scopes.get(index, (0, False, 1))
            if not times:
                continue
            for number, (source, port) in enumerate(zip(node.inputs, node.ports, strict=True)):
                form, taken = place.form(number), (source, port == "indices")
                if port == "shape" or not self.divided(source) or (scope, taken, form) in seen:
                    continue
                seen.add((scope, taken, form))
                found += [
                    Exchange(index, taken, kind, elements, whole, again, times)
                    for kind, elements, whole in _of(form, self.places[source].output, self.parts)
                ]
            if place.on is not None:
                found += [Exchange(index, None, "sum", size, size, again, times) for size in place.on.sums]
                found += [
                    Exchange(index, None, "gather", size, size * self.parts, again, times) for size in place.on.gathers
                ]
        return tuple(found)

    def _scopes(self, groups: Sequence[Group], outer: Scope) -> dict[int, Scope]:
        found: dict[int, Scope] = {}
        for group in groups:
            own, members, within = outer, group.members, group.inner
            if group.how == "recompute":
                own = (group.first + 1, True, outer[2])
            elif group.how == "scan_blocks" and self.alike(group):
                own = (group.first + 1, outer[1], outer[2] * group.rounds)
                # The second block stands for all.
                size = len(members) // group.rounds
                found.update(dict.fromkeys(members, (0, False, 0)))
                members = members[size : 2 * size]
            elif group.how == "scan_blocks":
                within = unrolled(group)
            found.update(dict.fromkeys(members, own))
            found.update(self._scopes(within, own))
        return found

    def alike(self, loop: Group) -> bool:
        """Whether the blocks of a loop are placed alike, so that it can be one; otherwise they run one by one."""
        size = len(loop.members) // loop.rounds
        blocks = [loop.members[begin : begin + size] for begin in range(0, len(loop.members), size)]
        second = blocks[1]
        for own in blocks:
            for index, other in zip(own, second, strict=True):
                mine, theirs = self.places[index], self.places[other]
                if (mine.inputs, mine.output, mine.divided) != (theirs.inputs, theirs.output, theirs.divided):
                    return False
        # What the first block takes from above can become its part of what the others hand on, but not the whole.
        return not any(
            self.divided(begun) and not self.divided(handed)
            for index, other in zip(blocks[0], second, strict=True)
            for begun, handed in zip(self.graph.nodes[index].inputs, self.graph.nodes[other].inputs, strict=True)
        )


def _of(form: Form, own: TensorType, parts: int) -> list[tuple[Literal["down", "up", "gather"], int, int]]:
    """The collectives that bring a divided value, of which a device has `own`, into a form."""
    if form == "whole":
        return [("gather", own.size, own.size * parts)]
    row = own.size // own.shape[0]
    sides: tuple[tuple[Literal["down", "up"], int], ...] = (("down", form.top), ("up", form.bottom))
    return [(kind, rows * row, rows * row) for kind, rows in sides if rows]


Scope = tuple[int, bool, int]
"""The number of a stretch of calls in which values are exchanged once, whether it is computed anew, and its rounds."""


def unrolled(group: Group) -> tuple[Group, ...]:
    """The groups within all rounds of a loop, whose own are those within the second."""
    size = len(group.members) // group.rounds
    return tuple(_moved(inner, (turn - 1) * size) for turn in range(group.rounds) for inner in group.inner)


def _moved(group: Group, by: int) -> Group:
    members = tuple(index + by for index in group.members)
    return group._replace(members=members, inner=tuple(_moved(inner, by) for inner in group.inner))


def rows_of(graph: Graph, mesh: Mesh) -> Rows:
    """How the nodes of a graph are placed in training, where `mesh.spatial` devices divide the rows of its maps.

    A layer is computed of own rows where its kind says how, all maps divide evenly, and no halo is larger than the
    neighbour's part. Of inputs that are whole a device takes its own rows for free; so layers do that compute much, and
    those whose outputs such layers take, or the loss. All else is computed whole on every device.
    """
    graph = graph.pruned("train")
    parts = mesh.spatial
    found = [_on_rows(node, parts) if parts > 1 else (None, "") for node in graph.nodes]
    wanted = _wanted(graph, [on for on, _ in found])
    places: list[Place] = []
    for index, (node, (on, why)) in enumerate(zip(graph.nodes, found, strict=True)):
        if (
            on is not None
            and index not in wanted
            and not any(
                not is_input(source) and places[source].divided and number not in on.whole
                for number, source in enumerate(node.inputs)
                if node.ports[number] != "shape"
            )
        ):
            on, why = None, "takes a whole map, and what it gives is taken whole"
        places.append(_place(node, on, why, parts))
    return Rows(parts, graph, tuple(places))


def _place(node: Node, on: OnRows | None, why: str, parts: int) -> Place:
    if on is None:
        return Place(None, False, node.input_types, node.output, why if _has_rows(node) else "")
    inputs = tuple(
        x if number in on.whole or node.ports[number] == "shape" else part_of(x, parts, on.halo)
        for number, x in enumerate(node.input_types)
    )
    return Place(on, on.divides, inputs, part_of(node.output, parts) if on.divides else node.output)


def part_of(x: TensorType, parts: int, halo: Halo = NONE) -> TensorType:
    """A part of the rows of a map with the halo on both sides; of indices, those of windows over a part of the map."""
    shape = (x.shape[0] // parts + halo.top + halo.bottom, *x.shape[1:])
    if x.taps is None:
        return TensorType(shape, x.dtype)
    height, *others = x.taps.map
    first, *rest = x.taps.before
    taps = x.taps._replace(map=(height // parts, *others), before=(first + halo.top * x.taps.stride[0], *rest))
    return TensorType(shape, x.dtype, taps)


def _has_rows(node: Node) -> bool:
    taken = [x for x, port in zip(node.input_types, node.ports, strict=True) if port != "shape"]
    return any(x.is_map and x.shape[0] > 1 for x in (*taken, node.output))


def _on_rows(node: Node, parts: int) -> tuple[OnRows | None, str]:
    """How a node is computed of own rows; None and the reason where it cannot be."""
    kind = type(node.layer)
    if is_foreign(kind) and not {"pointwise", "on_rows"} & vars(kind).keys():
        return None, "is of a kind that does not say how rows are divided"
    taken = [number for number, port in enumerate(node.ports) if port != "shape"]
    if not all(node.input_types[number].is_map for number in taken):
        return None, "takes what has no rows"
    on = node.layer.on_rows(parts, node.input_types, node.output)
    if on is None:
        return None, "needs all rows, or windows that do not lie alike on all parts"
    if not on.halo.top + on.halo.bottom:
        on = on._replace(halo=NONE)
    divided = [node.input_types[number] for number in taken if number not in on.whole]
    for x in (*divided, *([node.output] if on.divides else [])):
        if not x.is_map or x.shape[0] % parts:
            return None, f"has {count(x.shape[0], 'row')}, which {parts} does not divide"
    for x in divided:
        if max(on.halo.top, on.halo.bottom) > x.shape[0] // parts:
            rows = count(max(on.halo.top, on.halo.bottom), "row")
            return None, f"needs {rows} of the next part, which has {x.shape[0] // parts}"
    return on, ""


def _wanted(graph: Graph, found: Sequence[OnRows | None]) -> set[int]:
    """Nodes that are computed of own rows although all that they take is whole: it costs nothing and saves much."""
    outputs = {output.node for output in graph.outputs}
    wanted: set[int] = set()
    later: set[int] = set()
    for index in reversed(range(len(graph.nodes))):
        on, node = found[index], graph.nodes[index]
        if on is None or not on.divides:
            continue
        if node.cost.macs or index in outputs or index in later:
            wanted.add(index)
            later.update(
                source
                for number, (source, port) in enumerate(zip(node.inputs, node.ports, strict=True))
                if port != "shape" and number not in on.whole
            )
    return wanted
