"""Nodes and initialisers as they are written, layer by layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from onnx import GraphProto, helper

from archspec.exporting.onnx.orders import Order, Orders
from archspec.fields import Sides
from archspec.graph import Node
from archspec.kinds import plain
from archspec.layers import Weight
from archspec.types import TensorType
from archspec.weights.layout import to_torch

NODE, KIND, FIELDS, INPUTS = "archspec.node", "archspec.kind", "archspec.fields", "archspec.inputs"
"""Keys of a node's `metadata_props`; see the package's docstring."""

BATCH = "batch"
"""The name of the batch's axis."""


def scoped(path: str) -> str:
    """A node's path as ONNX has names: scopes with `/` between them."""
    return path.replace(".", "/")


def indices_of(path: str) -> str:
    """The name of the places of a pooling's maxima."""
    return f"{scoped(path)}/indices"


def sizes_of(kind: TensorType) -> tuple[int, ...]:
    """The shape of a sample as ONNX has it: channels first."""
    return (kind.channels, *kind.spatial)


class Numbered(NamedTuple):
    """The map over which the places of a pooling's maxima are numbered: its sizes, and the padding in it."""

    sizes: tuple[int, ...]
    sides: Sides


@dataclass
class Scribe:
    """What is written of a model so far.

    `arrays` are the network's, by owner and name. Of an array that several nodes use there is one initialiser.
    """

    arrays: Mapping[str, np.ndarray]
    orders: Orders
    graph: GraphProto = field(default_factory=GraphProto)
    """Where it is written: that of the model, since arrays would be copied with it into another."""
    numbered: dict[str, Numbered] = field(default_factory=dict)
    """Of each pooling, by the name that its places have."""
    size: int = 0
    """Bytes of the initialisers."""
    _kept: dict[str, tuple[tuple[int, ...], str, bytes]] = field(default_factory=dict)
    """The initialisers: shape, type and digest of each."""

    def keep(self, name: str, array: np.ndarray) -> str:
        """The initialiser of this name, or where the name stands for other numbers already, of one like it."""
        array = np.asarray(array, order="C")
        known = (array.shape, array.dtype.name, sha256(array).digest())
        own, number = name, 1
        while own in self._kept:
            if self._kept[own] == known:
                return own
            number += 1
            own = f"{name}.{number}"
        self._kept[own] = known
        self.add(own, array)
        return own

    def add(self, name: str, array: np.ndarray) -> None:
        """Adds an initialiser."""
        self.size += array.nbytes
        written = self.graph.initializer.add(name=name, dims=array.shape)
        written.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        written.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()

    def laid(self, name: str, weight: Weight, order: Order) -> np.ndarray:
        """An array of the network's in PyTorch's layout."""
        return to_torch(self.arrays[name], weight, order)


@dataclass
class At:
    """Where one layer is written: its node of the graph, the names of the values that it takes, and its own name.

    `wanted` is whether a later layer takes the indices of its maxima, which are then its second value; `turns` is
    whether it has to transpose a map that it flattens.
    """

    scribe: Scribe
    node: Node
    inputs: Sequence[str]
    value: str
    wanted: bool = False
    turns: bool = False

    @property
    def x(self) -> str:
        """The name of the first value that it takes."""
        return self.inputs[0]

    @property
    def kind(self) -> TensorType:
        """The type of the first value that it takes."""
        return self.node.input_types[0]

    @property
    def rank(self) -> int:
        """Axes of places that its first value has: two of a map, one of a signal, none of a vector."""
        return len(self.kind.spatial)

    def op(self, name: str, *inputs: str, part: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Writes a node and gives its value's name: the layer's own, or where `part` is given, that of a part of it."""
        own = scoped(self.node.path) + (f"/{part}" if part else "")
        value = own if part else self.value
        names = [value, indices_of(self.node.path)][:outputs]
        written = helper.make_node(name, list(inputs), names, name=own, **attributes)
        about = {NODE: self.node.path, KIND: self.node.kind}
        if not part:
            fields = {key: plain(getattr(self.node.layer, key)) for key in type(self.node.layer).model_fields}
            about[FIELDS] = json.dumps({key: item for key, item in fields.items() if item is not None})
        for key, text in about.items():
            written.metadata_props.add(key=key, value=text)
        self.scribe.graph.node.append(written)
        return value

    def say(self, key: str, value: Any) -> None:
        """Adds a property, as JSON, to the node that was written last."""
        self.scribe.graph.node[-1].metadata_props.add(key=key, value=json.dumps(value))

    def array(self, name: str) -> np.ndarray:
        """An array that the layer uses, in this package's axes."""
        return self.scribe.arrays[f"{self.node.owner}.{name}"]

    def weight(self, name: str, *, ones: int = 0) -> str:
        """An array that the layer uses as an initialiser, its axes PyTorch's; `ones` more axes of 1 follow."""
        weight = next(item for item in self.node.arrays if item.name == name)
        array = self.scribe.laid(f"{self.node.owner}.{name}", weight, self.order)
        return self.made(name, array.reshape(*array.shape, *(1 for _ in range(ones))))

    @property
    def order(self) -> Order:
        """How the features of its first value lie, where that is a vector."""
        return self.scribe.orders.of.get(self.node.path, ((1, 1, self.kind.channels),))

    def made(self, name: str, array: np.ndarray) -> str:
        """An initialiser that stands in the place of one of the layer's arrays, or beside them."""
        return self.scribe.keep(f"{self.node.owner}.{name}", array)

    def number(self, name: str, value: float) -> str:
        """A number as an initialiser."""
        return self.made(name, np.asarray(value, np.float32))

    def ints(self, name: str, values: Sequence[int] | range | np.ndarray) -> str:
        """Whole numbers as an initialiser: axes, sizes, places."""
        return self.made(name, np.asarray(values, np.int64))

    def reshape(self, x: str, shape: Sequence[int], part: str = "") -> str:
        """Writes a sample's numbers in another shape; the batch's axis stays."""
        return self.op("Reshape", x, self.ints(f"{part or 'shape'}.sizes", (0, *shape)), part=part)

    def pad(self, x: str, sides: Sequence[tuple[int, int]], value: float = 0.0, part: str = "pad", **more: Any) -> str:
        """Adds places on the sides of the axes behind batch and channels."""
        pads = [0, 0, *(before for before, _ in sides), 0, 0, *(after for _, after in sides)]
        with_value = (
            [self.number(f"{part or 'pad'}.value", value)] if more.get("mode", "constant") == "constant" else []
        )
        return self.op("Pad", x, self.ints(f"{part or 'pad'}.sides", pads), *with_value, part=part, **more)
