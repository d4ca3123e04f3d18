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
from archspec.lower import Arrays, build, split
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.passes import groups_of, recompute, scan_blocks
from archspec.spec.train import Precision
from archspec.training.feeding import Batch
from archspec.training.freezing import NOTHING, FrozenParts
from archspec.training.objective import Objective, Prepared, trained_of
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
        - stochastic_depth: {rate}
"""
NETWORK = """
input: {{height: 8, width: 8, channels: 3}}
layers:
  - conv: {{filters: 6, kernel: 3, pad: same, name: stem}}
{units}
  - flatten
  - dense: {{name: out, units: 3}}
train: {{batch_size: 8, optimiser: {optimiser}, passes: {passes}{more}}}
"""


def network(
    passes: str,
    more: str = "",
    rates: tuple[float, ...] = (0, 0.3, 0.5),
    optimiser: str = "{sgd: {learning_rate: 0.1}}",
) -> str:
    units = "".join(UNIT.format(i=i, rate=rate) for i, rate in enumerate(rates))
    return NETWORK.format(units=units, passes=passes, more=more, optimiser=optimiser)


def a_batch() -> Batch:
    rng = np.random.default_rng(0)
    return Batch(
        {"input": jnp.asarray(rng.integers(0, 256, (8, 8, 8, 3)), jnp.uint8)},
        {"label": jnp.asarray(rng.integers(0, 3, 8), jnp.int32)},
        jnp.arange(8, dtype=jnp.int32),
    )


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
    """Within a loop nothing is folded; outside of it the stem's batch norm is, within the program or beforehand."""
    text = network("none").replace("name: stem}\n", "name: stem}\n  - batch_norm: {name: stem_norm}\n")
    graph = load(write(text)).graph()
    pure, params, statistics = split(build(graph, seed=0))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)
    groups = groups_of(graph.pruned("eval"), ("fold_batch_norm", "scan_blocks"))
    assert {(group.how, group.rounds, len(group.inner)) for group in groups} == {
        ("scan_blocks", 3, 0),
        ("fold_batch_norm", 1, 0),
    }
    arrays = {name: value + 0.1 for name, value in statistics.items()}
    folded = pure.folding(groups)(params, arrays)

    @jax.jit
    def outputs(given: tuple[Arrays, Arrays], folded: tuple[Arrays, Arrays], x: jax.Array) -> list[Any]:
        cases = ((given, (), False), (given, groups, False), (folded, groups, True))
        return [
            pure.apply(*own, x, train=False, groups=found, lowerings=BY_LIBRARY, folded=beforehand)[0]
            for own, found, beforehand in cases
        ]

    plain, looped, beforehand = outputs((params, arrays), folded, x)
    np.testing.assert_allclose(looped, plain, 1e-5, 1e-6)
    np.testing.assert_allclose(beforehand, plain, 1e-5, 1e-6)


@pytest.mark.slow
def test_steps_are_the_same_with_batch_norm_and_rates_of_dropout(write: Write) -> None:
    """Dropout drops the same elements: others would make losses and statistics differ in the first digit."""
    batch = a_batch()
    found, norms = [], []
    for passes in ("none", "[scan_blocks]"):
        steps = make_steps(load(write(network(passes, ", remat: [unit*], micro_batches: 2"))), 1)
        state = steps.initial(None)
        norms.append(str(jax.make_jaxpr(cast(Any, steps.train))(state, batch)).count("rsqrt"))
        for _ in range(2):
            state, figures = steps.train(state, batch)
        found.append({**state["params"], **state["statistics"], "losses": figures["losses"]})
        assert cast(Any, steps.train)._cache_size() == 1
    # One block, in the forward pass and anew in the backward pass, in place of three.
    assert 0 < 3 * norms[1] == norms[0]
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, 1e-5, 1e-6, err_msg=name)
    assert found[0]["unit0.batch_norm1.mean"].any()


def gradients(
    write: Write,
    passes: tuple[str, ...],
    precision: Precision = "float32",
    frozen: FrozenParts = NOTHING,
    rates: tuple[float, ...] = (0, 0.3, 0.5),
) -> dict[str, np.ndarray]:
    """Of the loss at the first weights, and the new statistics."""
    spec = load(write(network("none", rates=rates)))
    graph = spec.graph()
    pure, params, statistics = split(build(graph, seed=0))
    objective = Objective(graph, spec.heads(), pure, frozen, 1, precision, passes=passes, lowerings=BY_LIBRARY)
    rng = np.random.default_rng(1)
    x = {"input": jnp.asarray(rng.normal(size=(8, 8, 8, 3)), jnp.float32)}
    batch = Prepared(x, a_batch().targets, jax.random.key(0))
    trained = trained_of(params, frozen)
    found, after = jax.jit(lambda own, rest, running: objective.gradients(own, rest, running, batch))(
        trained, params, statistics
    )
    assert set(found) == set(trained)
    return {name: np.asarray(value, np.float64) for name, value in {**found, **after.statistics}.items()}


@pytest.mark.slow
def test_what_is_frozen_stays_and_the_rest_has_the_same_gradients(write: Write) -> None:
    """Kernels of all blocks stay: they are alike in that."""
    kernels = FrozenParts(frozenset(f"unit{i}.conv1.kernel" for i in range(3)))
    plain, looped = (gradients(write, passes, frozen=kernels) for passes in ((), ("scan_blocks",)))
    largest = max(np.abs(value).max() for value in plain.values())
    for name, value in plain.items():
        # Batch norm takes away what a bias before it does, whose gradient is rounding alone.
        np.testing.assert_allclose(looped[name], value, 1e-5, 1e-6 * largest, err_msg=name)


@pytest.mark.slow
def test_bfloat16_is_as_near_to_float32_with_a_loop_as_without(write: Write) -> None:
    """What goes from round to round is rounded in other places, so both are held to float32 and not to each other.

    Of all gradients together the relative error is a few percent: 16 bits have 0.4 %, and some rectifiers turn.
    """

    def error(passes: tuple[str, ...]) -> float:
        found = gradients(write, passes, "bfloat16", rates=(0, 0, 0))
        off = sum(float(((found[name] - right[name]) ** 2).sum()) for name in names)
        return float(np.sqrt(off / sum(float((right[name] ** 2).sum()) for name in names)))

    right = gradients(write, (), rates=(0, 0, 0))
    names = [name for name in right if not name.endswith(("mean", "var"))]
    for passes in ((), ("scan_blocks",)):
        assert 0.001 < error(passes) < 0.08, passes


@pytest.mark.slow
def test_names_optimiser_and_average_do_not_see_it_and_bits_come_again(write: Write) -> None:
    batch = a_batch()
    found = []
    for passes in ("none", "[scan_blocks]"):
        text = network(passes, ", ema: 0.5", (0, 0, 0), "{adam: {learning_rate: 0.001, epsilon: 0.1}}")
        steps = make_steps(load(write(text)), 1)
        state, _ = steps.train(steps.initial(None), batch)
        kept = jax.tree.map(np.array, state)
        first, _ = steps.train(state, batch)
        ended = jax.tree.map(np.array, first)
        again, _ = steps.train(jax.tree.map(jnp.array, kept), batch)
        jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.array, again), ended)
        found.append(ended)
    # Of other names this would fail.
    jax.tree.map(lambda own, other: np.testing.assert_allclose(other, own, 1e-4, 1e-5), *found)
