"""Every network of the zoo is what it was; `python -m tests.record_fingerprints` records a change that is meant."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from archspec.graph import Graph
from archspec.loading import load
from archspec.reports import report
from tests.by_hand import by_hand, every_third
from tests.record_fingerprints import (
    JAX,
    NETWORKS,
    TRACED,
    digest,
    graph_of,
    graph_record,
    program_of,
    read,
    traced,
)
from tests.zoo import FIGURES

GRAPHS, PROGRAMS = read("graphs"), read("programs")

TRACED_OFTEN = [name for name in NETWORKS if name in FIGURES and FIGURES[name].traced]
"""Those that have, together, every kind of layer; the others of the sample are traced in the slow tests."""

BY_HAND = {
    "nasnet_a_mobile", "inception_resnet_v2", "densenet_bc_100_12", "resnet50_v1", "densenet121", "efficientnet_v2_s",
    "wide_resnet50_2", "inception_v3", "mnasnet1_0",
}  # fmt: skip
"""They take from 6 to 16 s each."""

SAMPLE = every_third(
    by_hand(
        [pytest.param(name, id=name, marks=() if name in TRACED_OFTEN else pytest.mark.slow) for name in TRACED],
        BY_HAND,
    )
)

UNTRACED = {"identity", "pad", "scale"}
"""They are one operation each, and the networks that have them take 5 s to trace."""


def test_every_network_is_recorded() -> None:
    assert list(GRAPHS) == NETWORKS
    assert PROGRAMS and all(sorted(record) == sorted(TRACED) for record in PROGRAMS.values())


def kinds_of(graph: Graph) -> set[str]:
    return {node.kind for node in graph.nodes}


@cache
def traced_often() -> set[str]:
    """The kinds of layers of the networks that are traced often."""
    return {kind for name in TRACED_OFTEN for kind in kinds_of(load(name).graph())}


@pytest.mark.parametrize("name", NETWORKS)
def test_graphs_and_figures_are_those_recorded(name: str) -> None:
    graph = load(name).graph()
    assert graph_record(graph) == GRAPHS[name]
    assert kinds_of(graph) <= traced_often() | UNTRACED, "a network of each kind of layer is traced often"


@pytest.mark.parametrize("name", SAMPLE)
def test_networks_are_built_and_differentiated_as_recorded(name: str) -> None:
    """Shapes, parameters and operations of the traced network, without any numbers: the networks are large."""
    graph = load(name).graph()
    evaluation, gradient, ((_, outputs), gradients) = traced(graph)
    shapes = {output.name: (2, *graph.output_type(output).shape) for output in graph.outputs}
    assert {key: value.shape for key, value in outputs.items()} == shapes
    declared = {
        f"{node.path}.{weight.name}": weight.shape
        for node in graph.nodes
        for weight in node.weights
        if weight.role == "trainable"
    }
    assert {key: value.shape for key, value in gradients.items()} == declared
    assert sum(value.size for value in gradients.values()) == report(graph, mode="train").totals["params"]["trainable"]
    if JAX not in PROGRAMS:
        pytest.skip(f"the programs of JAX {JAX} are not recorded: python -m tests.record_fingerprints")
    assert {"eval": program_of(evaluation), "gradient": program_of(gradient)} == PROGRAMS[JAX][name]


NET = """
input: {{channels: 3, height: 8, width: 8}}
layers:
  - conv: {{filters: 4, kernel: 3, pad: same{conv}}}
  - batch_norm{norm}
  - relu
  - flatten
  - dense: 2
"""


def test_a_digest_tells_networks_apart(write: Callable[..., Path]) -> None:
    nets = [NET.format(conv=conv, norm=norm) for conv in ("", ", stride: 2") for norm in ("", ": {epsilon: 0.1}")]
    graphs = [load(write(text)).graph() for text in nets]
    assert len({digest(graph_of(graph)) for graph in graphs}) == 4
    programs = [tuple(program_of(jaxpr) for jaxpr in traced(graph)[:2]) for graph in graphs]
    assert len(set(programs)) == len({of_eval for of_eval, _ in programs}) == 4
    again = load(write(nets[0])).graph()
    assert (digest(graph_of(again)), *map(program_of, traced(again)[:2])) == (digest(graph_of(graphs[0])), *programs[0])


def test_a_program_is_its_operations_and_not_its_names() -> None:
    x = jnp.zeros((2, 3))

    def one(x: jax.Array, y: jax.Array) -> jax.Array:
        return jax.jit(lambda a: a * 2 - y)(x)

    def same(left: jax.Array, right: jax.Array) -> jax.Array:
        def inner(other: jax.Array) -> jax.Array:
            return other * 2 - right

        return jax.jit(inner)(left)

    def swapped(x: jax.Array, y: jax.Array) -> jax.Array:
        return jax.jit(lambda a: y - a * 2)(x)

    def larger(x: jax.Array, y: jax.Array) -> jax.Array:
        return jax.jit(lambda a: a * 3 - y)(x)

    first, *others = (program_of(jax.make_jaxpr(function)(x, x)) for function in (one, same, swapped, larger))
    assert [first == other for other in others] == [True, False, False]
