"""Alike blocks as rounds of a loop: what is found, and steps that are the same with fewer operations traced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.loading import load
from archspec.passes import groups_of, recompute, scan_blocks
from archspec.training.feeding import Batch
from archspec.training.steps import make_steps

Write = Callable[..., Path]

UNIT = """
  - residual:
      name: unit{i}
      layers:
        - conv: {{filters: 6, kernel: 3, pad: same}}
        - batch_norm
        - relu
        - dropout: {rate}
"""
NETWORK = """
input: {{height: 8, width: 8, channels: 3}}
layers:
  - conv: {{filters: 6, kernel: 3, pad: same, name: stem}}
{units}
  - flatten
  - dense: {{name: out, units: 3}}
train: {{batch_size: 8, optimiser: {{sgd: {{learning_rate: 0.1}}}}, passes: {passes}{more}}}
"""


def network(passes: str, more: str = "", rates: tuple[float, ...] = (0, 0.1, 0.3, 0.5)) -> str:
    units = "".join(UNIT.format(i=i, rate=rate) for i, rate in enumerate(rates))
    return NETWORK.format(units=units, passes=passes, more=more)


def test_runs_are_found() -> None:
    graph = load("resnet152").graph().pruned("train")
    runs = scan_blocks.find(graph)
    assert [(run.path, run.rounds, len(run.members)) for run in runs] == [("layer2.1", 7, 70), ("layer3.1", 35, 350)]
    # Rates of stochastic depth grow from block to block; the first block of a stage takes what is not in a block.
    nodes = load("convnext_tiny").graph().pruned("train")
    assert [(run.path[-8:], run.rounds) for run in scan_blocks.find(nodes)] == [
        ("stage1.0", 3),
        ("stage2.0", 3),
        ("stage3.0", 9),
        ("stage4.0", 3),
    ]
    assert not scan_blocks.find(load("densenet121").graph().pruned("train"))
    # What is frozen ends a run, and so does what is computed anew in some blocks only.
    frozen = scan_blocks.find(graph, frozen={"layer3.10.conv1.kernel"})
    assert [(run.path, run.rounds) for run in frozen] == [("layer2.1", 7), ("layer3.1", 9), ("layer3.11", 25)]
    some = scan_blocks.find(graph, recompute.find(graph, ["layer2.4"]))
    found = [(run.how, run.path, run.rounds) for run in some]
    assert found[:3] == [("scan_blocks", "layer2.1", 3), ("recompute", "layer2.4", 1), ("scan_blocks", "layer2.5", 3)]
    # Where all are, each round does so; a block that holds a run has it within.
    each = {run.path: run for run in scan_blocks.find(graph, recompute.find(graph, ["layer2.*", "layer3"]))}
    assert [(own.how, own.path) for own in each["layer2.1"].inner] == [("recompute", "layer2.2")]
    assert [(own.how, own.rounds) for own in each["layer3"].inner] == [("scan_blocks", 35)]


def test_evaluation_is_the_same(write: Write) -> None:
    spec = load(write(network("none")))
    graph = spec.graph()
    steps = make_steps(spec, 1)
    state = steps.initial(None)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)
    groups = groups_of(graph.pruned("eval"), ("scan_blocks",))
    assert [group.rounds for group in groups] == [4]
    arrays = {name: value + 0.1 for name, value in state["statistics"].items()}
    values = [steps.pure.apply(state["params"], arrays, x, train=False, groups=own)[0] for own in ((), groups)]
    np.testing.assert_allclose(cast(Any, values[1]), cast(Any, values[0]), 1e-5, 1e-6)


@pytest.mark.parametrize(
    "more",
    [
        "",
        pytest.param(", remat: [unit*]", marks=pytest.mark.slow),
        pytest.param(", remat: [unit*], micro_batches: 2", marks=pytest.mark.slow),
    ],
)
def test_steps_are_the_same_with_batch_norm_and_rates_of_dropout(write: Write, more: str) -> None:
    """Dropout drops the same elements: others would make losses and statistics differ in the first digit."""
    rng = np.random.default_rng(0)
    batch = Batch(
        {"input": jnp.asarray(rng.integers(0, 256, (8, 8, 8, 3)), jnp.uint8)},
        {"label": jnp.asarray(rng.integers(0, 3, 8), jnp.int32)},
        jnp.arange(8, dtype=jnp.int32),
    )
    found, norms = [], []
    for passes in ("none", "[scan_blocks]"):
        steps = make_steps(load(write(network(passes, more))), 1)
        state = steps.initial(None)
        norms.append(str(jax.make_jaxpr(cast(Any, steps.train))(state, batch)).count("rsqrt"))
        for _ in range(2):
            state, figures = steps.train(state, batch)
        found.append({**state["params"], **state["statistics"], "losses": figures["losses"]})
        assert cast(Any, steps.train)._cache_size() == 1
    # One block once more in the backward pass, in place of four of them.
    assert norms[1] == 2 < norms[0]
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, 1e-5, 1e-6, err_msg=name)
    assert found[0]["unit0.batch_norm1.mean"].any()
