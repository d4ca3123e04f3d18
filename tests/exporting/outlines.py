"""Models without weights: what checks shapes needs no numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from archspec.exporting.onnx.model import IR_VERSION, OPSET, written
from archspec.exporting.onnx.orders import Order, orders_of
from archspec.exporting.onnx.scribe import Scribe, sizes_of
from archspec.graph import Graph
from archspec.layers import Weight
from archspec.weights.layout import to_torch_shape

ZERO = np.zeros((), np.float32)
SMALL = 64
"""Elements of arrays that stay initialisers; larger ones of floats become inputs."""


@dataclass
class Outline(Scribe):
    """Writes arrays as inputs that have their shapes."""

    given: list[ValueInfoProto] = field(default_factory=list)

    def add(self, name: str, array: np.ndarray) -> None:
        if array.dtype == np.float32 and array.size > SMALL:
            self.given.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape))
        else:
            super().add(name, array)

    def laid(self, name: str, weight: Weight, order: Order) -> np.ndarray:
        return np.broadcast_to(ZERO, to_torch_shape(weight, order))


def outline_of(graph: Graph) -> ModelProto:
    """The model of a graph."""
    arrays = {
        f"{node.owner}.{item.name}": np.broadcast_to(ZERO, item.shape) for node in graph.nodes for item in node.arrays
    }
    scribe = Outline(arrays, orders_of(graph))
    names = {-1 - place: item.name for place, item in enumerate(graph.inputs)}
    inputs = [
        helper.make_tensor_value_info(item.name, TensorProto.FLOAT, ("batch", *sizes_of(item.type)))
        for item in graph.inputs
    ]
    whole = written(graph, scribe, names, inputs)
    whole.input.extend(scribe.given)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def forgetting(model: ModelProto) -> ModelProto:
    """The same model without what it says of the shapes of its values."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model
