"""Kinds of layers by their examples: each as a node, and as a network of that node alone."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.figures.receptive_field import ReceptiveField
from archspec.graph import Graph, GraphInput, Node, Output
from archspec.kinds import KindOf, builtin_kinds, find_kind
from archspec.layers import Example, Layer
from archspec.types import TensorType

_FIELD = ReceptiveField((1, 1), (1, 1), (0.5, 0.5))


def kinds() -> Iterator[type[Layer]]:
    """The kinds of layers that this package has."""
    for name in builtin_kinds("layers"):
        kind = find_kind("layers", name)
        assert kind is not None and issubclass(kind, Layer)
        yield kind


def node_of(kind: type[Layer], example: Example) -> Node:
    """An example as a node that takes inputs alone."""
    layer = KindOf("layers")({kind.kind: example.fields})
    assert isinstance(layer, Layer)
    inputs = tuple(item if isinstance(item, TensorType) else TensorType(item) for item in example.inputs)
    sources = tuple(-1 - place for place in range(len(inputs)))
    return Node(kind.kind, layer, sources, inputs, layer.infer(*inputs), _FIELD)


def alone(node: Node) -> Graph:
    """A network of one node, each input of which is one of the network's."""
    inputs = tuple(GraphInput(f"in{place}", kind) for place, kind in enumerate(node.input_types))
    return Graph("example", inputs, (node,), (Output("output", 0),), mode="eval")
