"""Every kind of layer as ONNX, in onnxruntime, against the compiled layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
import pytest

from archspec.exporting.examples import alone, kinds, node_of
from archspec.exporting.onnx.model import IR_VERSION, OPSET, supports, written
from archspec.exporting.onnx.orders import orders_of
from archspec.exporting.onnx.scribe import Scribe, sizes_of
from archspec.graph import Graph, GraphInput, Node, Output
from archspec.kinds import find_kind
from archspec.layers import Example, Layer
from archspec.layers.max_pool import MaxPool
from archspec.lower import outline
from archspec.types import TensorType

MORE: list[tuple[str, Any, tuple[int, ...]]] = [
    # Padding that no window reaches over, which runtimes refuse as a pooling's own.
    ("max_pool", {"window": 2, "stride": 1, "pad": [[2, 0], [0, 3]]}, (4, 5, 2)),
    ("max_pool", {"window": [2, 3], "stride": 2, "dilation": 3, "pad": [[2, 2], [1, 1]]}, (9, 9, 2)),
    ("avg_pool", {"window": 2, "stride": 1, "pad": [[2, 0], [0, 3]]}, (4, 5, 2)),
    ("avg_pool", {"window": 2, "stride": 1, "pad": [[2, 0], [0, 3]], "count_pad": False}, (4, 5, 2)),
    ("avg_pool", {"window": 3, "stride": 2, "pad": 1, "rounding": "ceil", "count_pad": False}, (6, 7, 2)),
    ("avg_pool", {"window": 9, "stride": 4, "pad": [[0, 1], [2, 0]], "rounding": "ceil"}, (5, 12, 2)),
    ("avg_pool", {"window": 3, "stride": 2, "pad": [[1, 2]], "rounding": "ceil"}, (10, 3)),
    ("subsample", {"window": 5, "stride": 3, "pad": 1, "rounding": "ceil"}, (3, 9, 2)),
    # An output padding that is not less than the stride, as a dilation allows.
    (
        "transposed_conv",
        {"filters": 2, "kernel": [1, 2], "stride": [1, 3], "dilation": 3, "pad": [[1, 0], [2, 2]], "output_pad": 2},
        (10, 7, 2),
    ),
    (
        "transposed_conv",
        {"filters": 2, "kernel": 2, "dilation": 3, "pad": [[0, 1], [0, 2]], "output_pad": 2, "bias": False},
        (4, 5, 2),
    ),
    ("conv", {"filters": 2, "kernel": 2, "stride": 3, "pad": [[3, 0], [0, 4]], "rounding": "ceil"}, (5, 6, 3)),
    ("resize", {"size": [11, 3], "mode": "nearest"}, (7, 7, 2)),
    ("resize", {"size": [1, 5], "align_corners": True}, (3, 4, 2)),
    ("resize", {"size": [1, 1]}, (4, 5, 2)),
    ("adaptive_max_pool", {"size": [3, 7]}, (10, 4, 2)),
    ("lrn", {"size": 6, "alpha": 2.0}, (3, 4, 3)),
    ("lrn", {"size": 2, "alpha": 1.0}, (7, 5)),
    ("slice", {"rows": [1, None, 2], "channels": [1, 3, 1]}, (6, 5, 4)),
    ("space_to_depth", {"block": 2}, (4, 6, 1)),
    ("reshape", {"shape": [3, 2]}, (2, 3)),
    ("layer_norm", {"scale": False, "bias": False}, (3, 4, 5)),
    ("group_norm", {"groups": 2, "scale": False, "bias": False}, (3, 4, 6)),
]
"""Uses beside the kinds' own examples."""


def kind_named(name: str) -> type[Layer]:
    kind = find_kind("layers", name)
    assert kind is not None and issubclass(kind, Layer)
    return kind


CASES = [
    *((f"{kind.kind}-{number}", kind, item) for kind in kinds() for number, item in enumerate(kind.examples)),
    *((f"{name}-more{n}", kind_named(name), Example(fields, (shape,))) for n, (name, fields, shape) in enumerate(MORE)),
]


def first(array: np.ndarray) -> np.ndarray:
    """Channels first."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def with_pooling(node: Node) -> Graph:
    """A max_unpool behind the max_pool that gives its indices, and of an input of its own otherwise."""
    value, indices = node.input_types
    taps = indices.taps
    assert taps is not None
    sides = tuple(
        (before, max(0, (count - 1) * step + (size - 1) * spread + 1 - before - have))
        for have, count, size, step, before, spread in zip(
            taps.map, indices.shape, taps.window, taps.stride, taps.before, taps.dilation, strict=False
        )
    )
    window, stride, dilation = ((*pair, *pair)[:2] for pair in (taps.window, taps.stride, taps.dilation))
    pool = MaxPool(window=window, stride=stride, dilation=dilation, pad=sides)
    image = TensorType(taps.map)
    assert pool.tap_indices(image) == indices
    pooling = replace(node, path="pool1", layer=pool, inputs=(-1,), input_types=(image,), output=pool.infer(image))
    inputs = (GraphInput("image", image), GraphInput("value", value))
    return Graph("unpooling", inputs, (pooling, replace(node, inputs=(-2, 0))), (Output("output", 1),), mode="eval")


def graph_of(kind: type[Layer], example: Example) -> Graph:
    node = node_of(kind, example)
    return with_pooling(node) if "indices" in node.ports else alone(node)


class Case:
    """An example with numbers: what begins as 0 or 1 would hide mistakes; variances are above 0."""

    def __init__(self, graph: Graph) -> None:
        rng = np.random.default_rng(0)
        self.graph = graph
        self.pure, *kinds = outline(graph)
        self.params, self.statistics = (
            {name: self.drawn(name, like.shape, rng) for name, like in arrays.items()} for arrays in kinds
        )
        self.given = {item.name: rng.standard_normal((2, *item.type.shape), np.float32) for item in graph.inputs}

    @staticmethod
    def drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        values = rng.standard_normal(shape, np.float32) * np.float32(0.5)
        return np.abs(values) + np.float32(0.5) if name.endswith("var") else values

    def computed(self, params: Any, statistics: Any, given: dict[str, Any]) -> Any:
        x = given if len(given) > 1 else next(iter(given.values()))
        return self.pure.apply(params, statistics, x, train=False)[0]

    def run(self) -> np.ndarray:
        """What onnxruntime gives."""
        scribe = Scribe({**self.params, **self.statistics}, orders_of(self.graph))
        names = {-1 - place: item.name for place, item in enumerate(self.graph.inputs)}
        inputs = [
            onnx.helper.make_tensor_value_info(item.name, onnx.TensorProto.FLOAT, ("batch", *sizes_of(item.type)))
            for item in self.graph.inputs
        ]
        model = onnx.helper.make_model(
            written(self.graph, scribe, names, inputs),
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {item.name: first(self.given[item.name]) for item in session.get_inputs()})
        values: np.ndarray = found
        return values


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[Case, np.ndarray]]:
    """Every case with what the compiled layer gives, all of them by one program."""
    cases = {name: Case(graph_of(kind, example)) for name, kind, example in CASES}
    numbers = {name: (case.params, case.statistics, case.given) for name, case in cases.items()}

    def every(numbers: dict[str, Any]) -> dict[str, Any]:
        return {name: case.computed(*numbers[name]) for name, case in cases.items()}

    made = jax.jit(every)(numbers)
    return {name: (case, first(np.asarray(made[name]))) for name, case in cases.items()}


@pytest.mark.parametrize("name", [name for name, _, _ in CASES])
def test_a_kind_gives_what_the_compiled_layer_gives(name: str, expected: dict[str, tuple[Case, np.ndarray]]) -> None:
    case, wanted = expected[name]
    assert [node.kind for node in case.graph.nodes if supports(node) is not None] == []
    found = case.run()
    assert found.shape == wanted.shape
    # Windows over padding alone give −∞ in both.
    largest = np.abs(wanted[np.isfinite(wanted)]).max()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * largest)
