"""The zoo's networks as ONNX: its own shape inference finds our shapes, an oracle that knows nothing of elaboration."""

from __future__ import annotations

from collections import Counter

import onnx
import pytest

from archspec.exporting.onnx.model import supports
from archspec.exporting.onnx.scribe import NODE, scoped, sizes_of
from archspec.graph import Graph
from archspec.loading import open_specs
from archspec.zoo import zoo_files
from tests.exporting.outlines import forgetting, outline_of

SLOW = {
    *("densenet", "efficientnet", "efficientnet_v2", "nasnet", "regnet", "resnet", "resnext", "senet"),
    *("convnext", "fcn", "prelu_net", "vgg"),
}
"""Files of so many layers, or of so large kernels, that their networks are left to the slow tests."""

FILES = [
    pytest.param(str(path), id=path.stem, marks=pytest.mark.slow if path.stem in SLOW else ()) for path in zoo_files()
]


def of_layers(model: onnx.ModelProto) -> Counter[str]:
    """How many nodes each layer has; "" are those of none."""
    return Counter(
        next((prop.value for prop in node.metadata_props if prop.key == NODE), "") for node in model.graph.node
    )


def check(graph: Graph) -> None:
    assert [node.path for node in graph.nodes if supports(node) is not None] == []
    model = outline_of(graph)
    onnx.checker.check_model(model, full_check=True)
    found = shapes(
        onnx.shape_inference.infer_shapes(forgetting(model), check_type=True, strict_mode=True, data_prop=True)
    )
    own = {output.node: output.name for output in graph.outputs}
    named = {node.path: own.get(index, scoped(node.path)) for index, node in enumerate(graph.nodes)}
    assert {path: found[name][1:] for path, name in named.items()} == {
        node.path: sizes_of(node.output) for node in graph.nodes
    }
    # Of what is resized by a factor the inference does not know the batch any more.
    after: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if node.kind in ("resize", "unpool") or after & set(node.inputs):
            after.add(index)
        assert found[named[node.path]][0] == "batch" or index in after
    counts = of_layers(model)
    single = [path for path, count in counts.items() if path and count == 1]
    composed = {node.path for node in graph.nodes if counts[node.path] > 1}
    assert len(single) + counts[""] + len(composed) <= len(graph.nodes) + 2
    # None but those that a layer itself is.
    shuffled = {scoped(node.path) + "/turned" for node in graph.nodes if node.kind == "channel_shuffle"}
    assert {node.name for node in model.graph.node if node.op_type == "Transpose"} == shuffled


def shapes(model: onnx.ModelProto) -> dict[str, tuple[str | int, ...]]:
    values = [*model.graph.value_info, *model.graph.output]
    return {
        value.name: tuple(dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim)
        for value in values
    }


@pytest.mark.parametrize("file", FILES)
def test_shape_inference_agrees_on_every_edge(file: str) -> None:
    specs = open_specs(file)
    assert specs
    for spec in specs:
        check(spec.graph().pruned("eval"))
