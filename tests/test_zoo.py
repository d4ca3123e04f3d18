"""The zoo: every network meets the figures that its file states, and can be built, run and differentiated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from archspec.loading import load
from archspec.lower import build, split
from archspec.reports import report
from archspec.zoo import zoo_variants

NAMES = [name for name, (_, variant) in zoo_variants().items() if variant]


@pytest.mark.parametrize("name", NAMES)
def test_published_figures_are_met(name: str) -> None:
    spec = load(name)
    assert not spec.diagnostics
    published = spec.published
    assert published is not None
    graph = spec.graph().pruned("eval")
    assert published.params == graph.count("trainable")
    assert published.macs == graph.macs
    assert published.source


def test_figures_are_what_the_papers_say() -> None:
    counts = {name: load(name).graph().count("trainable") for name in NAMES}
    assert counts["lenet1"] == 2578
    assert counts["lenet5_1998"] == 60_000
    assert counts["lenet5"] == 61_706
    assert counts["lenet_caffe"] == 431_080


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("lenet5_1998", {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}),
        ("lenet1", {"h1": 104, "h2": 8, "h3": 512, "h4": 24, "output": 1930}),
    ],
)
def test_layers_are_what_the_papers_tables_say(name: str, rows: dict[str, int]) -> None:
    nodes = load(name).graph().by_path()
    assert {path: nodes[path].count("trainable") for path in rows} == rows


def test_a_missed_figure_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.layers.conv import Conv

    monkeypatch.setattr(Conv, "weights", lambda self, x: ())
    assert [item.code for item in load("lenet_caffe").diagnostics] == ["W303"]


@pytest.mark.parametrize("name", NAMES)
def test_built_networks_have_the_reported_parameters_and_finite_gradients(name: str) -> None:
    graph = load(name).graph()
    pure, params, statistics = split(build(graph))
    assert sum(value.size for value in params.values()) == report(graph).totals["params"]["trainable"]
    x = jax.random.normal(jax.random.key(0), (2, *graph.input.shape))

    def loss(params: Any) -> jax.Array:
        outputs, _ = pure.apply(params, statistics, x, train=True, key=jax.random.key(1))
        return jnp.mean(jax.nn.log_softmax(outputs))

    value, gradients = jax.jit(jax.value_and_grad(loss))(params)
    assert jnp.isfinite(value)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradients))


def test_the_rbf_centres_are_ten_different_digits() -> None:
    _, _, statistics = split(build(load("lenet5_1998").graph()))
    centres = statistics["output.centres"]
    assert centres.shape == (10, 84)
    assert set(map(float, jnp.unique(centres))) == {-1.0, 1.0}
    distances = jnp.sum(jnp.square(centres[:, None] - centres[None]), axis=-1)
    assert float(jnp.where(jnp.eye(10) > 0, 1e9, distances).min()) > 20


def test_receptive_fields() -> None:
    nodes = load("lenet5").graph().by_path()
    assert [nodes[path].receptive_field.size[0] for path in ("c1", "s2", "c3", "s4")] == [5, 6, 14, 16]
    assert [nodes[path].receptive_field.jump[0] for path in ("c1", "s2", "c3", "s4")] == [1, 2, 2, 4]
