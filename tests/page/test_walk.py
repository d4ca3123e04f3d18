"""Units that the page's script takes apart are JAX's arrays, and it follows receptive fields as Python does."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from archspec.explaining.forms import form_of, piece_of, taken_by
from archspec.figures.receptive_field import seen_by
from archspec.graph import Graph, is_input
from archspec.inspecting.subject import Subject
from archspec.loading import load, open_spec
from archspec.lower import build, split
from tests.page.scripts import INSIDE, needs_node, run

TEXTS = {
    "map": """
input: {height: 13, width: 11, channels: 4}
layers:
- conv: {name: c1, filters: 6, kernel: [3, 2], stride: [2, 1], pad: [[2, 1], [0, 1]], dilation: [1, 2], groups: 2}
- batch_norm: {name: b1, momentum: 0.9}
- relu: {name: r1}
- depthwise_conv: {name: c2, kernel: 3, pad: same, multiplier: 2, bias: false}
- max_pool: {name: p1, window: 3, stride: 2, pad: 1, rounding: ceil}
- conv: {name: c3, filters: 12, kernel: 1}
- max_unpool: {name: u1, indices: p1}
- avg_pool: {name: p2, window: 3, stride: 2, pad: [[1, 0], [0, 1]], rounding: ceil, count_pad: false}
- transposed_conv:
    {name: t1, filters: 6, kernel: [3, 4], stride: [2, 3], pad: [[1, 0], [0, 1]], output_pad: [1, 2], groups: 2}
- residual:
    name: unit
    shortcut: identity
    layers:
    - conv: {name: c4, filters: 6, kernel: 3, pad: same}
- global_avg_pool: {name: g}
- dense: {name: d, units: 5}
""",
    "signal": """
input: {length: 17, channels: 3}
layers:
- conv: {name: c1, filters: 4, kernel: 3, stride: 2, pad: causal}
- max_pool: {name: p1, window: 2, stride: 2}
- transposed_conv: {name: t1, filters: 3, kernel: 3, stride: 2, dilation: 2}
- avg_pool: {name: p2, window: 2}
- global_max_pool: {name: g}
- dense: {name: d, units: 3, bias: false}
""",
}

SCRIPT = """
const array = (name) => given.arrays[name];
const found = given.units.map(({ form, at, channel, from }) => {
  const terms = termsOf(form, at, channel, from.map((own) => given.values[own]), array);
  return [terms.total, terms.magnitude, terms.sum, terms.bias, terms.values.length];
});
console.log(JSON.stringify(found));
"""
PIECES = """
const found = given.map(({ form, place, inputs, arrays }) => {
  const terms = termsOf(form, place, 0, inputs, (use) => arrays[use]);
  return [terms.total, terms.magnitude, terms.values.length];
});
console.log(JSON.stringify(found));
"""
FIELDS = """
const found = given.asked.map(([index, at]) => [...seenBy(given.steps, index, at)]);
console.log(JSON.stringify(found));
"""


def subject_of(write: Any, text: str) -> Subject:
    graph = load(write(text)).graph()
    pure, params, statistics = split(build(graph, seed=0))
    rng = np.random.default_rng(1)
    drawn = [
        {
            name: np.asarray(rng.normal(1 if "var" in name else 0, 0.3, own.shape), np.float32)
            for name, own in arrays.items()
        }
        for arrays in (params, statistics)
    ]
    for name, own in drawn[1].items():
        drawn[1][name] = np.abs(own) if name.endswith("var") else own
    return Subject(graph, pure, *({name: jnp.asarray(own) for name, own in arrays.items()} for arrays in drawn))


def held(array: Any) -> dict[str, Any]:
    own = np.asarray(array)
    return {"shape": list(own.shape), "data": own.reshape(-1).tolist()}


@needs_node
@pytest.mark.parametrize("name", TEXTS)
def test_any_unit_is_the_array(write: Any, name: str) -> None:
    """To 1e-6 of Σ|terms|, with windows over every border."""
    subject = subject_of(write, TEXTS[name])
    graph = subject.graph
    x = np.random.default_rng(2).normal(size=(1, *graph.input.shape)).astype(np.float32)
    made = subject.values({"input": jnp.asarray(x)}, subject.paths)
    values = {str(index): np.asarray(made[path])[0] for index, path in enumerate(subject.paths)} | {"-1": x[0]}
    arrays = {key: held(own) for key, own in {**subject.arrays[0], **subject.arrays[1]}.items()}
    units: list[dict[str, Any]] = []
    wanted, kinds = [], set()
    rng = np.random.default_rng(3)
    for index, node in enumerate(graph.nodes):
        form = form_of(node)
        if form is None:
            continue
        kinds.add(form["op"])
        *spatial, channels = node.output.shape
        corners = [[0] * len(spatial), [size - 1 for size in spatial]]
        for at in [*corners, *([int(rng.integers(size)) for size in spatial] for _ in range(6))]:
            channel = int(rng.integers(channels))
            units.append({"form": form, "at": at, "channel": channel, "from": taken_by(graph, node, form)})
            wanted.append(float(values[str(index)][(*at, channel)]))
    assert kinds >= {"conv", "transposed", "max", "mean", "dense"}
    assert name == "signal" or kinds >= {"unpool", "batch_norm", "relu", "add"}
    pieces, whole = [], []
    flat = {name: np.asarray(own) for held_ in subject.arrays for name, own in held_.items()}
    for unit, value in zip(units, wanted, strict=True):
        taken = [values[str(own)] for own in unit["from"]]
        piece = piece_of(unit["form"], unit["at"], unit["channel"], taken, flat)
        if piece is not None:
            parts = {use: held(own) for use, own in piece["arrays"].items()}
            pieces.append({**piece, "inputs": [held(own) for own in piece["inputs"]], "arrays": parts})
            whole.append((unit["form"]["op"], value))
    for (total, magnitude, _), (op, value) in zip(run(PIECES, pieces, "walk", folder=INSIDE), whole, strict=True):
        assert abs(total - value) <= 1e-6 * magnitude + 1e-12, f"a piece of {op}"
    assert {op for op, _ in whole} == kinds - {"unpool"}
    given = {"units": units, "arrays": arrays, "values": {key: held(own) for key, own in values.items()}}
    for (total, magnitude, _, _, _), value, unit in zip(
        run(SCRIPT, given, "walk", folder=INSIDE), wanted, units, strict=True
    ):
        assert abs(total - value) <= 1e-6 * magnitude + 1e-12, unit["form"]


@needs_node
def test_the_worked_example_is_taken_apart_digit_for_digit() -> None:
    """Of the lectures' example (tests/worked_convolution.json): whole numbers, so without rounding."""
    import json
    from pathlib import Path

    example = json.loads((Path(__file__).parents[1] / "worked_convolution.json").read_text("utf-8"))
    x, w = np.moveaxis(np.asarray(example["x_padded"]), 0, -1), np.transpose(np.asarray(example["w"]), (2, 3, 1, 0))
    form = {"op": "conv", "kernel": [3, 3], "stride": [2, 2], "before": [0, 0], "dilation": [1, 1], "groups": 1}
    form |= {"weights": "w", "bias": "b"}
    out = np.asarray(example["out"])
    places = list(np.ndindex(*out.shape))
    given = {
        "arrays": {"w": held(w), "b": held(example["b"])},
        "values": {"-1": held(x)},
        "units": [{"form": form, "at": [row, column], "channel": own, "from": [-1]} for own, row, column in places],
    }
    found = run(SCRIPT, given, "walk", folder=INSIDE)
    assert [item[0] for item in found] == [out[place] for place in places]
    assert all(item[4] == 27 and item[2] + item[3] == item[0] for item in found)


def steps_of(graph: Graph) -> list[dict[str, Any]]:
    steps = []
    for node in graph.nodes:
        window = node.layer.footprint(node.input_types, node.output)
        takes = [list(kind.shape) for kind in node.input_types]
        plain = None if window is None else window._asdict()
        steps.append({"inputs": node.inputs, "ports": node.ports, "takes": takes, "window": plain})
    return steps


@needs_node
@pytest.mark.parametrize("name", ["lenet5", "googlenet", "segnet_basic", "fcn8s", "resnet18"])
def test_receptive_fields_are_followed_as_in_python(name: str) -> None:
    graph = open_spec(name).graph().pruned("eval")
    rng = np.random.default_rng(0)
    asked = []
    for _ in range(60):
        index = int(rng.integers(len(graph.nodes)))
        asked.append((index, [int(rng.integers(size)) for size in graph.nodes[index].output.spatial]))
    found = run(FIELDS, {"steps": steps_of(graph), "asked": asked}, "walk", folder=INSIDE)
    for (index, at), own in zip(asked, found, strict=True):
        wanted = seen_by(graph, index, at)
        assert dict(own) == {
            source: {"first": list(seen.first), "end": list(seen.end), "exact": seen.exact}
            for source, seen in wanted.items()
            if is_input(source)
        }, graph.nodes[index].path
