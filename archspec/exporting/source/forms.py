"""What forms of all targets share: kinds by name, numbers of axes, what a graph asks of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from archspec.exporting.source.classes import Argument, Form, Plain
from archspec.graph import Graph, Node, is_input
from archspec.kinds import find_kind
from archspec.layers import Layer
from archspec.types import TensorType


class Raw(str):
    """Text that stands in source code as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


class Context:
    """The graph that layers are part of. `channels_first` says that vectors have flattened maps channels first."""

    def __init__(self, graph: Graph, *, channels_first: bool = True) -> None:
        self.graph = graph
        self.channels_first = channels_first

    @cached_property
    def _asked(self) -> tuple[set[str], set[str]]:
        values = {self.graph.nodes[output.node].path for output in self.graph.outputs if not is_input(output.node)}
        indices: set[str] = set()
        for node in self.graph.nodes:
            for source, port in zip(node.inputs, node.ports, strict=True):
                if not is_input(source) and port != "shape":
                    (indices if port == "indices" else values).add(self.graph.nodes[source].path)
        return values, indices

    def gives_values(self, node: Node) -> bool:
        """Whether anything takes the layer's value."""
        return node.path in self._asked[0]

    def gives_indices(self, node: Node) -> bool:
        """Whether anything takes the places of the layer's maxima."""
        return node.path in self._asked[1]

    def source(self, node: Node, place: int) -> Node:
        """The node that an input comes from."""
        return self.graph.nodes[node.inputs[place]]


def kinds(*names: str) -> tuple[type[Layer], ...]:
    """The kinds of these names."""
    found = [find_kind("layers", name) for name in names]
    assert all(kind is not None and issubclass(kind, Layer) for kind in found)
    return tuple(found)  # type: ignore[arg-type]


def on(values: Sequence[Any], x: TensorType) -> tuple[Any, ...]:
    """A field's values for the axes of an input; of a pair for a signal the one."""
    return tuple(values)[: len(x.spatial)]


def one(values: Sequence[Any]) -> Plain:
    """Numbers of axes as one where they are equal."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def is_even(sides: Sequence[tuple[int, int]]) -> bool:
    """Whether padding is the same before and after."""
    return all(before == after for before, after in sides)


def joined(node: Node, maximum: str, concatenated: str) -> Form:
    """What joins a layer's inputs: `maximum` is a function of two, `concatenated` has `{}` for all of them."""
    places = [f"{{{place}}}" for place in range(len(node.inputs))]
    if node.kind == "concat":
        return Form(concatenated.format(", ".join(places)))
    if node.kind == "maximum":
        text = places[0]
        for place in places[1:]:
            text = f"{maximum}({text}, {place})"
        return Form(text)
    text = (" * " if node.kind == "multiply" else " + ").join(places)
    return Form(f"({text}) / {len(places)}" if node.kind == "average" else text, loose=True)


def channels(value: int, said: str) -> Argument:
    """A number of channels, by its place."""
    return Argument("", value, said, "channels")


def sliced(first: int, last: int, step: int = 1, size: int = 0) -> str:
    """A slice of an axis of this size, as Python writes it."""
    begin, end = str(first) if first else "", str(last) if last != size else ""
    return f"{begin}:{end}" + (f":{step}" if step != 1 else "")
