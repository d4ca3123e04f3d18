"""The scopes of a network as things that are called: what each takes, what it does step by step, what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archspec.blocks import Part, tree
from archspec.graph import Graph, Node
from archspec.types import TensorType

Value = tuple[int, bool]
"""What flows: the index of a node or an input, and whether it is where the maxima were in place of their values."""


class Ref(NamedTuple):
    """A value within a scope: what the scope takes, by number, where `step` is −1, else what a step gives."""

    step: int
    place: int = 0


@dataclass
class Step:
    """One call within a scope: of a layer or of a scope inside it.

    `path` is the way there from the scope: more than one name where scopes between are lists, or hold modules only.
    """

    path: tuple[str, ...]
    inputs: tuple[Ref, ...]
    gives: tuple[Value, ...]
    node: Node | None = None
    scope: Use | None = None
    again: int | None = None
    """The earlier step whose module is called once more: this one's arrays are all that one's."""
    types: tuple[TensorType, ...] = ()
    """Of what it gives."""
    items: list[Step] = field(default_factory=list)
    """Steps one after the other that this one stands for: those of a list, or of a row of numbered names, whose path
    ends with `*` in the number's place. The first one's number is `start`."""
    start: int = 0


@dataclass
class Use:
    """A scope that is called: `kind` is the spec's word for it, `arguments` what its block was given there."""

    path: str
    kind: str
    arguments: Mapping[str, Any]
    takes: tuple[Value, ...]
    steps: list[Step] = field(default_factory=list)
    outputs: tuple[Ref, ...] = ()
    types: tuple[TensorType, ...] = ()
    """Of what it takes."""
    first: int = 0
    """The index of its first layer."""
    of: Any = None
    """The class that it is a use of, once that is known."""
    names: tuple[str, ...] = ()
    """What the things are called that it takes: inputs of the network, or the last part of a node's path."""

    def walk(self) -> Iterator[Use]:
        """All scopes inside, from the inside out, and this one."""
        for step in self.steps:
            if step.scope is not None:
                yield from step.scope.walk()
        yield self


def is_list(part: Part) -> bool:
    """Whether a scope is a list: its parts are called 0, 1, 2, …"""
    return [inner.name for inner in part.parts] == [str(number) for number in range(len(part.parts))] and not (
        part.is_layer
    )


def scopes(graph: Graph) -> Use:
    """The network as a scope that is called, with those inside."""
    return _Reader(graph).use(tree(graph), _outputs(graph))


def _outputs(graph: Graph) -> tuple[Value, ...]:
    return tuple((output.node, False) for output in graph.outputs)


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.taken: list[tuple[Value, ...]] = [
            tuple(
                (source, port == "indices")
                for source, port in zip(node.inputs, node.ports, strict=True)
                if port != "shape"
            )
            for node in graph.nodes
        ]
        self.users: dict[Value, list[int]] = {}
        for index, values in enumerate(self.taken):
            for value in values:
                self.users.setdefault(value, []).append(index)
        self.returned = set(_outputs(graph))
        self.labels = {} if graph.blocks else labels(tree(graph))

    def use(self, part: Part, outputs: tuple[Value, ...] | None) -> Use:
        """A scope; `outputs` are given for the network itself, in their order."""
        inside = set(part.nodes)
        takes = (
            self.from_outside(inside) if part.path else tuple((-1 - i, False) for i in range(len(self.graph.inputs)))
        )
        block = self.graph.blocks.get(part.path)
        kind = self.labels.get(part.path) or kind_of(part, self.graph)
        found = Use(part.path, kind, block.arguments if block else {}, takes)
        found.first = part.nodes[0] if part.nodes else 0
        found.types = tuple(self.graph.source_type(source) for source, _ in takes)
        found.names = tuple(self.graph.source_name(source).rpartition(".")[2] for source, _ in takes)
        refs = {value: Ref(-1, place) for place, value in enumerate(takes)}
        owners: dict[str, int] = {}
        for inner in self.ordered(part):
            path = tuple(inner.path.removeprefix(f"{part.path}.").split("."))
            gives = self.for_outside(set(inner.nodes))
            scope = None if inner.is_layer else self.use(inner, None)
            values = self.taken[inner.nodes[0]] if scope is None else scope.takes
            node = self.graph.nodes[inner.nodes[0]] if inner.is_layer else None
            step = Step(path, tuple(refs[value] for value in values), gives, node, scope)
            step.types = tuple(self.graph.source_type(source) for source, _ in gives)
            step.again = self.owner_of(inner, part, owners)
            owners.setdefault(inner.path, len(found.steps))
            for place, value in enumerate(gives):
                refs[value] = Ref(len(found.steps), place)
            found.steps.append(step)
        given = outputs if outputs is not None else self.for_outside(inside)
        found.outputs = tuple(refs[value] for value in given)
        return found

    def owner_of(self, part: Part, around: Part, owners: Mapping[str, int]) -> int | None:
        """The step around whose layers have the arrays of all layers of a part that have any, each in its place."""
        own = [self.graph.nodes[index] for index in part.nodes]
        with_arrays = [node for node in own if node.arrays]
        if not with_arrays or any(node.shares is None for node in with_arrays):
            return None
        for path, step in owners.items():
            if all(node.shares == path + node.path.removeprefix(part.path) for node in with_arrays):
                return step
        return None

    def from_outside(self, inside: set[int]) -> tuple[Value, ...]:
        """The values that nodes take from elsewhere, in the order in which they are first taken."""
        found = {value: None for index in sorted(inside) for value in self.taken[index] if value[0] not in inside}
        return tuple(found)

    def for_outside(self, inside: set[int]) -> tuple[Value, ...]:
        """The values of nodes that others take, or the network gives."""
        return tuple(
            value
            for index in sorted(inside)
            for value in ((index, False), (index, True))
            if value in self.returned or any(user not in inside for user in self.users.get(value, ()))
        )

    def ordered(self, part: Part) -> list[Part]:
        """What is called within a scope, each after what it takes.

        A scope that cannot be called at once, since what it gives comes back to it from elsewhere, is opened: what is
        inside is called from here.
        """
        opened: set[str] = set()
        while True:
            parts = list(_flat(part, opened))
            ordered, rest = self.sorted(parts)
            if not rest:
                return ordered
            opened.add(next(inner.path for inner in rest if not inner.is_layer))

    def sorted(self, parts: list[Part]) -> tuple[list[Part], list[Part]]:
        """Parts in an order in which each comes after those that it takes values of; and those that have none."""
        at = {index: place for place, inner in enumerate(parts) for index in inner.nodes}
        needs: list[set[int]] = [
            {
                at[source]
                for index in inner.nodes
                for source, _ in self.taken[index]
                if source in at and at[source] != place
            }
            for place, inner in enumerate(parts)
        ]
        ordered: list[int] = []
        waiting = sorted(range(len(parts)), key=lambda place: parts[place].nodes[0])
        done: set[int] = set()
        while waiting:
            ready = next((place for place in waiting if needs[place] <= done), None)
            if ready is None:
                break
            waiting.remove(ready)
            done.add(ready)
            ordered.append(ready)
        return [parts[place] for place in ordered], [parts[place] for place in waiting]


def _flat(part: Part, opened: set[str]) -> Iterator[Part]:
    """What is called in a scope: its parts, and in place of lists and of opened scopes theirs."""
    for inner in part.parts:
        if not inner.is_layer and (is_list(inner) or inner.path in opened):
            yield from _flat(inner, opened)
        else:
            yield inner


STRUCTURES = ("repeat", "round", "parallel", "branch", "residual", "shortcut", "block")
"""What scopes are called that are no block of the spec's."""


def kind_of(part: Part, graph: Graph) -> str:
    """What a scope is called: the spec's block, or after its own name and that of what it lies in."""
    if not part.path:
        return ""
    if part.kind not in STRUCTURES:
        return part.kind
    above, _, name = part.path.rpartition(".")
    if name.isdigit():
        above, _, list_name = above.rpartition(".")
        name = f"{_stem(list_name)}_block"
    outer = graph.blocks.get(above)
    name = _stem(name) if part.kind != "branch" else "branch"
    if outer is None or outer.kind in STRUCTURES:
        return name
    return f"{outer.kind}_{name}"


def labels(network: Part) -> dict[str, str]:
    """What scopes of a network without blocks are called: those that have the same parts, by what their names share.

    The rounds of a list are called after the list.
    """
    alike: dict[Any, list[Part]] = {}
    parts: dict[str, Any] = {}

    def look(part: Part) -> Any:
        if part.is_layer:
            return part.kind
        inside = [(inner.name, look(inner)) for inner in part.parts]
        # Of a row of scopes that are alike, however many, the first one stands for all.
        parts[part.path] = tuple(
            dict.fromkeys((_stem(name) if isinstance(own, tuple) else name, own) for name, own in inside)
        )
        if part.path and not part.name.isdigit() and not is_list(part):
            alike.setdefault(parts[part.path], []).append(part)
        return parts[part.path]

    look(network)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for same in alike.values():
        shared = _shared([part.name for part in same])
        name = _stem(shared) if len(shared) > 2 else _stem(same[0].name)
        label, number = name, 2
        while label in taken:
            label, number = f"{name}_{number}", number + 1
        taken.add(label)
        found.update((part.path, label) for part in same)
    return found


def _shared(names: list[str]) -> str:
    """What names begin with alike."""
    length = next((place for place, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), None)
    return min(names, key=len)[:length]


def _stem(name: str) -> str:
    """A name without the number that it ends with."""
    return name.rstrip("0123456789").rstrip("_") or name
