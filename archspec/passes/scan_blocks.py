"""Identical consecutive blocks, of which one is traced and compiled: the others are further rounds of a `lax.scan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.blocks import Part, tree
from archspec.graph import is_input
from archspec.initialisers import Initialiser
from archspec.kinds import is_foreign
from archspec.passes._base import Group, consumers

if TYPE_CHECKING:
    from archspec.graph import Graph, Node

LEAST = 3
"""Blocks in a run, at least: of two, the loop takes longer to compile than the second block."""

Link = tuple[str, int]
"""Where a value comes from: a place "within" the block, or in the one "before", or a node "outside" of all."""


def find(graph: Graph, groups: Sequence[Group] = (), frozen: Collection[str] = ()) -> tuple[Group, ...]:
    """The runs of three or more alike blocks of a graph that is pruned to a mode, and the `groups` that are in none.

    Blocks are alike when they have the same layers with the same settings, on the same shapes, linked in the same way;
    each takes of the one before it what the first takes of some layer, and of layers further up what all take alike.
    Only the last gives values to others than the next one. Initialisers may differ, and what a kind declares as
    `varying` (rates of dropout).

    A block is in no run that has outputs of the network, arrays that it shares with other layers, layers that other
    packages made, or that takes the network's input as the first of a run. Blocks of which other arrays are `frozen`
    (names of arrays and paths of layers) are not alike. Groups that are alike in all blocks of a run run within it,
    as blocks that are computed anew do; where they are not, or one lies across blocks, there is no run. A group that
    holds a run as a whole has it within.
    """
    blocks = _Blocks(graph, groups, frozen)
    runs = list(_runs(tree(graph), blocks))
    taken = {index for run in runs for index in run.members}
    kept = [group for group in groups if group.first not in taken]
    return tuple(sorted([*_placed(kept, runs)], key=lambda group: group.first))


def _placed(groups: Sequence[Group], runs: Sequence[Group]) -> Iterator[Group]:
    """The groups with the runs that lie within them, and the runs that lie in none."""
    inside: set[int] = set()
    for group in groups:
        members = set(group.members)
        within = [run for run in runs if members.issuperset(run.members)]
        inside.update(run.first for run in within)
        yield group._replace(inner=tuple(_placed(group.inner, within))) if within else group
    yield from (run for run in runs if run.first not in inside)


def _runs(block: Part, blocks: _Blocks) -> Iterator[Group]:
    """The runs of a block's blocks, from the outside in."""
    parts = [part for part in block.parts if not part.is_layer]
    at = 0
    while at < len(parts):
        length = blocks.length_of_run([part.nodes for part in parts[at:]])
        if length >= LEAST:
            members = [index for part in parts[at : at + length] for index in part.nodes]
            second = set(parts[at + 1].nodes)
            inner = tuple(group for group in blocks.groups if group.first in second)
            yield Group("scan_blocks", tuple(members), inner, parts[at].path, length)
            at += length
        else:
            yield from _runs(parts[at], blocks)
            at += 1


class _Unit(NamedTuple):
    """What alike blocks have in common, besides where their values come from."""

    layers: tuple[Any, ...]
    groups: tuple[Any, ...]
    """Those within a block, by its first layer."""
    holding: int | None
    """The first layer of the group that has the block within it."""


class _Blocks:
    """What is known of a graph's layers, for comparing blocks."""

    def __init__(self, graph: Graph, groups: Sequence[Group], frozen: Collection[str]) -> None:
        self.groups = groups
        self._nodes, self._frozen = graph.nodes, frozen
        self._consumers = consumers(graph)
        self._outputs = {output.node for output in graph.outputs}
        self._owners = Counter(node.owner for node in graph.nodes)
        self._group_of = {index: group for group in groups for index in group.members}
        self._indexed = {
            source
            for node in graph.nodes
            for source, port in zip(node.inputs, node.ports, strict=True)
            if port == "indices"
        }

    def length_of_run(self, blocks: Sequence[Sequence[int]]) -> int:
        """How many blocks at the beginning make one run; 1 where the second is not as the first."""
        first = blocks[0]
        common = self._common(first)
        links: list[tuple[Link, ...]] | None = None
        length = 1
        while common is not None and length < len(blocks):
            before, block = blocks[length - 1], blocks[length]
            if block[0] != before[-1] + 1 or self._common(block) != common:
                break
            found = self._links(block, before, first[0])
            if found is None or (links is not None and found != links):
                break
            if links is None and not self._begins(first, before, found):
                break
            # What is handed on, and nothing else, is there once the run has ended.
            if not self._taken(before) <= {place for _, place in _of(found, "before")}:
                break
            if any(user > block[-1] for index in before for user in self._consumers.get(index, ())):
                break
            links, length = found, length + 1
        handed = {place for _, place in _of(links or (), "before")}
        while length > 1 and not self._taken(blocks[length - 1]) <= handed:
            length -= 1
        return length

    def _common(self, block: Sequence[int]) -> _Unit | None:
        """None for a block that can be in no run."""
        if block[-1] - block[0] + 1 != len(block):
            return None
        nodes = [self._nodes[index] for index in block]
        if self._outputs & set(block) or any(
            node.shares is not None or self._owners[node.owner] > 1 or is_foreign(type(node.layer)) for node in nodes
        ):
            return None
        groups, holding = [], None
        for group in dict.fromkeys(self._group_of[index] for index in block if index in self._group_of):
            members = set(group.members)
            if members <= set(block):
                groups.append(group)
            elif members >= set(block):
                holding = group.first
            else:
                return None
        layers = tuple(self._layer(index, node) for index, node in zip(block, nodes, strict=True))
        return _Unit(layers, tuple(_moved(group, block[0]) for group in groups), holding)

    def _layer(self, index: int, node: Node) -> tuple[Any, ...]:
        arrays = tuple(
            (weight.name, weight.shape, weight.role, f"{node.owner}.{weight.name}" in self._frozen)
            for weight in node.arrays
        )
        own = (node.owner in self._frozen, index in self._indexed)
        return (_settings(node), node.input_types, node.output, node.ports, arrays, own)

    def _links(self, block: Sequence[int], before: Sequence[int], begin: int) -> list[tuple[Link, ...]] | None:
        """Where the values of a block's layers come from; None where from a block before the last."""
        links = []
        for index in block:
            own: list[Link] = []
            node = self._nodes[index]
            for source, port in zip(node.inputs, node.ports, strict=True):
                if port == "shape":
                    continue
                if source >= block[0]:
                    own.append(("within", source - block[0]))
                elif source >= before[0]:
                    own.append(("before", source - before[0]))
                elif source < begin:
                    own.append(("outside", source))
                else:
                    return None
            links.append(tuple(own))
        return links

    def _begins(self, first: Sequence[int], before: Sequence[int], links: Sequence[tuple[Link, ...]]) -> bool:
        """Whether the first block takes of layers above what the others take of the block before them."""
        handed: dict[int, int] = {}
        for index, own in zip(first, links, strict=True):
            node = self._nodes[index]
            sources = [source for source, port in zip(node.inputs, node.ports, strict=True) if port != "shape"]
            for source, (where, place) in zip(sources, own, strict=True):
                if where == "within" and source != first[0] + place:
                    return False
                if where == "outside" and source != place:
                    return False
                if where == "before":
                    # What is given as it came, or as an output is, may be of another type than a layer passes on.
                    if source >= first[0] or is_input(source) or source in self._outputs:
                        return False
                    if handed.setdefault(place, source) != source:
                        return False
                    if self._nodes[source].output != self._nodes[before[0] + place].output:
                        return False
        return bool(handed)

    def _taken(self, block: Sequence[int]) -> set[int]:
        """The places in a block whose values layers after it take."""
        return {index - block[0] for index in block if any(user > block[-1] for user in self._consumers.get(index, ()))}


def _settings(node: Node) -> tuple[Any, ...]:
    """A layer's kind and what it is set to, but for what may differ among alike layers."""
    layer = node.layer
    apart = {*layer.references, *layer.varying}
    own = ((name, getattr(layer, name)) for name in type(layer).model_fields if name not in apart)
    return (type(layer), *((name, value) for name, value in own if not isinstance(value, Initialiser)))


def _moved(group: Group, by: int) -> Any:
    return (group.how, tuple(index - by for index in group.members), tuple(_moved(inner, by) for inner in group.inner))


def _of(links: Sequence[tuple[Link, ...]], where: str) -> set[Link]:
    return {link for own in links for link in own if link[0] == where}
