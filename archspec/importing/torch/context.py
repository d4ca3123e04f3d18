"""A program of PyTorch's as it is gone through: its calls, its values, the operations that they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archspec.importing.operations import NotHere, Operation, Shape
from archspec.weights.tensors import Tensor


class Node:
    """One call: its operator, its arguments by name as plain values, and what it gives."""

    def __init__(
        self, target: str, arguments: Mapping[str, Any], outputs: Sequence[str], module: str, number: int
    ) -> None:
        self.op = target.removeprefix("torch.ops.")
        self.given = arguments
        self.outputs = tuple(outputs)
        self.module = module
        """The path of the module that made the call."""
        self.number = number

    @property
    def said(self) -> str:
        return self.op

    @property
    def place(self) -> str:
        return f"node {self.number}" + (f" ({self.module})" if self.module else "")


class Name(str):
    """An argument that is a value of the graph."""

    __slots__ = ()


class Context:
    """A graph as it is gone through."""

    def __init__(self, shapes: Mapping[str, Shape], held: Mapping[str, Tensor], named: Mapping[str, str]) -> None:
        self.shapes: dict[str, Shape | None] = dict(shapes)
        self.held = dict(held)
        """Constants by the graph's names."""
        self.named = named
        """Names that a model has for its arrays, by the graph's names."""
        self.operations: list[Operation] = []
        self.constants: dict[str, Tensor] = {}
        self.arrays: dict[str, str] = {}
        self.alias: dict[str, str] = {}
        self.notes: Counter[str] = Counter()

    def x(self, node: Node, name: str = "") -> str:
        """A value that a call takes: its first argument, or one by name. Raises `NotHere` where it is none."""
        value = node.given.get(name) if name else next(iter(node.given.values()), None)
        if not isinstance(value, Name):
            raise NotHere("it takes no value of the graph")
        return self.taken(value)

    def taken(self, name: str) -> str:
        name = self.alias.get(name, name)
        if name in self.held:
            self.constants[name] = self.held[name]
        return name

    def shape(self, name: str) -> Shape:
        shape = self.shapes.get(name)
        if shape is None:
            raise NotHere("it takes what the graph says no shape of")
        return shape

    def array(self, node: Node, name: str) -> Tensor | None:
        """An argument that is one of the model's arrays, None where it is left out. Raises `NotHere`."""
        value = node.given.get(name)
        if value is None:
            return None
        if not isinstance(value, Name) or value not in self.held:
            raise NotHere(f"its {name} is computed and not given")
        return self.held[value]

    def needed(self, node: Node, name: str) -> Tensor:
        tensor = self.array(node, name)
        if tensor is None:
            raise NotHere(f"its {name} is missing")
        return tensor

    def arrays_of(self, node: Node, names: Mapping[str, str]) -> dict[str, Tensor]:
        """Arrays that are given, by our names for them."""
        found = {own: self.array(node, name) for own, name in names.items()}
        return {own: tensor for own, tensor in found.items() if tensor is not None}

    def emit(
        self,
        node: Node,
        kind: str | None,
        fields: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[str] | None = None,
        arrays: Mapping[str, Tensor] | None = None,
        output: str | None = None,
        shape: Shape | None = None,
        why: str = "",
    ) -> str:
        name = node.outputs[0] if output is None else output
        if shape is not None:
            self.shapes[name] = shape
        weight = node.given.get("weight")
        if arrays and isinstance(weight, Name) and weight in self.named:
            self.arrays[name] = self.named[weight]
        scope = node.module.split(".") if node.module else []
        word = node.op.split(".")[1] if "." in node.op else node.op
        given = (self.x(node),) if inputs is None else tuple(inputs)
        operation = Operation(
            kind, given, (name,), dict(fields or {}), dict(arrays or {}), word, tuple(scope), f"aten.{word}",
            node.place, why,
        )  # fmt: skip
        self.operations.append(operation)
        return name


Handler = Callable[[Context, Node], None]
"""What makes operations of a call."""
