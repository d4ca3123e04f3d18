"""Files that `archspec export` wrote: their nodes say of which layer they are a part, and with which fields.

What nodes say is held to what they compute: the layer must give the shape that the nodes give, have arrays of the sizes
that are there, and be what a node is that makes it alone. Where it is not, as in a file that was changed, the nodes are
read as those of any other file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from math import isclose, prod
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from archspec.diagnostics import ShapeError
from archspec.importing.onnx.context import Context, Known
from archspec.importing.onnx.model import Model, Node
from archspec.importing.operations import Operation, Shape
from archspec.kinds import find_kind, plain
from archspec.layers import Layer, Weight
from archspec.types import TensorType
from archspec.weights.tensors import Tensor

NODE, KIND, FIELDS, INPUTS = "archspec.node", "archspec.kind", "archspec.fields", "archspec.inputs"
VERSION, NETWORK, CLASSES = "archspec.version", "archspec.network", "classes"
BEFORE = "preprocessing/"
"""How the names of nodes begin that bring pixels into the form that the network takes."""

_STANDS = {
    "depthwise_conv": {"conv"},
    "conv": {"depthwise_conv"},
    "partial_conv": {"conv", "depthwise_conv"},
    "adaptive_avg_pool": {"avg_pool", "global_avg_pool"},
    "adaptive_max_pool": {"max_pool", "global_max_pool"},
    "unpool": {"resize"},
    "crop": {"slice"},
    "global_avg_pool": {"avg_pool", "mean"},
    "layer_norm": {"group_norm", "instance_norm"},
    "group_norm": {"instance_norm"},
    "max_pool": {"pad"},
}
"""What a node that makes a layer alone may be, where its operator has the name of another kind."""
_PLAIN = {"add", "subtract", "multiply", "divide", "power", "pad", "reshape", "flatten", "slice", "transpose", "clip"}
"""Neutral operations, which stand for many kinds."""


class Claim(NamedTuple):
    """What nodes say of themselves: the layer's path, its kind and fields, and what it is given."""

    path: str
    kind: str
    fields: Mapping[str, Any]
    given: tuple[str, ...]
    nodes: tuple[Node, ...]


class Whole(NamedTuple):
    """A layer that was put together, and the types of what it takes."""

    layer: Layer
    types: tuple[TensorType, ...]


class Own:
    """The layers that a model's nodes say they are parts of."""

    def __init__(self, model: Model) -> None:
        self.context: Context
        self.claims = (
            {claim.nodes[-1].number: claim for claim in _claims(model.nodes)} if VERSION in model.about else {}
        )
        takers: dict[str, set[int]] = {}
        for node in model.nodes:
            for name in node.inputs:
                takers.setdefault(name, set()).add(node.number)
        self._takers = takers
        self._outputs = {item.name for item in model.outputs}
        self._values: dict[str, str] = {item.name: item.name for item in model.inputs}
        self._whole: dict[str, Whole] = {}
        self.made: set[str] = set()
        """Values that layers give which were put together: their names are paths already."""
        self.left: list[str] = []
        """Paths of layers whose nodes are something else than what they say."""

    def is_before(self, node: Node) -> bool:
        """Whether a node prepares pixels."""
        return VERSION in self.context.model.about and NODE not in node.about and node.name.startswith(BEFORE)

    def taken(self, node: Node) -> None:
        """Once the last node of a layer was read: puts the layer in the place of what its nodes became."""
        claim = self.claims.get(node.number)
        if claim is None:
            return
        context, numbers = self.context, {own.number for own in claim.nodes}
        own = [item for item in context.operations if _number(item) in numbers]
        last = claim.nodes[-1]
        made = self._layer(claim, own) if self._alone(claim, numbers) else None
        if made is None:
            self.left.append(claim.path)
            self._values[claim.path] = context.known[last.outputs[0]].name
            return
        layer, shape = made
        context.operations[:] = [item for item in context.operations if _number(item) not in numbers]
        context.operations.append(layer)
        self.made.add(layer.outputs[0])
        for name in last.outputs[:1]:
            context.known[name] = Known(name, shape)
        self._values[claim.path] = last.outputs[0]

    def _alone(self, claim: Claim, numbers: set[int]) -> bool:
        """Whether nothing else takes what nodes before the last give."""
        inner = [name for node in claim.nodes[:-1] for name in node.outputs if name]
        return all(self._takers.get(name, set()) <= numbers and name not in self._outputs for name in inner)

    def _layer(self, claim: Claim, own: Sequence[Operation]) -> tuple[Operation, Shape] | None:
        """The layer as one operation, and the shape that it gives; None where it is not what its nodes are."""
        made = find_kind("layers", claim.kind) if re.fullmatch(r"[a-z][a-z0-9_]*", claim.kind) else None
        if made is None or not issubclass(made, Layer):
            return None
        fields = {name: value for name, value in claim.fields.items() if name in made.model_fields}
        if len(fields) < len(claim.fields):
            return None
        try:
            layer = made.model_validate(fields)
        except ValidationError:
            return None
        assert isinstance(layer, Layer)
        ports = layer.ports(len(claim.given))
        types = []
        for name, port in zip(claim.given, ports, strict=True):
            kind = self._type(name, port)
            if kind is None:
                return None
            types.append(kind)
        try:
            output = layer.infer(*types)
            weights = layer.weights(*types)
        except ShapeError:
            return None
        known = self.context.known[claim.nodes[-1].outputs[0]].shape
        shape = (self.context.batch, output.channels, *output.spatial)
        if known is not None and known != shape:
            return None
        if len(claim.nodes) == 1 and any(_contradicts(layer, types, item) for item in own):
            return None
        arrays = self._arrays(claim, layer, weights)
        if arrays is None:
            return None
        referred = list(layer.referred())
        values = [self._values[name] for name in claim.given]
        count = len(values) - len(referred)
        defaults = {name: plain(field.default) for name, field in made.model_fields.items() if not field.is_required()}
        kept = {name: value for name, value in fields.items() if name not in defaults or value != defaults[name]}
        kept.update(zip(referred, values[count:], strict=True))
        *scope, name = claim.path.split(".")
        self._whole[claim.path] = Whole(layer, tuple(types))
        operation = Operation(
            kind=claim.kind,
            inputs=tuple(values[:count]),
            outputs=(claim.nodes[-1].outputs[0],),
            fields=kept,
            arrays=arrays,
            name=name,
            scope=tuple(scope),
            said=claim.nodes[-1].said,
            place=claim.nodes[-1].place,
            exact=True,
        )
        return operation, shape

    def _type(self, name: str, port: str) -> TensorType | None:
        """The type of what a layer is given, by the path of what makes it."""
        if name not in self._values:
            return None
        if port == "indices":
            whole = self._whole.get(name)
            return whole.layer.tap_indices(*whole.types) if whole is not None else None
        known = self.context.known.get(self._values[name])
        if known is None or known.shape is None or len(known.shape) < 2:
            return None
        return TensorType((*known.shape[2:], known.shape[1]))

    def _arrays(self, claim: Claim, layer: Layer, weights: Sequence[Weight]) -> dict[str, Tensor] | None:
        """The layer's arrays, from the initialisers that are named as checkpoints have them; None where one is not."""
        names = [name for node in claim.nodes for name in node.inputs if name in self.context.model.initialisers]
        found = {}
        for weight in weights:
            ending = re.compile(rf"(?:.*\.)?{weight.name}(?:\.\d+)?", re.DOTALL)
            name = next((name for name in names if ending.fullmatch(name)), None)
            tensor = None if name is None else self.context.model.initialisers[name]
            if tensor is not None and claim.kind == "partial_conv" and weight.name == "kernel":
                tensor = _connected(tensor, weight, getattr(layer, "connections", ()))
            elif tensor is not None and claim.kind == "locally_connected":
                tensor = _of_places(tensor, weight)
            if tensor is None or prod(tensor.shape) != weight.size:
                return None
            if not weight.axes and tensor.shape != weight.shape:
                # Factors of a map have axes of 1 behind the channels'.
                tensor = tensor.shaped(weight.shape)
            found[weight.name] = tensor
        return found


def _claims(nodes: Sequence[Node]) -> list[Claim]:
    """The layers that nodes say they are parts of, in the order of their last nodes."""
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        if NODE in node.about:
            groups.setdefault(node.about[NODE], []).append(node)
    found = []
    for path, own in groups.items():
        about = own[-1].about
        try:
            fields, given = json.loads(about.get(FIELDS, "null")), json.loads(about.get(INPUTS, "null"))
        except (ValueError, RecursionError):
            continue
        if isinstance(fields, dict) and isinstance(given, list) and all(isinstance(name, str) for name in given):
            found.append(Claim(path, about.get(KIND, ""), fields, tuple(given), tuple(own)))
    return found


def _number(operation: Operation) -> int:
    return int(operation.place.split(" ")[1])


def _contradicts(layer: Layer, types: Sequence[TensorType], node: Operation) -> bool:
    """Whether a layer is another than the node that makes it alone."""
    if node.kind is None or node.kind in _PLAIN:
        return False
    if node.kind != layer.kind:
        return node.kind not in _STANDS.get(layer.kind, set())
    for name, value in node.fields.items():
        if name in ("pad", "rounding", "sides", "factor", "size", "axis", "indices", "like", "bias", "momentum"):
            continue
        own = plain(getattr(layer, name, None))
        if isinstance(own, float) and isinstance(value, int | float):
            if not isclose(own, value, rel_tol=1e-5, abs_tol=1e-30):
                return True
        elif (
            own is not None
            and own != value
            and own != tuple(np.ravel(value))
            and [*np.ravel(own)] != [*np.ravel(value)]
        ):
            return True
    return False


def _connected(tensor: Tensor, weight: Weight, connections: Sequence[Sequence[int]]) -> Tensor | None:
    """The kernels of connections, (*taps, connections), of a kernel with zeros between (filters, channels, *taps)."""
    pairs = [(filter_, channel) for filter_, own in enumerate(connections) for channel in own]
    fits = len(tensor.shape) > 2 and tensor.shape[0] == len(connections)
    if not fits or any(channel >= tensor.shape[1] for _, channel in pairs):
        return None
    rows, columns = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return tensor.changed(weight.shape, lambda x: np.moveaxis(x[rows, columns], 0, -1))


def _of_places(tensor: Tensor, weight: Weight) -> Tensor | None:
    """Kernels of places, (places, taps, channels, filters), or biases (filters, *places), as they are here."""
    if prod(tensor.shape) != weight.size:
        return None
    if weight.name == "bias":
        return tensor.changed(weight.shape, lambda x: np.moveaxis(x, 0, -1))
    return tensor.shaped(weight.shape)


def image_of(model: Model, name: str) -> dict[str, Any] | None:
    """The fields of `input` that a file of ours says of an input; None where the file is not of ours."""
    if VERSION not in model.about:
        return None
    found: dict[str, Any] = {}
    for key, text in model.about.items():
        begin, _, field = key.rpartition(".")
        if begin == name and field not in ("kind", "layout", "prepared", "classes"):
            try:
                found[field] = json.loads(text)
            except (ValueError, RecursionError):
                continue
    return found


def about_of(model: Model) -> dict[str, Any]:
    """What a file says of itself: its producer, names of classes."""
    about: dict[str, Any] = {"producer": model.producer} if model.producer else {}
    if VERSION in model.about and CLASSES in model.about:
        try:
            classes = json.loads(model.about[CLASSES])
        except (ValueError, RecursionError):
            classes = None
        if isinstance(classes, list) and all(isinstance(name, str) for name in classes):
            about["classes"] = classes
    return about
