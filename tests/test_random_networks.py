"""Networks of several inputs that nobody wrote: what is inferred, written and lowered agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.figures.memory import inference, training
from archspec.figures.roofline import work
from archspec.graph import Graph, input_number, is_input
from archspec.loading import load
from archspec.lower import outline
from archspec.reports import report
from archspec.xla import cross_check

SIZES = st.integers(1, 6)
INPUTS = st.one_of(
    st.fixed_dictionaries({"height": SIZES, "width": SIZES, "channels": SIZES}),
    st.fixed_dictionaries({"length": SIZES, "channels": SIZES}),
    st.fixed_dictionaries({"features": SIZES}),
)
PLACED: list[dict[str, Any]] = [
    {"conv": {"filters": 3, "kernel": 3, "pad": "same"}},
    {"conv": {"filters": 2, "kernel": 1, "stride": 2}},
    {"max_pool": {"window": 2, "stride": 1, "pad": "same_upper"}},
    {"batch_norm": {}},
    {"flatten": {}},
    {"global_avg_pool": {"keep_dims": True}},
    {"global_avg_pool": {}},
    {"tanh": {}},
]
PLAIN: list[dict[str, Any]] = [{"dense": {"units": 4}}, {"relu": {}}, {"batch_norm": {}}]


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """A spec of one to four inputs, whose layers take any value that came before, or several that can be joined."""
    inputs = {f"in{index}": section for index, section in enumerate(draw(st.lists(INPUTS, min_size=1, max_size=4)))}
    axes = {name: len(section) - 1 for name, section in inputs.items()}
    layers: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 7))):
        name = f"l{index}"
        source = draw(st.sampled_from(list(axes)))
        vectors = [known for known, count in axes.items() if count == 0]
        if axes[source] == 0 and len(vectors) > 1 and draw(st.booleans()):
            layers.append({"concat": {"name": name, "from": draw(st.permutations(vectors))[:3]}})
            axes[name] = 0
            continue
        (kind, fields), *_ = draw(st.sampled_from(PLACED if axes[source] else PLAIN)).items()
        layers.append({kind: {"name": name, "from": source, **fields}})
        whole = kind == "flatten" or (kind == "global_avg_pool" and not fields)
        axes[name] = 0 if whole else axes[source]
    ends = draw(
        st.lists(st.sampled_from([name for name in axes if name[0] == "l"]), min_size=1, max_size=3, unique=True)
    )
    return {
        "archspec": 1,
        "name": "net",
        "inputs": inputs,
        "layers": layers,
        "outputs": {f"o{end}": end for end in ends},
    }


def reached(graph: Graph, index: int) -> set[int]:
    """The inputs that a node depends on."""
    sources: set[int] = set()
    for source in graph.nodes[index].inputs:
        sources |= {source} if is_input(source) else reached(graph, source)
    return sources


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=networks())
def test_what_is_inferred_written_and_lowered_agrees(tree: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")
    spec = load(path)
    graph = spec.graph()
    again = tmp_path / "again.yaml"
    again.write_text(spec.to_yaml(), "utf-8")
    assert load(again).graph() == graph and load(again).inputs == spec.inputs

    # Shapes: traced by JAX, and of the input that each figure is about.
    given_arrays: Any = {item.name: jax.ShapeDtypeStruct((2, *item.type.shape), jnp.float32) for item in graph.inputs}
    pure, *arrays = outline(graph)
    x = given_arrays if len(graph.inputs) > 1 else given_arrays["in0"]
    found: Any = jax.eval_shape(lambda arrays, x: pure.apply(arrays[0], arrays[1], x, train=True)[0], arrays, x)
    shapes = {name: value.shape for name, value in found.items()} if isinstance(found, dict) else found.shape
    wanted = {output.name: (2, *graph.output_type(output).shape) for output in graph.outputs}
    assert shapes == (wanted if len(wanted) > 1 else next(iter(wanted.values())))
    placed = {input_number(index) for index, item in enumerate(graph.inputs) if not item.type.is_vector}
    for index, node in enumerate(graph.nodes):
        assert node.sees == max(reached(graph, index) & placed, default=None)

    # Figures: all inputs count, and what nothing uses is named.
    own = sum(item.type.size for item in graph.inputs)
    assert training(graph).parts["input"].per_sample == 4 * own
    assert inference(graph).per_sample >= 4 * own
    used = set().union(*(node.inputs for node in graph.nodes))
    unused = {item.name for index, item in enumerate(graph.inputs) if input_number(index) not in used}
    warned = {item.message.split("`")[1] for item in spec.diagnostics if item.code == "W306"}
    assert warned == unused
    made = report(graph, mode="train")
    assert [row.output for row in made.rows] == [node.output.shape for node in graph.nodes]
    assert sum(row.macs for row in made.rows) == graph.macs and len(work(graph, "float32", 2)) == len(graph.nodes)


TWO = """
inputs:
  picture: {{height: {size}, width: {size}, channels: 3}}
  other: {{{other}}}
layers:
  - conv: {{name: a, from: picture, filters: 16, kernel: 3, pad: same}}
  - relu
  - max_pool: 2
  - conv: {{filters: 32, kernel: 3, pad: same}}
  - relu
  - global_avg_pool: {{name: seen}}
  - {encode}
  - concat: {{from: [seen, told]}}
  - dense: 10
"""
OTHERS = {
    "vector": ("features: 300", "dense: {name: told, from: other, units: 64}"),
    "image": (
        "height: 24, width: 24, channels: 1",
        "parallel: {name: told, from: other, branches: [[{conv: {filters: 8, kernel: 5}}, global_avg_pool]]}",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_bytes_of_two_inputs_are_within_the_tolerance_of_xla(other: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    section, encode = OTHERS[other]
    path.write_text("archspec: 1\nname: net\n" + TWO.format(size=32, other=section, encode=encode), "utf-8")
    for mode, low, high in (("eval", 0.5, 1.2), ("train", 0.85, 1.15)):
        check = cross_check(load(path), 32, mode)  # type: ignore[arg-type]
        assert check.bytes_ratio is not None and low < check.bytes_ratio < high, (mode, check)
        assert check.flops_ratio == pytest.approx(1, rel=0.1)  # XLA leaves out what falls on padding
