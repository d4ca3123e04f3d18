"""Networks rolled up into specs: what is written is the same network, in as few lines as a person would take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.graph import Graph, is_input
from archspec.loading import load
from archspec.rolling import Rolled, rolled
from archspec.spec.writing import sections_of
from archspec.zoo import zoo_networks
from tests.effort import growth
from tests.zoo import SAMPLE

EITHER_WAY = ("add", "multiply", "maximum", "average")

LINES = {
    "resnet50": 32,
    "resnet152": 32,
    "vgg19": 30,
    "mobilenet_v2": 40,
    "densenet121": 40,
    "googlenet": 60,
    "inception_v3": 90,
    "unet": 40,
    "yolov3": 52,
    "segnet_basic": 40,
}
"""Lines that a network may take. The zoo's files have more, with what they say of weights, training and variants."""

MOST = {"nasnet_a_large": 370, "nasnet_a_mobile": 370, "enet": 120, "se_inception_resnet_v2": 120}
"""Lines of the networks that take more than `USUAL` do."""

USUAL = 95


def sections(name: str) -> dict[str, Any]:
    known = sections_of(load(name))
    return {key: known[key] for key in ("archspec", "name", "input", "inputs", "task") if key in known}


def called(graph: Graph, name: Callable[[int], str]) -> Graph:
    """The graph with other names of its layers."""
    new = {node.path: name(index) for index, node in enumerate(graph.nodes)}
    nodes = (replace(node, path=new[node.path], shares=new.get(node.shares or "")) for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes), blocks={})


def check(graph: Graph, made: Rolled, folder: Path) -> Graph:
    """Holds what was written to the graph: every layer under its new path, and nothing beside them."""
    file = folder / "rolled.yaml"
    file.write_text(made.text, "utf-8")
    other = load(file).graph()
    assert len(set(made.renamed.values())) == len(made.renamed) == len(graph.nodes) == len(other.nodes)
    layers = other.by_path()
    for node in graph.nodes:
        twin = layers[made.renamed[node.path]]
        assert (twin.kind, twin.output, twin.arrays, twin.cost) == (node.kind, node.output, node.arrays, node.cost)
        for field in type(node.layer).model_fields:
            if field not in ("pad", *node.layer.references):
                assert getattr(twin.layer, field) == getattr(node.layer, field), (node.path, field)
        assert twin.receptive_field == node.receptive_field
        sources = [graph.source_name(s) if is_input(s) else made.renamed[graph.nodes[s].path] for s in node.inputs]
        taken = [other.source_name(source) for source in twin.inputs]
        assert taken == sources or (node.kind in EITHER_WAY and taken == sources[::-1] and len(taken) == 2)
        assert twin.shares == (made.renamed[node.shares] if node.shares else None)
    assert other.inputs == graph.inputs
    for one, two in zip(graph.outputs, other.outputs, strict=True):
        assert one._replace(node=0) == two._replace(node=0)
        assert made.renamed[graph.nodes[one.node].path] == other.nodes[two.node].path
    return other


@pytest.mark.parametrize("name", LINES)
def test_networks(name: str, tmp_path: Path) -> None:
    graph = load(name).graph()
    made = rolled(graph, sections(name))
    check(graph, made, tmp_path)
    assert made.text.count("\n") <= LINES[name]
    assert made.notes == ()
    assert max(map(len, made.text.splitlines())) <= 200


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "segnet_basic"])
def test_structure_is_found_without_names(name: str, tmp_path: Path) -> None:
    graph = called(load(name).graph(), lambda index: f"node_{index}")
    made = rolled(graph, sections(name))
    check(graph, made, tmp_path)
    assert made.text.count("\n") <= LINES[name]
    assert "node_" not in made.text


def test_the_same_text_every_time() -> None:
    graph = load("googlenet").graph()
    assert rolled(graph, sections("googlenet")) == rolled(graph, sections("googlenet"))


def test_effort_grows_with_the_layers() -> None:
    def of(depth: int) -> Callable[[], object]:
        graph = load("resnet50", depths=[3, 4, depth, 3]).graph()
        return lambda: rolled(graph, sections("resnet50"))

    assert growth(of, 6, 24) < 2.6  # of 34 blocks in place of 16


def caffe(index: int) -> str:
    return f"res{index // 26}{'abcdefghijklmnopqrstuvwxyz'[index % 26]}_branch2a"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "named"),
    [
        pytest.param(name, caffe if at % 9 == 0 else None, marks=() if name in SAMPLE else pytest.mark.minutes)
        for at, name in enumerate(zoo_networks())
    ],
)
def test_zoo(name: str, named: Callable[[int], str] | None, tmp_path: Path) -> None:
    graph = load(name).graph()
    if named is not None:
        graph = called(graph, named)
    made = rolled(graph, sections(name))
    check(graph, made, tmp_path)
    assert made.notes == ()
    assert made.text.count("\n") <= MOST.get(name, USUAL)


KINDS: list[dict[str, Any]] = [
    {"conv": {"filters": 4, "kernel": 3, "pad": "same"}},
    {"conv": {"filters": 4, "kernel": 1, "bias": False}},
    {"batch_norm": {}},
    {"batch_norm": {"epsilon": 0.001}},
    {"relu": {}},
    {"tanh": {}},
    {"leaky_relu": {"slope": 0.1}},
    {"max_pool": {"window": 3, "stride": 1, "pad": 1}},
]


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """A spec of layers that keep the map's size: chains, sums with what came before, stretches that come again."""
    layers: list[dict[str, Any]] = [{"conv": {"name": "l0", "filters": 4, "kernel": 3, "pad": "same"}}]

    def add(source: int, kind: str, fields: dict[str, Any]) -> int:
        layers.append({kind: {"name": f"l{len(layers)}", "from": f"l{source}", **fields}})
        return len(layers) - 1

    def stretch(source: int, plan: list[Any]) -> int:
        outs = [source]
        for step, back in plan:
            ((kind, fields),) = KINDS[step % len(KINDS)].items()
            outs.append(add(outs[-1], kind, fields))
            if back and len(outs) > back and outs[-1 - back] != outs[-1]:
                layers.append({"add": {"name": f"l{len(layers)}", "from": [f"l{outs[-1]}", f"l{outs[-1 - back]}"]}})
                outs.append(len(layers) - 1)
        return outs[-1]

    end = 0
    plans = draw(
        st.lists(
            st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), min_size=1, max_size=5), min_size=1, max_size=3
        )
    )
    for plan in plans:
        for _ in range(draw(st.integers(1, 4))):
            end = stretch(end, plan)
    ends = {f"l{end}", f"l{draw(st.integers(0, end))}"}
    outputs = {f"o{number}": name for number, name in enumerate(sorted(ends))}
    return {
        "archspec": 1,
        "name": "net",
        "input": {"height": 6, "width": 5, "channels": 4},
        "layers": layers,
        "outputs": outputs,
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks())
def test_random_networks(tmp_path: Path, tree: dict[str, Any]) -> None:
    (tmp_path / "given.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")
    spec = load(tmp_path / "given.yaml")
    graph = spec.graph()
    made = rolled(graph, {"archspec": 1, "name": "net", "input": tree["input"]})
    check(graph, made, tmp_path)


def test_shared_arrays_stay_shared(tmp_path: Path) -> None:
    graph = load(Path(__file__).parents[1] / "specs" / "examples" / "siamese_digits.yaml").graph()
    made = rolled(graph, sections(str(Path(__file__).parents[1] / "specs" / "examples" / "siamese_digits.yaml")))
    check(graph, made, tmp_path)
    assert made.notes[-1] == "nothing in it could be rolled up: its layers are written one by one"
    assert "shared arrays" in made.notes[0]
