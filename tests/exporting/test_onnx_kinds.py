"""Every kind of layer as ONNX, in onnxruntime, against the compiled layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from flax import nnx

from archspec.exporting.examples import alone, kinds, node_of
from archspec.exporting.onnx.model import IR_VERSION, OPSET, supports, written
from archspec.exporting.onnx.orders import orders_of
from archspec.exporting.onnx.scribe import Scribe, sizes_of
from archspec.graph import Graph, GraphInput, Node, Output
from archspec.layers import Example, Layer
from archspec.layers.max_pool import MaxPool
from archspec.types import TensorType

CASES = [
    pytest.param(kind, example, id=f"{kind.kind}-{number}")
    for kind in kinds()
    for number, example in enumerate(kind.examples)
]


def first(array: np.ndarray) -> np.ndarray:
    """Channels first."""
    return np.moveaxis(array, -1, 1)


def arrays_of(module: nnx.Module, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A module's arrays, drawn anew: what begins as 0 or 1 would hide mistakes. Variances are above 0."""
    found: dict[str, np.ndarray] = {}
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        name = ".".join(map(str, path))
        drawn = rng.standard_normal(variable[...].shape).astype(np.float32) * 0.5
        found[name] = np.abs(drawn) + 0.5 if name.endswith("var") else drawn
        variable.set_value(jax.numpy.asarray(found[name]))
    return found


def session_of(graph: Graph, arrays: dict[str, np.ndarray]) -> onnxruntime.InferenceSession:
    scribe = Scribe(arrays, orders_of(graph))
    names = {-1 - place: item.name for place, item in enumerate(graph.inputs)}
    inputs = [
        onnx.helper.make_tensor_value_info(item.name, onnx.TensorProto.FLOAT, ("batch", *sizes_of(item.type)))
        for item in graph.inputs
    ]
    whole = written(graph, scribe, names, inputs)
    model = onnx.helper.make_model(whole, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def with_pooling(node: Node) -> Graph:
    """A max_unpool behind the max_pool that gives its indices, and is an input of the network's otherwise."""
    value, indices = node.input_types
    taps = indices.taps
    assert taps is not None
    sides = [
        (before, max(0, (count - 1) * step + (size - 1) * spread + 1 - before - have))
        for have, count, size, step, before, spread in zip(
            taps.map, indices.shape, taps.window, taps.stride, taps.before, taps.dilation, strict=False
        )
    ]
    two = 2 if len(sides) == 2 else 1
    pool = MaxPool(
        window=(taps.window * 2)[:2],
        stride=(taps.stride * 2)[:2],
        dilation=(taps.dilation * 2)[:2],
        pad=tuple(sides[:two]),
    )
    image = TensorType(taps.map)
    first = replace(node, path="pool1", layer=pool, inputs=(-1,), input_types=(image,), output=pool.infer(image))
    assert pool.tap_indices(image) == indices
    second = replace(node, inputs=(-2, 0))
    inputs = (GraphInput("image", image), GraphInput("value", value))
    return Graph("unpooling", inputs, (first, second), (Output("output", 1),), mode="eval")


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_a_kind_gives_what_the_compiled_layer_gives(kind: type[Layer], example: Example) -> None:
    node = node_of(kind, example)
    assert supports(node) is None
    rng = np.random.default_rng(0)
    graph = with_pooling(node) if "indices" in node.ports else alone(node)
    given = {item.name: rng.standard_normal((2, *item.type.shape)).astype(np.float32) for item in graph.inputs}
    values: dict[int, Any] = {-1 - place: given[item.name] for place, item in enumerate(graph.inputs)}
    arrays: dict[str, np.ndarray] = {}
    for index, each in enumerate(graph.nodes):
        module = each.layer.build(each.input_types, nnx.Rngs(0))
        arrays |= {f"{each.path}.{name}": array for name, array in arrays_of(module, rng).items()}
        options: dict[str, Any] = {"train": False} if each.layer.uses_mode else {}
        options |= {"key": None} if each.layer.uses_key else {}
        options |= {"indices": True} if index + 1 < len(graph.nodes) else {}
        taken = zip(each.inputs, each.ports, strict=True)
        parts = [
            values[source][1] if port == "indices" else values[source] for source, port in taken if port != "shape"
        ]
        values[index] = module(*map(jax.numpy.asarray, parts), **options)
    expected = first(np.asarray(values[len(graph.nodes) - 1]))
    session = session_of(graph, arrays)
    feed = {item.name: np.ascontiguousarray(first(given[item.name])) for item in session.get_inputs()}
    (found,) = session.run(None, feed)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
