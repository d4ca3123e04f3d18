"""The messages of ONNX files: model, graph, nodes, attributes, and what the file says of its values.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from archspec.formats.mapping import DamagedError
from archspec.formats.protobuf import Message
from archspec.importing.onnx.tensors import MAX_AXES, Beside, tensor_name, tensor_of
from archspec.weights.tensors import Tensor

MAX_SIZE = 2**40
"""What no size of an axis is above."""

Dims = tuple[int | str, ...]
"""Sizes of the axes; a name, which may be empty, where a size is left open."""


class Graph:
    """What an attribute has that holds nodes of its own, which are not read: branches and bodies of loops."""


@dataclass(frozen=True)
class Node:
    """One operator. `about` is what its metadata say, `number` its place among all, from 0."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    about: Mapping[str, str]
    number: int

    @property
    def said(self) -> str:
        """The operator with its domain, as messages have it."""
        return f"{self.domain}.{self.op}" if self.domain else self.op

    @property
    def place(self) -> str:
        return f"node {self.number}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True)
class Declared:
    """What a graph says of a value: its type as ONNX's number, None where it is no tensor, and its sizes if given."""

    name: str
    type: int | None
    dims: Dims | None
    other: str = ""
    """What it is where it is no tensor."""


@dataclass(frozen=True)
class Model:
    """A file's graph, its nodes in an order in which each value is made before it is taken."""

    name: str
    opset: int
    opsets: Mapping[str, int]
    producer: str
    about: Mapping[str, str]
    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    values: Mapping[str, Declared]
    initialisers: Mapping[str, Tensor]
    nodes: tuple[Node, ...] = field(repr=False)
    beside: Beside
    sparse: tuple[str, ...] = ()

    @cached_property
    def batch_words(self) -> set[str]:
        """What the file calls the size of its inputs' first axis where it is left open."""
        return {str(item.dims[0]) for item in self.inputs if item.dims and isinstance(item.dims[0], str)}


def model_of(message: Message, beside: Beside) -> Model:
    """The model of a file. Raises `DamagedError`."""
    if 7 not in message:
        raise DamagedError("has no graph: it is no ONNX file, or is damaged")
    opsets = {_domain(item.text(1)): item.number(2) for item in message.messages(8)}
    if not opsets:
        raise DamagedError("says no version of its operators: it is no ONNX file, or is damaged")
    functions = [item.text(1) for item in message.messages(25)]
    graph = message.message(7)
    initialisers = {tensor_name(item): tensor_of(item, beside) for item in graph.messages(5)}
    inputs = tuple(_declared(item) for item in graph.messages(11))
    declared = [_declared(item) for number in (13, 12, 11) for item in graph.messages(number)]
    nodes = [_node(item, number, beside) for number, item in enumerate(graph.messages(1))]
    sparse = tuple(tensor_name(item.message(1)) for item in graph.messages(15))
    named = {item.name for item in inputs} | set(initialisers) | set(sparse)
    return Model(
        name=graph.text(2),
        opset=opsets.get("", 0),
        opsets=opsets,
        producer=" ".join(part for part in (message.text(2), message.text(3)) if part),
        about={**_pairs(message, 14), **({"functions": ", ".join(functions[:6])} if functions else {})},
        inputs=tuple(item for item in inputs if item.name not in initialisers),
        outputs=tuple(_declared(item) for item in graph.messages(12)),
        values={item.name: item for item in declared},
        initialisers=initialisers,
        nodes=_ordered(nodes, named),
        beside=beside,
        sparse=sparse,
    )


def _domain(text: str) -> str:
    return "" if text == "ai.onnx" else text


def _pairs(message: Message, number: int) -> dict[str, str]:
    return {item.text(1): item.text(2) for item in message.messages(number)}


def _node(message: Message, number: int, beside: Beside) -> Node:
    return Node(
        op=message.text(4),
        domain=_domain(message.text(7)),
        name=message.text(3),
        inputs=tuple(message.texts(1)),
        outputs=tuple(message.texts(2)),
        attributes=dict(_attribute(item, beside) for item in message.messages(5)),
        about=_pairs(message, 9),
        number=number,
    )


_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS = range(1, 9)


def _attribute(message: Message, beside: Beside) -> tuple[str, Any]:
    name, kind = message.text(1), message.number(20)
    if kind == _FLOAT:
        return name, _short(message.real(2))
    if kind == _INT:
        return name, message.number(3)
    if kind == _STRING:
        return name, message.text(4)
    if kind == _TENSOR:
        return name, tensor_of(message.message(5), beside)
    if kind == _FLOATS:
        return name, [_short(value) for value in message.reals(7)]
    if kind == _INTS:
        return name, message.numbers(8)
    if kind == _STRINGS:
        return name, message.texts(9)
    return name, Graph()


def _short(value: float) -> float:
    """The shortest decimal number that is this one in 32 bits, which is what was meant: 0.0001, not 0.00009999…"""
    return float(str(np.float32(value)))


def _declared(message: Message) -> Declared:
    kind = message.message(2)
    if 1 not in kind:
        words = {4: "a sequence", 5: "a map", 8: "a sparse tensor", 9: "optional"}
        other = next((word for number, word in words.items() if number in kind), "of no type")
        return Declared(message.text(1), None, None, other)
    tensor = kind.message(1)
    dims: Dims | None = None
    if 2 in tensor:
        dims = tuple(item.number(1) if 1 in item else item.text(2) for item in tensor.message(2).messages(1))
        if len(dims) > MAX_AXES or any(isinstance(size, int) and not 0 <= size <= MAX_SIZE for size in dims):
            raise DamagedError(f"is damaged: {message.text(1)[:120]!r} has the shape {list(dims[:MAX_AXES])}")
        # Files of some exporters say 0 where a size is left open.
        dims = tuple("" if size == 0 else size for size in dims)
    return Declared(message.text(1), tensor.number(1), dims)


def _ordered(nodes: Iterable[Node], named: set[str]) -> tuple[Node, ...]:
    """Nodes after those whose values they take; the file's order where it is such a one.

    Raises `DamagedError` where nodes wait for one another, for what nothing makes, or make a value twice.
    """
    nodes = list(nodes)
    made: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for output in node.outputs:
            if output and (output in made or output in named):
                raise DamagedError(f"is damaged: {output[:120]!r} is made twice, by {node.place} again")
            made[output] = index
    done, order, state = set(named) | {""}, [], [0] * len(nodes)
    for first in range(len(nodes)):
        stack = [first]
        while stack:
            index = stack[-1]
            if state[index] == 2:
                stack.pop()
                continue
            waits = [name for name in nodes[index].inputs if name not in done]
            if not waits:
                order.append(nodes[index])
                done.update(nodes[index].outputs)
                state[index] = 2
                stack.pop()
                continue
            if waits[0] not in made:
                raise DamagedError(f"is damaged: {nodes[index].place} takes {waits[0][:120]!r}, which nothing makes")
            if state[made[waits[0]]] == 1:
                raise DamagedError(f"is damaged: {nodes[index].place} takes, by way of others, what it makes itself")
            state[index] = 1
            stack.append(made[waits[0]])
    return tuple(order)
