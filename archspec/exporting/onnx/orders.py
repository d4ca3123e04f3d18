"""In which order the features of vectors lie: ONNX flattens maps channels first, this package channels last.

A dense layer behind a flattened map has the rows of its kernel in ONNX's order, so that nothing is transposed while the
model runs. Where a layer depends on the order otherwise, or a flattened map is an output, the map is transposed before
it is flattened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from archspec.graph import Graph, Node, is_input
from archspec.kinds import is_foreign

Order = tuple[tuple[int, int, int], ...]
"""(height, width, channels) of the maps that a vector's features were, one after the other; (1, 1, features) of those
that lie as this package has them."""

AGNOSTIC = frozenset(
    {
        *("dense", "rbf", "batch_norm", "layer_norm", "layer_scale", "prelu", "flatten", "l2_normalise"),
        *("dropout", "stochastic_depth", "identity", "scale"),
    }
)
"""Kinds that take features in any order, those with arrays because these can be turned. So do activations."""


class Orders(NamedTuple):
    """`of` is the order that a node's first input has, by its path, where that is a vector; `turned` are numbers of
    nodes that transpose a map before they flatten it."""

    of: dict[str, Order]
    turned: frozenset[int]


def orders_of(graph: Graph) -> Orders:
    """The order of every vector."""
    turned: frozenset[int] = frozenset()
    while True:
        after, wrong = _passed(graph, turned)
        if not wrong:
            break
        turned |= wrong
    of = {node.path: after[node.inputs[0]] for node in graph.nodes if node.input_types[0].is_vector}
    return Orders(of, turned)


def _passed(graph: Graph, turned: frozenset[int]) -> tuple[dict[int, Order], frozenset[int]]:
    """The order of each value by its source, and the nodes that have to transpose what they flatten."""
    after: dict[int, Order] = {
        -1 - place: _plain(item.type.channels) for place, item in enumerate(graph.inputs) if item.type.is_vector
    }
    wrong: set[int] = set()
    users: dict[str, list[Node]] = {}
    for index, node in enumerate(graph.nodes):
        first = node.input_types[0]
        before = [after[source] for source in node.inputs if source in after]
        if first.is_vector:
            users.setdefault(node.owner, []).append(node)
            if not _fits(node, before):
                wrong |= _behind(graph, node.inputs)
        if not node.output.is_vector:
            continue
        own = _plain(node.output.channels)
        if first.spatial:
            flattens = node.layer.is_view and index not in turned
            after[index] = _parts([(*(*first.spatial, 1)[:2], first.channels)]) if flattens else own
        elif node.kind == "concat":
            after[index] = _parts(part for order in before for part in order)
        else:
            mixes = node.kind == "rbf" or any("O" in weight.axes for weight in node.arrays)
            # What changes their number, such as a slice, takes them only as they lie here.
            after[index] = own if mixes or node.output != first else before[0]
    for output in graph.outputs:
        if not _is_plain(after.get(output.node, ())):
            wrong |= _behind(graph, [output.node])
    for nodes in users.values():
        if nodes[0].arrays and len({after[node.inputs[0]] for node in nodes}) > 1:
            wrong |= _behind(graph, [node.inputs[0] for node in nodes])
    return after, frozenset(wrong - turned)


def _fits(node: Node, before: list[Order]) -> bool:
    """Whether a layer may take features that lie so."""
    if all(map(_is_plain, before)) or node.kind == "concat":
        return True
    if is_foreign(type(node.layer)):
        return False
    if node.layer.family == "join":
        return len(set(before)) == 1
    return node.kind in AGNOSTIC or node.layer.family == "activation"


def _behind(graph: Graph, sources: Iterable[int]) -> set[int]:
    """The nodes that flatten maps into what values are made of."""
    found: set[int] = set()
    seen: set[int] = set()
    stack = list(sources)
    while stack:
        index = stack.pop()
        if is_input(index) or index in seen:
            continue
        seen.add(index)
        node = graph.nodes[index]
        if node.output.is_vector and node.input_types[0].is_vector:
            stack.extend(node.inputs)
        elif node.output.is_vector and node.layer.is_view:
            found.add(index)
    return found


def _plain(features: int) -> Order:
    return ((1, 1, features),)


def _is_plain(order: Order) -> bool:
    return all(part[:2] == (1, 1) for part in order)


def _parts(parts: Iterable[tuple[int, ...]]) -> Order:
    """Parts side by side; those that lie as they are, because they have one channel or one place, are one."""
    found: list[tuple[int, int, int]] = []
    for height, width, channels in parts:
        if channels == 1 or height * width == 1:
            size = height * width * channels
            if found and found[-1][:2] == (1, 1):
                found[-1] = (1, 1, found[-1][2] + size)
            else:
                found.append((1, 1, size))
        else:
            found.append((height, width, channels))
    return tuple(found)
