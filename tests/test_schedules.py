"""Schedules and weight decay."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

from archspec.diagnostics import SpecError
from archspec.kinds import builtin_kinds, find_kind
from archspec.loading import load
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


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("final", [0.0, 0.1, 1.5])
@pytest.mark.parametrize("warmup", [0, 0.25, 2])
def test_the_first_step_has_one_and_the_last_has_final(kind: str, final: float, warmup: float) -> None:
    found = schedule(kind, final=final, warmup=warmup)
    start = round(4 * warmup)
    assert found[start] == 1.0
    assert found[39] == pytest.approx(final, abs=1e-7)
    rest = found[start:]
    assert all((a > b) == (final < 1) for a, b in pairwise(rest))
    # A curve that is its own mirror image.
    assert [a + b for a, b in zip(rest, reversed(rest), strict=True)] == pytest.approx([1 + final] * len(rest))


def test_linear_and_cosine_follow_their_formulas() -> None:
    """Steps of 4, by hand."""
    four = (find_kind("schedules", name) for name in ("linear", "cosine"))
    line, cosine = (kind.model_validate({"final": 0.1}).build(4, 1) for kind in four if kind is not None)  # type: ignore[attr-defined]
    assert [float(line(step)) for step in range(4)] == pytest.approx([1, 0.7, 0.4, 0.1])
    assert [float(cosine(step)) for step in range(4)] == pytest.approx([1, 0.775, 0.325, 0.1])


def test_optax_decays_alike_over_one_step_less() -> None:
    import optax

    for kind, theirs in (
        ("linear", optax.linear_schedule(1.0, 0.1, 39)),
        ("cosine", optax.cosine_decay_schedule(1.0, 39, 0.1)),
    ):
        assert schedule(kind, final=0.1) == pytest.approx([float(theirs(step)) for step in range(40)], abs=1e-6)


NEEDED: dict[str, dict[str, Any]] = {"step": {"every": 3}, "exponential": {"rate": 0.9}, "warm_restarts": {"first": 10}}


@pytest.mark.parametrize("kind", builtin_kinds("schedules"))
def test_a_single_step_is_trained_in_full(kind: str) -> None:
    found = find_kind("schedules", kind)
    assert found is not None
    made = found.model_validate(NEEDED.get(kind, {}))
    assert isinstance(made, Schedule)
    assert float(made.build(1, 1)(0)) == 1


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("cosine", {"warmup": 1e308}),
        ("constant", {"warmup": float("inf")}),
        ("step", {"milestones": [1e308]}),
        ("step", {"every": 1e308}),
        ("step", {"milestones": [float("nan")]}),
    ],
)
def test_times_are_bounded(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"less than or equal|finite"):
        schedule(kind, **fields)


def test_changes_without_number_take_no_memory() -> None:
    """As many changes as there are numbers would never end."""
    found = schedule("step", every=1e-300, factor=0.5)
    assert found[0] == 0
    assert schedule("step", every=1e-300, factor=2.0)[1] < float("inf")


def test_a_traced_step_gives_the_same() -> None:
    import jax

    for kind, fields in (("step", {"milestones": [2, 7], "warmup": 1.0}), ("cosine", {"final": 0.1, "warmup": 1.0})):
        found = find_kind("schedules", kind)
        assert found is not None
        made = found.model_validate(fields)
        assert isinstance(made, Schedule)
        traced = jax.jit(made.build(10, 4))
        assert [float(traced(jnp.int32(step))) for step in range(40)] == pytest.approx(schedule(kind, **fields))


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


@pytest.mark.parametrize("kind", builtin_kinds("schedules"))
def test_warm_up_rises_linearly_and_the_rest_follows(kind: str) -> None:
    if kind == "one_cycle":
        with pytest.raises(ValueError, match="`rise` is its warm-up"):
            schedule(kind, warmup=2)
        return
    found = schedule(kind, warmup=2, **NEEDED.get(kind, {}))
    assert found[:9] == pytest.approx([(step + 1) / 8 for step in range(8)] + [1])
    assert found[0] > 0
    assert all(value <= 1 for value in found)
    if kind == "step":
        assert found[11] == 1
        assert found[12] == pytest.approx(0.1)


@pytest.mark.parametrize("kind", builtin_kinds("optimisers"))
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


@pytest.mark.parametrize("kind", builtin_kinds("optimisers"))
def test_the_schedule_scales_the_learning_rate(kind: str) -> None:
    found = find_kind("optimisers", kind)
    assert found is not None
    optimiser = found.model_validate({"learning_rate": 0.1})
    assert isinstance(optimiser, Optimiser)
    params = {"w": jnp.ones((2, 2))}
    sizes = []

    def share(factor: float, step: Any) -> float:
        return factor

    for factor in (1.0, 0.5):
        transformation = optimiser.build(partial(share, factor))
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


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("schedule: {step: {milestones: [1, 1e12]}}", "`milestones[1]` of step must be 2147483647 or less"),
        ("schedule: {step: {every: 1, factor: 1e308}}", "`factor` of step is too large"),
        ("schedule: {cosine: {final: 1e308}}", "`final` of cosine is too large"),
        ("optimiser: {adam: 1e308}", "`learning_rate` of adam is too large"),
        ("optimiser: {adam: 1e-320}", "`learning_rate` of adam is too small"),
    ],
)
def test_numbers_that_networks_cannot_compute_with_are_refused(
    write: Callable[..., Path], settings: str, reason: str
) -> None:
    net = "input: {height: 8, width: 8, channels: 1}\nlayers: [flatten, dense: 2]\n"
    path = write(f"{net}train: {{{settings}}}")
    with pytest.raises(SpecError, match=re.escape(reason)):
        load(path)
