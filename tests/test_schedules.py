"""Schedules and weight decay."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import pytest

from archspec.kinds import find_kind, kind_names
from archspec.optimisers import Optimiser
from archspec.schedules import Schedule


def schedule(kind: str, **fields: Any) -> list[float]:
    """The factor at each of 10 epochs of 4 steps."""
    found = find_kind("schedules", kind)
    assert found is not None
    made = found.model_validate(fields)
    assert isinstance(made, Schedule)
    factor = made.build(10, 4)
    return [float(factor(step)) for step in range(40)]


def test_constant() -> None:
    assert schedule("constant") == [1.0] * 40


def test_linear_and_cosine_fall_from_one_to_final() -> None:
    line = schedule("linear", final=0.2)
    assert line[0] == 1.0
    assert line[20] == pytest.approx(0.6)
    assert all(a > b for a, b in pairwise(line))
    cosine = schedule("cosine")
    assert cosine[0] == 1.0
    assert cosine[20] == pytest.approx(0.5)
    assert 0 < cosine[39] < 0.01
    assert schedule("cosine", final=0.1)[39] == pytest.approx(0.1, abs=0.01)


def test_step_every_and_at_milestones() -> None:
    every = schedule("step", every=3, factor=0.5)
    assert [every[4 * epoch] for epoch in range(10)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    assert every[11] == 1
    milestones = schedule("step", milestones=[2, 7])
    assert milestones[7] == 1
    assert milestones[8] == pytest.approx(0.1)
    assert milestones[28] == pytest.approx(0.01)
    for wrong in ({}, {"every": 1, "milestones": [2]}, {"milestones": [3, 2]}):
        with pytest.raises(ValueError, match=r"every|rise"):
            schedule("step", **wrong)


@pytest.mark.parametrize("kind", kind_names("schedules"))
def test_warm_up_rises_linearly_and_the_rest_follows(kind: str) -> None:
    fields = {"every": 3} if kind == "step" else {}
    found = schedule(kind, warmup=2, **fields)
    assert found[:9] == pytest.approx([step / 8 for step in range(9)])
    assert all(value <= 1 for value in found)
    if kind == "step":
        assert found[11] == 1
        assert found[12] == pytest.approx(0.1)


@pytest.mark.parametrize("kind", kind_names("optimisers"))
def test_decay_spares_biases_and_norms_unless_asked(kind: str) -> None:
    found = find_kind("optimisers", kind)
    assert found is not None
    params = {"c.kernel": jnp.ones((2, 3)), "c.bias": jnp.ones(3), "n.scale": jnp.ones(3)}
    zeros = {name: jnp.zeros_like(value) for name, value in params.items()}
    for decay, moved in (("weights", {"c.kernel"}), ("all", set(params))):
        optimiser = found.model_validate({"learning_rate": 0.1, "weight_decay": 0.1, "decay": decay})
        assert isinstance(optimiser, Optimiser)
        transformation = optimiser.build(lambda step: 1.0)
        updates, _ = transformation.update(zeros, transformation.init(params), params)
        assert {name for name, value in updates.items() if bool((value < 0).all())} == moved
        assert all(bool((updates[name] == 0).all()) for name in params if name not in moved)


@pytest.mark.parametrize("kind", kind_names("optimisers"))
def test_the_schedule_scales_the_learning_rate(kind: str) -> None:
    found = find_kind("optimisers", kind)
    assert found is not None
    optimiser = found.model_validate({"learning_rate": 0.1})
    assert isinstance(optimiser, Optimiser)
    params = {"w": jnp.ones((2, 2))}
    sizes = []
    for factor in (1.0, 0.5):
        transformation = optimiser.build(lambda step, factor=factor: factor)
        updates, _ = transformation.update({"w": jnp.ones((2, 2))}, transformation.init(params), params)
        sizes.append(float(jnp.abs(updates["w"]).max()))
    assert sizes[1] == pytest.approx(sizes[0] / 2)


def test_lion_steps_by_the_sign() -> None:
    found = find_kind("optimisers", "lion")
    assert found is not None
    optimiser = found.model_validate({"learning_rate": 0.01})
    assert isinstance(optimiser, Optimiser)
    params = {"w": jnp.array([[1.0, -2.0]])}
    transformation = optimiser.build(lambda step: 1.0)
    updates, _ = transformation.update({"w": jnp.array([[0.3, -7.0]])}, transformation.init(params), params)
    assert updates["w"].tolist() == [[pytest.approx(-0.01), pytest.approx(0.01)]]
