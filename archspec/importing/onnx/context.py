"""What is known of the values of a graph while its operators are gone through, and the operations that they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import count
from archspec.importing.onnx.model import MAX_SIZE, Model, Node
from archspec.importing.operations import NotHere, Operation, Shape
from archspec.weights.tensors import Tensor

OPEN_BATCH = 1_000_003
"""Stands for the batch's size where a file leaves it open: a prime that no other size is a multiple of, so that it is
found again in whatever a graph computes of its shapes, which is done in numbers."""
MAX_FOLDED = 2**22
"""Numbers of a constant that is computed."""

KEEPS_SHAPE = {
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Clip", "Cos", "Cosh"),
    *("CumSum", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "Hardmax", "IsInf", "IsNaN", "Log", "Neg"),
    *("Not", "PRelu", "Reciprocal", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softmax", "Softplus"),
    *("Softsign", "Sqrt", "Tan", "ThresholdedRelu", "LRN", "LpNormalization", "LogSoftmax", "Cast", "QuantizeLinear"),
    *("DequantizeLinear", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "MeanVarianceNormalization"),
}
"""Operators that give what has the shape of what they take."""


class Known(NamedTuple):
    """What is known of a value: its shape with the batch's axis, None where an operator that is not known made it, and
    its numbers if it is a constant. `name` is what operations call it."""

    name: str
    shape: Shape | None
    tensor: Tensor | None = None


class Context:
    """A graph as it is gone through."""

    def __init__(self, model: Model, batch: int) -> None:
        self.model = model
        self.batch = batch
        self.known: dict[str, Known] = {}
        self.operations: list[Operation] = []
        self.constants: dict[str, Tensor] = {}
        self.notes: Counter[str] = Counter()
        """What was left out, replaced or guessed, in words, by how often."""
        self.pooled: dict[str, tuple[str, Shape]] = {}
        """Of values that are indices of maxima: what the pooling gave beside them, and the shape that it took."""
        self.arrays: dict[str, str] = {}
        """By an operation's output the name that the file has for its first array."""
        self.made = 0

    # --- What is known ---------------------------------------------------------------------------------------------

    def given(self, node: Node, index: int) -> bool:
        """Whether a node has an input, which may be left out."""
        return index < len(node.inputs) and node.inputs[index] != ""

    def shape(self, node: Node, index: int = 0) -> Shape:
        """The shape of an input. Raises `NotHere` where nothing is known of it."""
        if not self.given(node, index):
            raise NotHere(f"its input {index} is missing")
        shape = self.known[node.inputs[index]].shape
        if shape is None:
            raise NotHere("it comes behind an operator that is not known here")
        return shape

    def loose(self, node: Node, index: int = 0) -> Shape | None:
        """The shape of an input, None where nothing is known of it and nothing needs to be."""
        return self.known[node.inputs[index]].shape if self.given(node, index) else self.shape(node, index)

    def constant(self, node: Node, index: int) -> Tensor | None:
        """An input that is a constant, None where it is not, or is left out."""
        return self.known[node.inputs[index]].tensor if self.given(node, index) else None

    def array(self, node: Node, index: int, what: str) -> Tensor:
        """An input that must be a constant. Raises `NotHere`."""
        tensor = self.constant(node, index)
        if tensor is None:
            raise NotHere(f"its {what} is computed and not given")
        return tensor

    def numbers(self, node: Node, index: int, what: str) -> np.ndarray:
        """The numbers of an input that must be a constant. Raises `NotHere`."""
        tensor = self.array(node, index, what)
        if prod(tensor.shape) > MAX_FOLDED:
            raise NotHere(f"its {what} has {count(prod(tensor.shape), 'number')}")
        return loaded(tensor)

    def whole(self, node: Node, index: int, what: str) -> list[int]:
        """Whole numbers of an input that must be a constant."""
        return [int(value) for value in self.numbers(node, index, what).reshape(-1).tolist()]

    # --- What comes of it ------------------------------------------------------------------------------------------

    def alias(self, node: Node, index: int = 0, output: int = 0) -> None:
        """An output is an input as it is."""
        self.known[node.outputs[output]] = self.known[node.inputs[index]]

    def hold(self, name: str, tensor: Tensor) -> None:
        """A value is a constant."""
        self.known[name] = Known(name, tensor.shape, tensor)

    def taken(self, name: str) -> str:
        """What operations call an input; a constant among them is kept with the program."""
        known = self.known[name]
        if known.tensor is not None:
            self.constants[known.name] = known.tensor
        return known.name

    def fresh(self, node: Node) -> str:
        """A name for a value within what a node becomes."""
        self.made += 1
        return f"{node.outputs[0]}/{self.made}"

    def emit(
        self,
        node: Node,
        kind: str | None,
        fields: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[str],
        shape: Shape | None,
        arrays: Mapping[str, Tensor] | None = None,
        output: str | None = None,
        why: str = "",
    ) -> str:
        """Adds an operation, whose inputs are named as operations name them, and says what is known of its output."""
        name = node.outputs[0] if output is None else output
        if shape is not None and (any(size <= 0 for size in shape) or prod(shape) > MAX_SIZE * OPEN_BATCH):
            raise NotHere(f"it would give {said_shape(shape, self.batch)}")
        *scope, own = scopes(node.name)
        if arrays and self.given(node, 1):
            self.arrays[name] = self.known[node.inputs[1]].name
        self.operations.append(
            Operation(
                kind=kind,
                inputs=tuple(inputs),
                outputs=(name,),
                fields=dict(fields or {}),
                arrays=dict(arrays or {}),
                name=own,
                scope=tuple(scope),
                said=node.said,
                place=node.place,
                why=why,
            )
        )
        self.known[name] = Known(name, shape)
        return name

    def unknown(self, node: Node, why: str, shape: Shape | None) -> None:
        """An operator that there is nothing like: its outputs have the shapes that the file says, if it says any."""
        # What is said of it follows its name: `Conv has no layer like it: …`.
        why = why.removeprefix("it ") if not why or why.startswith("it ") else f"has no layer like it: {why}"
        inputs = [self.taken(name) for name in node.inputs if name and self.known[name].tensor is None]
        *scope, own = scopes(node.name)
        outputs = tuple(name for name in node.outputs if name)
        self.operations.append(
            Operation(None, tuple(inputs), outputs, {}, {}, own, tuple(scope), node.said, node.place, why)
        )
        if shape is None and len(inputs) == 1 and node.op in KEEPS_SHAPE:
            shape = self.known[inputs[0]].shape if inputs[0] in self.known else None
        for index, name in enumerate(outputs):
            self.known[name] = Known(name, shape if shape is not None and index == 0 else self.declared(name))

    def declared(self, name: str) -> Shape | None:
        """The shape that the file itself says a value has, None where it leaves more than the batch's size open."""
        said = self.model.values.get(name)
        if said is None or not said.dims:
            return None
        first, *rest = said.dims
        if first in self.model.batch_words:
            first = self.batch
        shape = (first, *rest)
        return tuple(int(size) for size in shape) if all(isinstance(size, int) for size in shape) else None


def loaded(tensor: Tensor) -> np.ndarray:
    """A constant's numbers."""
    return tensor.load()


def tensor_from(array: np.ndarray) -> Tensor:
    """A computed constant."""
    return Tensor(array.shape, array.dtype.name, lambda: array)


def scopes(name: str) -> list[str]:
    """A node's name and the scopes around it, which exporters write as paths."""
    parts = [part for part in name.replace("::", "/").split("/") if part]
    return parts or [""]


def said_shape(shape: Sequence[int], batch: int) -> str:
    """A shape in words, the batch's size as the letter that it stands as in formulas."""
    return (
        "×".join("N" if index == 0 and size == batch else str(size) for index, size in enumerate(shape)) or "a number"
    )


Handler = Callable[[Context, Node], None]
"""What makes operations of a node."""
