"""Receptive fields: the published ones, and where the gradient of one output of the compiled network is not 0."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.figures.receptive_field import fields_of, seen_by
from archspec.graph import Graph, Node, Output, prune
from archspec.layers.avg_pool import AvgPool
from archspec.layers.max_pool import MaxPool
from archspec.loading import load
from archspec.lower import outline
from archspec.reports import report
from archspec.reports.facts import last_receptive_field, total_stride


@pytest.mark.parametrize(
    ("name", "path", "size"),
    [  # Araujo, Norris & Sim 2019, Table 1: the field of the last map before the pooling over the whole map.
        ("alexnet_one_weird_trick", "features.pool5", 195),  # alexnet_v2
        ("vgg16", "features.pool5", 212),  # vgg_16
        # The stride of a block is that of its first convolution in v1; with that of the second the 3×3 windows see
        # less far apart pixels: 427 = 483 − 2·(4 + 8 + 16).
        ("resnet50_v1", "layer4.2", 483),
        ("resnet50", "layer4.2", 427),
        ("resnet101_v1", "layer4.2", 1027),
        ("resnet152_v1", "layer4.2", 1507),
        ("bn_inception", "5b.concat1", 699),  # inception_v2: another first layer, separable, of the same window
    ],
)
def test_fields_are_those_of_araujo(name: str, path: str, size: int) -> None:
    graph = load(name).graph()
    node = [node for node in graph.nodes if node.path == path or node.path.startswith(f"{path}.")][-1]
    assert node.receptive_field.size == (size, size)


def test_lenet_by_hand() -> None:
    nodes = load("lenet5").graph().by_path()
    assert [nodes[path].receptive_field.size[0] for path in ("c1", "s2", "c3", "s4")] == [5, 6, 14, 16]
    assert [nodes[path].receptive_field.jump[0] for path in ("c1", "s2", "c3", "s4")] == [1, 2, 2, 4]
    assert [nodes[path].receptive_field.start[0] for path in ("c1", "s2", "c3", "s4")] == [2.5, 3.0, 7.0, 8.0]


GATES = {
    "global_avg_pool": "global_avg_pool: {keep_dims: true}",
    "adaptive_avg_pool": "adaptive_avg_pool: 1",
    "avg_pool": "avg_pool: 16",
    "max_pool": "max_pool: 16",
}


@pytest.mark.parametrize("pool", GATES)
def test_a_gate_over_the_whole_map_leaves_the_map_its_places(pool: str, write: Any) -> None:
    """The gate is one number a channel for all positions: distances are those of the map that it multiplies."""
    path = write(f"""
input: {{height: 16, width: 16, channels: 2}}
layers:
  - conv: {{name: a, filters: 2, kernel: 3, pad: 1}}
  - {GATES[pool]}
  - conv: {{filters: 2, kernel: 1}}
  - sigmoid: {{name: gate}}
  - multiply: {{name: gated, from: [a, gate]}}
  - conv: {{filters: 2, kernel: 3, stride: 2, pad: 1}}
  - conv: {{name: last, filters: 2, kernel: 3, stride: 2, pad: 1}}
  - global_avg_pool
  - dense: 3
""")
    graph = load(path).graph()
    nodes = graph.by_path()
    assert nodes["gated"].receptive_field.jump == (1, 1) and nodes["last"].receptive_field.jump == (4, 4)
    assert nodes["gated"].receptive_field.size == (18, 18)  # the map of 16 and a pixel of each side's windows
    assert total_stride(graph) == 4
    assert last_receptive_field(graph) == nodes["last"].receptive_field.size == (24, 24)  # 18 + 2·1 + 2·2


def test_a_coarse_gate_on_a_fine_map_leaves_its_stride(write: Any) -> None:
    path = write("""
input: {height: 32, width: 32, channels: 2}
layers:
  - conv: {name: fine, filters: 2, kernel: 3, stride: 2, pad: 1}
  - conv: {filters: 2, kernel: 3, stride: 4, pad: 1}
  - global_avg_pool: {keep_dims: true}
  - multiply: {name: gated, from: [fine, global_avg_pool1]}
  - global_avg_pool: {name: context, keep_dims: true}
  - resize: {name: spread, like: gated}
  - concat: {name: both, from: [gated, spread]}
  - flatten
  - dense: 2
""")
    graph = load(path).graph()
    assert graph.by_path()["both"].receptive_field.jump == (2, 2)
    assert total_stride(graph) == 8


def test_branches_that_see_different_sides_see_their_union(write: Any) -> None:
    path = write("""
input: {height: 9, width: 9, channels: 1}
layers:
  - parallel:
      join: add
      branches:
        - [{conv: {filters: 1, kernel: 3, pad: [[2, 0], [2, 0]]}}]
        - [{conv: {filters: 1, kernel: 3, pad: [[0, 2], [0, 2]]}}]
""")
    (end,) = load(path).graph().nodes[-1:]
    # One branch sees the two pixels before each position, the other the two after it.
    assert end.receptive_field.size == (5, 5) and end.receptive_field.start == (0.5, 0.5)


SEVERAL = """
inputs:
  number: {features: 4}
  picture: {height: 24, width: 20, channels: 1}
  sound: {length: 60, channels: 2}
  other: {height: 24, width: 20, channels: 1}
layers:
  - conv: {name: a, from: picture, filters: 2, kernel: 3}
  - avg_pool: {name: b, window: 2}
  - conv: {name: c, filters: 2, kernel: [3, 1]}
  - conv: {name: d, from: sound, filters: 2, kernel: 5, stride: 2}
  - conv: {name: e, filters: 2, kernel: 4, dilation: 2}
  - global_avg_pool: {name: heard}
  - reshape: {name: gate, shape: [1, 1, 2]}
  - dense: {name: told, from: number, units: 2}
  - multiply: {name: f, from: [gate, c]}
  - conv: {name: wide, from: other, filters: 2, kernel: [5, 3], stride: 2}
  - conv: {name: seen, from: picture, filters: 2, kernel: 3, stride: 2, pad: [[0, 0], [0, 0]]}
  - crop: {from: previous, like: wide}
  - add: {name: both, from: [previous, wide]}
  - conv: {name: last, filters: 2, kernel: 3}
outputs: {b: b, c: c, d: d, e: e, told: told, f: f, both: both, last: last}
"""


def test_fields_are_over_every_input_that_a_layer_sees(write: Any) -> None:
    """Where the gradient of a position in the middle is not 0, of each input on its own."""
    graph = load(write(SEVERAL)).graph()
    pure, params, statistics = outline(graph)
    positive: Any = {name: np.full(value.shape, 0.1, np.float32) for name, value in params.items()}
    x = {item.name: jnp.ones((1, *item.type.shape)) for item in graph.inputs}
    several = {}
    predicted = fields_of(graph)
    middles = {
        output.name: tuple(size // 2 for size in graph.nodes[output.node].output.spatial) for output in graph.outputs
    }

    def of_middles(x: Any) -> dict[str, jax.Array]:
        found: Any = pure.apply(positive, statistics, x, train=False)[0]
        return {name: found[name][(0, *place)].sum() for name, place in middles.items()}

    @jax.jit  # one program for all outputs
    def gradients_of(x: Any) -> dict[str, Any]:
        values, back = jax.vjp(of_middles, x)
        return {name: back({other: jnp.ones(()) * (other == name) for other in values})[0] for name in values}

    found = gradients_of(x)
    for output in graph.outputs:
        node, middle = graph.nodes[output.node], middles[output.name]
        gradients = {name: np.asarray(value)[0].any(-1) for name, value in found[output.name].items()}
        seen = [name for name, value in gradients.items() if value.ndim and value.any()]
        fields = {graph.source_name(source): field for source, field in predicted[output.node].items()}
        assert seen == sorted(fields), node.path
        assert (node.sees is None) == (not fields) and (node.path == "told") == bool(gradients["number"])
        several[node.path] = seen
        for name, field in fields.items():
            if node.sees is not None and name == graph.source_name(node.sees):
                assert field == node.receptive_field  # the one that the node itself has is that of the first
            for axis in range(gradients[name].ndim):
                places = np.flatnonzero(gradients[name].any(tuple({0, 1} & set(range(gradients[name].ndim)) - {axis})))
                # A gate over the whole of an input has no places in it.
                place = middle[axis] if (node.path, name) != ("f", "sound") else 0
                centre = field.start[axis] + place * field.jump[axis]
                span = centre - field.size[axis] / 2, centre + field.size[axis] / 2
                assert (places[0], places[-1] + 1) == span, (node.path, name, axis)
    assert several["f"] == ["picture", "sound"] and several["last"] == ["other", "picture"]
    assert last_receptive_field(graph) == (4, 4)  # of the first output
    # The gate's map of one position has places in the sound no longer.
    assert last_receptive_field(replace(graph, outputs=graph.outputs[5:6])) == {"picture": (8, 4), "sound": (17,)}
    assert total_stride(replace(graph, outputs=graph.outputs[5:6])) == 2
    end = replace(graph, outputs=graph.outputs[-1:])
    assert last_receptive_field(end) == {"picture": (7, 7), "other": (9, 7)}
    rows = {row.name: row for row in report(graph, mode="train").rows}
    assert (rows["last"].field_of, rows["last"].other_fields) == ("picture", (("other", (9, 7)),))
    text = str(report(graph, mode="train"))
    assert "7×7 of picture, 9×7 of other" in text and "17 of sound" in text


def averaging(node: Node) -> Node:
    """The node with a mean in place of a maximum, which only one pixel of each window would reach."""
    layer = node.layer
    if not isinstance(layer, MaxPool):
        return node
    fields: dict[str, Any] = {name: getattr(layer, name) for name in ("window", "stride", "pad", "rounding")}
    return replace(node, layer=AvgPool.model_validate(fields))


def cut(graph: Graph, path: str) -> tuple[Graph, Node]:
    """The graph up to a node, and that node."""
    index = next(index for index, node in enumerate(graph.nodes) if node.path == path)
    nodes, outputs = prune(tuple(map(averaging, graph.nodes)), (Output("map", index),))
    return replace(graph, nodes=nodes, outputs=outputs), graph.nodes[index]


@pytest.mark.parametrize(
    ("name", "path", "input"),
    [
        ("lenet5", "s4", (32, 40)),
        ("alexnet", "conv5", (259, 227)),
        ("vgg16", "features.pool3", (80, 96)),
        ("googlenet", "inception3b.concat1", (192, 176)),
        ("resnet18", "layer2.1.relu2", (160, 192)),
        ("resnet50", "layer2.3.relu3", (160, 176)),
        ("resnet20", "layer3.0.relu2", (112, 96)),
        ("segnet_basic", "pool4", (160, 192)),
    ],
)
def test_the_gradient_reaches_as_far_as_predicted(name: str, path: str, input: tuple[int, int]) -> None:
    graph, node = cut(load(name).graph(input).pruned("eval"), path)
    pure, params, statistics = outline(graph)
    # Positive weights and pixels: no rectifier closes, and nothing cancels out.
    positive = {name: np.full(value.shape, 1 / prod(value.shape[:-1]), np.float32) for name, value in params.items()}
    running = {name: np.full(value.shape, name.endswith("var"), np.float32) for name, value in statistics.items()}
    x = np.random.default_rng(0).uniform(0.5, 1, (1, *graph.input.shape)).astype(np.float32)
    middle = [size // 2 for size in node.output.shape[:2]]

    # Weights are arguments, since XLA would take its time to fold constants.
    def one(x: jax.Array, params: Any, statistics: Any, place: Any) -> jax.Array:
        found: Any = pure.apply(params, statistics, x, train=False)[0]
        return found[0, place[0], place[1]].sum()

    reaching = jax.jit(jax.grad(one))
    index = next(index for index, own in enumerate(graph.nodes) if own.path == path)
    last = [size - 1 for size in node.output.shape[:2]]
    for place in ([0, 0], [1, last[1] - 1], last, middle):
        seen = np.asarray(reaching(x, positive, running, np.asarray(place)))[0].any(-1)
        (own,) = seen_by(graph, index, place).values()
        found = [np.flatnonzero(lines) for lines in (seen.any(1), seen.any(0))]
        assert own.exact and own.first == tuple(axis[0] for axis in found)
        assert own.end == tuple(axis[-1] + 1 for axis in found)
    field = node.receptive_field
    for axis, lines in enumerate((seen.any(1), seen.any(0))):
        places = np.flatnonzero(lines)
        centre = field.start[axis] + middle[axis] * field.jump[axis]
        first, end = centre - field.size[axis] / 2, centre + field.size[axis] / 2
        assert first >= 0 and end <= graph.input.shape[axis], "the test's input is too small for the field"
        assert (places[0], places[-1] + 1) == (first, end), (name, path, "hw"[axis])
