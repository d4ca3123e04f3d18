"""Schedules, groups of arrays and clipping against what PyTorch was recorded to compute, and against NumPy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.graph import Graph
from archspec.kinds import find_kind
from archspec.loading import Spec, load
from archspec.training.freezing import frozen_at
from archspec.training.steps import make_steps
from archspec.training.updates import factor_of, transformation

Write = Callable[..., Path]
RECORDED = json.loads((Path(__file__).parents[1] / "pytorch" / "recipes.json").read_text("utf-8"))

SCHEDULES: dict[str, dict[str, Any]] = {
    "one_cycle": {},
    "one_cycle linear": {"rise": 0.4, "start": 0.1, "final": 0.001, "shape": "linear"},
    "polynomial": {"power": 0.9},
    "exponential": {"rate": 0.97, "every": 2.5},
    "warm_restarts": {"first": 2, "longer": 2.0, "final": 0.1},
    "warm_restarts alike": {"first": 3},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_pytorchs(name: str) -> None:
    kind: Any = find_kind("schedules", name.split()[0])
    factor = jax.vmap(kind.model_validate(SCHEDULES[name]).build(10, 4))
    np.testing.assert_allclose(factor(jnp.arange(40)), RECORDED["schedules"][name], 2e-6, 5e-8)


NET = """
input: {{features: 6}}
layers: [dense: {{name: body, units: 5}}, relu, dense: {{name: head, units: 3}}]
train: {{optimiser: {{{optimiser}}}{more}}}
"""
GROUPS = ', rates: {body: 0.1, head: 2, head.bias: 0.5}, decays: {"**": 3, body: 0.5}'
OPTIMISERS = {
    "sgd": "sgd: {learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.1}",
    "adamw": "adamw: {learning_rate: 0.1, weight_decay: 0.1}",
    "rmsprop": "rmsprop: {learning_rate: 0.1, smoothing: 0.9, momentum: 0.9, weight_decay: 0.1}",
}
CLIPS = {"none": "", "norm": ", clip: 2", "value": ", clip: {value: 0.5}"}


def spec_of(write: Write, optimiser: str, more: str = "") -> tuple[Spec, Graph]:
    spec = load(write(NET.format(optimiser=optimiser, more=more)))
    return spec, spec.graph()


def changed(spec: Spec, graph: Graph, steps: int = 5) -> dict[str, np.ndarray]:
    """What the recorder's numbers become in five steps."""
    assert spec.train is not None
    rng = np.random.default_rng(5)
    shapes = {f"{node.path}.{weight.name}": weight.shape for node in graph.nodes for weight in node.weights}
    params = {name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name, shape in shapes.items()}
    made = transformation(spec.train, graph, factor_of(spec.train, 1))
    state, update = made.init(params), jax.jit(made.update)
    for _ in range(steps):
        gradients = {name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name, shape in shapes.items()}
        updates, state = update(gradients, state, params)
        params = {name: value + updates[name] for name, value in params.items()}
    return {name: np.asarray(value) for name, value in params.items()}


@pytest.mark.parametrize("name", RECORDED["groups"])
def test_factors_and_clipping_are_pytorchs_parameter_groups(write: Write, name: str) -> None:
    kind, clip = name.split()
    found = changed(*spec_of(write, OPTIMISERS[kind], GROUPS + CLIPS[clip]))
    for array, recorded in RECORDED["groups"][name].items():
        np.testing.assert_allclose(found[array], recorded, 2e-4, 2e-5, err_msg=array)


def test_adaptive_clipping_is_unit_by_unit(write: Write) -> None:
    """Against NumPy: a column of a kernel is a unit, and each bias one."""
    spec, graph = spec_of(write, "sgd: {learning_rate: 1, momentum: 0}", ", clip: {adaptive: 0.1}")
    rng = np.random.default_rng(5)
    found = changed(spec, graph, 1)
    shapes = {"body.kernel": (6, 5), "body.bias": (5,), "head.kernel": (5, 3), "head.bias": (3,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    for name, shape in shapes.items():
        gradient, weights = rng.normal(size=shape), params[name]
        if gradient.ndim == 2:
            columns = zip(gradient.T, weights.T, strict=True)
            scales = [min(1.0, 0.1 * float(np.linalg.norm(w) / np.linalg.norm(g))) for g, w in columns]
        else:
            scales = np.minimum(1, 0.1 * np.maximum(abs(weights), 1e-3) / abs(gradient)).tolist()
        assert min(scales) < 0.5
        np.testing.assert_allclose(found[name], weights - gradient * np.asarray(scales), 1e-5, 1e-6)


def test_tensorflows_rmsprop_by_hand(write: Write) -> None:
    """Epsilon within the root, mean squares from 1 on, and momentum of steps that the rate has scaled."""
    spec, graph = spec_of(
        write,
        "rmsprop: {form: tensorflow, learning_rate: 0.1, smoothing: 0.9, momentum: 0.5, epsilon: 0.01}",
        ", epochs: 2, schedule: {step: {every: 1, factor: 0.5}}",
    )
    found = changed(spec, graph, 2)
    rng = np.random.default_rng(5)
    shapes = {name: value.shape for name, value in found.items()}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    square, moved = ({name: np.full(shape, first) for name, shape in shapes.items()} for first in (1.0, 0.0))
    for rate in (0.1, 0.05):
        for name, shape in shapes.items():
            gradient = rng.normal(size=shape)
            square[name] = 0.9 * square[name] + 0.1 * gradient**2
            moved[name] = 0.5 * moved[name] + rate * gradient / np.sqrt(square[name] + 0.01)
            params[name] = params[name] - moved[name]
    for name, value in found.items():
        np.testing.assert_allclose(value, params[name], 1e-5, 1e-6)


def test_what_stands_still_keeps_its_bits_and_has_no_state(write: Write) -> None:
    spec, graph = spec_of(write, "adam: 0.1", ', rates: {body: 0, "**.bias": 0, head.bias: 1}')
    assert spec.train is not None
    frozen = frozen_at(spec.train, graph, 1)
    assert frozen.arrays == {"body.kernel", "body.bias"} and not frozen.layers
    state = make_steps(spec, 1, frozen=frozen).template
    assert sum(leaf.size for leaf in jax.tree.leaves(state["optimiser"]) if leaf.shape) == 2 * (5 * 3 + 3)
    spec, graph = spec_of(write, "adam: 0.1", ', rates: {"**": 0}')
    assert spec.train is not None
    with pytest.raises(Exception, match="nothing to train"):
        frozen_at(spec.train, graph, 1)


@pytest.mark.parametrize(
    ("more", "said", "help"),
    [
        (", rates: {bodi: 0.1}", "`bodi` names nothing of net that can be trained", "did you mean `body`?"),
        (', decays: {"*.kernal": 0}', "`*.kernal` names nothing", "a pattern"),
        (", clip: {norm: 1, value: 1}", "give one of `norm`, `value` and `adaptive`", ""),
        (", clip: 0", "`clip", ""),
        (", rates: {body: -1}", "`rates.body` of train must be 0 or more, not -1", ""),
    ],
)
def test_wrong_recipes_are_refused(write: Write, more: str, said: str, help: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(write(NET.format(optimiser="adamw: {weight_decay: 0.1}", more=more))).graph()
    [finding] = [item for item in caught.value.diagnostics if item.severity == "error"]
    assert said in finding.message and help in " ".join(finding.help)
    assert finding.primary is not None and finding.primary.span.line == 6


@pytest.mark.parametrize(
    ("optimiser", "decays", "said"),
    [
        ("sgd: 0.1", "body: 0", "factors of a weight decay of 0"),
        ("adamw: {weight_decay: 0.1}", '"*.bias": 2', "names biases and norms alone"),
    ],
)
def test_factors_that_change_nothing_are_warned_of(write: Write, optimiser: str, decays: str, said: str) -> None:
    spec = load(write(NET.format(optimiser=optimiser, more=f", decays: {{{decays}}}")))
    assert [item.code for item in spec.diagnostics if said in item.message] == ["W308"]
