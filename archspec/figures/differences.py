"""Where two networks differ: their layers aligned, and what each pair, or a layer without a partner, shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from archspec.graph import INPUT, Graph, Node, input_number
from archspec.kinds import plain

State = Literal["same", "resized", "changed", "added", "removed"]

SAME_PLACE, SAME_FIELDS, SAME_LAYER, SAME_KIND = 4, 7, 8, 2
"""What a pair is worth in an alignment: path and kind, kind and fields, all three, or the kind alone are equal."""

MAX_CELLS = 4_000_000
"""Pairs of layers that are weighed; beyond, layers are paired by path and kind alone, which takes no time."""


@dataclass(frozen=True)
class Difference:
    """A pair of layers of two networks, or a layer that one of them lacks.

    `fields` are the fields that differ, each with its two values, `weights` among them where a layer uses the arrays of
    another than its partner does; `rewired` says that two layers that are equal by themselves take their inputs from
    layers that are no pair. A "resized" pair has equal fields and another output shape or other operations, which some
    change before it brought about.
    """

    before: Node | None
    after: Node | None
    fields: tuple[tuple[str, Any, Any], ...] = ()
    rewired: bool = False

    @property
    def state(self) -> State:
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        if self.fields or self.rewired:
            return "changed"
        equal = self.before.output == self.after.output and self.before.cost == self.after.cost
        return "same" if equal and self.before.params == self.after.params else "resized"

    @property
    def renamed(self) -> bool:
        """Whether a pair has two paths, and so two names for its arrays."""
        return self.before is not None and self.after is not None and self.before.path != self.after.path

    @property
    def sees_otherwise(self) -> bool:
        """Whether the receptive fields of a pair differ."""
        if self.before is None or self.after is None:
            return False
        return self.before.sees != self.after.sees or self.before.receptive_field != self.after.receptive_field

    @property
    def macs(self) -> int:
        """Multiply–adds that the second network has more."""
        return (self.after.cost.macs if self.after else 0) - (self.before.cost.macs if self.before else 0)

    @property
    def params(self) -> int:
        """Trainable parameters that the second network has more."""
        one, other = (node.count("trainable") if node else 0 for node in (self.before, self.after))
        return other - one

    @property
    def values(self) -> int:
        """Numbers that the outputs of the second network have more, for one sample."""
        return (self.after.output.size if self.after else 0) - (self.before.output.size if self.before else 0)


def differences(first: Graph, second: Graph) -> list[Difference]:
    """The layers of both networks in order, in pairs where they correspond.

    Pairs are chosen so that together they agree as much as can be, in the layers' order (the alignment of Needleman &
    Wunsch 1970): best by path, kind and fields, then by kind and fields, by path and kind, by kind.
    """
    pairs = _aligned(first, second)
    partner = {**_same_inputs(first, second), **{i: j for i, j in pairs if i is not None and j is not None}}
    reached = set(partner.values())
    changes = []
    for i, j in pairs:
        before = None if i is None else first.nodes[i]
        after = None if j is None else second.nodes[j]
        fields: tuple[tuple[str, Any, Any], ...] = ()
        rewired = False
        if before is not None and after is not None:
            fields = (*_changed(before, after), *_shared(first, second, before, after, partner))
            # Inputs that the other network lacks are told of where these stand.
            known = all(source in partner for source in before.inputs)
            known = known and all(source in reached for source in after.inputs)
            rewired = known and [partner[source] for source in before.inputs] != list(after.inputs)
        changes.append(Difference(before, after, fields, rewired))
    return changes


def _same_inputs(first: Graph, second: Graph) -> dict[int, int]:
    """The inputs of one network and those of the other that they correspond to: of the same name, or the only ones."""
    if len(first.inputs) == len(second.inputs) == 1:
        return {INPUT: INPUT}
    places = {item.name: input_number(place) for place, item in enumerate(second.inputs)}
    return {input_number(place): places[item.name] for place, item in enumerate(first.inputs) if item.name in places}


def _fields(node: Node) -> dict[str, Any]:
    return {name: plain(getattr(node.layer, name)) for name in type(node.layer).model_fields}


def _changed(before: Node, after: Node) -> tuple[tuple[str, Any, Any], ...]:
    """The fields that differ, but for those that name layers: what they stand for is among the inputs."""
    one, other = _fields(before), _fields(after)
    names = [*one, *(name for name in other if name not in one)]
    return tuple(
        (name, one.get(name), other.get(name))
        for name in names
        if name not in before.layer.references and one.get(name) != other.get(name)
    )


def _shared(
    first: Graph, second: Graph, before: Node, after: Node, partner: dict[int, int]
) -> Iterator[tuple[str, Any, Any]]:
    """Whose arrays two layers use, where these are not each other's partners."""
    if before.shares is None and after.shares is None:
        return
    one, other = (
        next((index for index, node in enumerate(graph.nodes) if node.path == owner), None)
        for graph, owner in ((first, before.shares), (second, after.shares))
    )
    if one is None or other is None or partner.get(one) != other:
        yield "weights", before.shares, after.shares


def _aligned(first: Graph, second: Graph) -> list[tuple[int | None, int | None]]:
    """Indices of the nodes in pairs, None where a node has no partner."""
    keys: dict[Any, int] = {}

    def number(key: Any) -> int:
        return keys.setdefault(key, len(keys))

    def marks(graph: Graph) -> list[tuple[int, int, int]]:
        """Of each node a number for kind and fields, for kind and path, and for its kind."""
        return [
            (
                number(("fields", node.kind, repr({**_fields(node), **dict.fromkeys(node.layer.references)}))),
                number(("path", node.kind, node.path)),
                number(node.kind),
            )
            for node in graph.nodes
        ]

    one, other = marks(first), marks(second)
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    middle = (one[start : len(one) - end], other[start : len(other) - end])
    inner = _weighed(*middle) if len(middle[0]) * len(middle[1]) <= MAX_CELLS else _by_path(*middle)
    shifted = [(None if i is None else i + start, None if j is None else j + start) for i, j in inner]
    tail = [(len(one) - k, len(other) - k) for k in range(end, 0, -1)]
    return [*((k, k) for k in range(start)), *shifted, *tail]


Marks = list[tuple[int, int, int]]


def _weighed(one: Marks, other: Marks) -> list[tuple[int | None, int | None]]:
    """The pairs of greatest worth. Of equal ones those that come first, so what is added stands behind its like."""
    columns = len(other)
    below = [0] * (columns + 1)
    table = [below]
    for own in reversed(one):
        row = [0] * (columns + 1)
        for j in range(columns - 1, -1, -1):
            best = below[j] if below[j] > row[j + 1] else row[j + 1]
            mark = other[j]
            if mark[2] == own[2]:
                worth = below[j + 1] + _worth(own, mark)
                best = worth if worth > best else best
            row[j] = best
        table.append(row)
        below = row
    table.reverse()
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(one) and j < columns:
        if one[i][2] == other[j][2] and table[i][j] == table[i + 1][j + 1] + _worth(one[i], other[j]):
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif table[i][j] == table[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    pairs += [(k, None) for k in range(i, len(one))]
    pairs += [(None, k) for k in range(j, columns)]
    return pairs


def _worth(one: tuple[int, int, int], other: tuple[int, int, int]) -> int:
    """What a pair of one kind is worth."""
    if one[0] == other[0]:
        return SAME_LAYER if one[1] == other[1] else SAME_FIELDS
    return SAME_PLACE if one[1] == other[1] else SAME_KIND


def _by_path(one: Marks, other: Marks) -> list[tuple[int | None, int | None]]:
    """The pairs of equal path and kind, in order."""
    paths = [mark[1] for mark in one], [mark[1] for mark in other]
    pairs: list[tuple[int | None, int | None]] = []
    for tag, i, until, j, end in SequenceMatcher(None, *paths, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += zip(range(i, until), range(j, end), strict=True)
        else:
            pairs += [(k, None) for k in range(i, until)]
            pairs += [(None, k) for k in range(j, end)]
    return pairs
