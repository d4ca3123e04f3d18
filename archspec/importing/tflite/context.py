"""A TFLite graph as it is gone through: its values, its constants, the operations that its nodes become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from archspec.diagnostics import count
from archspec.formats.flatbuffers import Table
from archspec.importing.operations import NotHere, Operation, Shape
from archspec.importing.tflite.model import Held, Model, Node
from archspec.weights.tensors import Tensor

ACTIVATIONS = {1: "relu", 2: "clip", 3: "relu6", 4: "tanh"}
"""Functions that operators have at their end, by TFLite's numbers."""
MAX_NUMBERS = 2**20


class Context:
    """A graph as it is gone through."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.operations: list[Operation] = []
        self.constants: dict[str, Tensor] = {}
        self.notes: Counter[str] = Counter()
        self.names = _names(model)
        self.shapes: dict[str, Shape | None] = {
            name: held.shape for name, held in zip(self.names, model.tensors, strict=True)
        }
        self.alias: dict[int, int] = {}
        self.held: dict[int, Tensor] = {
            number: held.tensor for number, held in enumerate(model.tensors) if held.tensor is not None
        }

    def tensor(self, node: Node, place: int) -> Held:
        """An input. Raises `NotHere` where it is left out."""
        if place >= len(node.inputs) or node.inputs[place] < 0:
            raise NotHere(f"its input {place} is missing")
        return self.model.tensors[node.inputs[place]]

    def given(self, node: Node, place: int) -> bool:
        return place < len(node.inputs) and node.inputs[place] >= 0

    def constant(self, node: Node, place: int, what: str) -> Tensor:
        """An input that must be a constant. Raises `NotHere`."""
        self.tensor(node, place)
        tensor = self.held.get(node.inputs[place])
        if tensor is None:
            raise NotHere(f"its {what} is computed and not given")
        return tensor

    def numbers(self, node: Node, place: int, what: str) -> list[int]:
        tensor = self.constant(node, place, what)
        if prod(tensor.shape) > MAX_NUMBERS:
            raise NotHere(f"its {what} has {count(prod(tensor.shape), 'number')}")
        return [int(value) for value in tensor.load().reshape(-1)]

    def taken(self, number: int) -> str:
        """What operations call a tensor; a constant is kept with the program."""
        number = self.alias.get(number, number)
        if number in self.held:
            self.constants[self.names[number]] = self.held[number]
        return self.names[number]

    def output(self, node: Node) -> Shape:
        return self.model.tensors[node.outputs[0]].shape

    def emit(
        self,
        node: Node,
        kind: str | None,
        fields: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[str] | None = None,
        arrays: Mapping[str, Tensor] | None = None,
        fused: int = 0,
        output: str | None = None,
        place: int = 0,
        shape: Shape | None = None,
        why: str = "",
    ) -> str:
        """Adds an operation, and behind it the function that it has at its end."""
        if fused and fused not in ACTIVATIONS:
            raise NotHere(f"it has a function of number {fused} at its end")
        name = self.names[node.outputs[place]] if output is None else output
        made = f"{name}/before" if fused else name
        given = (self.taken(node.inputs[0]),) if inputs is None else tuple(inputs)
        parts = [part for part in name.replace("::", "/").split("/") if part]
        own = Operation(
            kind, given, (made,), dict(fields or {}), dict(arrays or {}), parts[-1] if parts else "", tuple(parts[:-1]),
            node.said, node.place, why,
        )  # fmt: skip
        self.operations.append(own)
        self.shapes[made] = shape if shape is not None else self.model.tensors[node.outputs[place]].shape
        if fused:
            kind = ACTIVATIONS[fused]
            more = {"low": -1.0, "high": 1.0} if kind == "clip" else {}
            self.operations.append(Operation(kind, (made,), (name,), more, said=node.said, place=node.place))
        return name


def _names(model: Model) -> list[str]:
    """Names of tensors, each another."""
    seen: Counter[str] = Counter()
    names = []
    for held in model.tensors:
        name = held.name.split(";")[-1] or held.name
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


Handler = Callable[[Context, Node, Table], None]
"""What makes operations of a node."""
