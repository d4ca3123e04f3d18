"""Optimisers and schedules of Optax by name: what is read of its source against what Python says of its functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from archspec.data import loaded
from archspec.diagnostics import SpecError
from archspec.kinds import builtin_kinds, find_kind, kind_names
from archspec.loading import load
from archspec.optimisers import Optimiser
from archspec.schedules import Schedule
from archspec.signatures import REQUIRED, functions
from archspec.training.checks import fitted
from archspec.training.feeding import Batch, epoch_order, feed
from archspec.training.steps import steps_of

ALIASES = {
    name: value
    for name, value in vars(optax).items()
    if not name.startswith("_") and getattr(getattr(value, "func", value), "__module__", "") == "optax._src.alias"
}
OPTIMISERS = sorted(set(ALIASES) - set(builtin_kinds("optimisers")))
SCHEDULES = sorted(
    name
    for name, value in vars(optax).items()
    if inspect.isfunction(value) and value.__module__ == "optax.schedules._schedule"
)


def optimiser(kind: str, **fields: Any) -> Optimiser:
    found = find_kind("optimisers", kind)
    assert found is not None
    made = found.model_validate({"learning_rate": 0.1, **fields})
    assert isinstance(made, Optimiser)
    return made


def schedule(kind: str, fields: dict[str, Any], epochs: int = 10, steps: int = 4) -> list[float]:
    found = find_kind("schedules", kind)
    assert found is not None
    made = found.model_validate(fields)
    assert isinstance(made, Schedule)
    factor = made.build(epochs, steps)
    return [float(factor(step)) for step in range(epochs * steps)]


def test_every_alias_is_a_kind_and_the_packages_own_come_first() -> None:
    assert len(OPTIMISERS) > 20
    assert kind_names("optimisers") == sorted({*OPTIMISERS, *builtin_kinds("optimisers")})
    assert kind_names("schedules") == sorted({*SCHEDULES, *builtin_kinds("schedules")})
    for name in kind_names("optimisers"):
        own = name in builtin_kinds("optimisers")
        kind = find_kind("optimisers", name)
        assert kind is not None and kind.kind == name and kind.__module__.endswith(name if own else "_optax")


@pytest.mark.parametrize("init", ["__init__.py", "schedules/__init__.py"])
def test_signatures_are_those_that_python_finds(init: str) -> None:
    module = "alias" if init == "__init__.py" else "_schedule"
    found = functions("optax", init, module)
    assert len(found) > 10
    for name, function in found.items():
        fixed = getattr(getattr(optax, name), "keywords", {})
        parameters = inspect.signature(getattr(optax, name)).parameters.values()
        real = [item for item in parameters if item.name not in fixed]
        assert [item.name for item in function.arguments] == [item.name for item in real], name
        for ours, theirs in zip(function.arguments, real, strict=True):
            if theirs.default is inspect.Parameter.empty:
                assert ours.default is REQUIRED
            elif theirs.default is None or isinstance(theirs.default, (bool, int, float, str)):
                assert ours.default == theirs.default and type(ours.default) is type(theirs.default)
        assert function.text == inspect.cleandoc(getattr(optax, name).__doc__) or "nadam" in name


GRADIENTS = [np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float32) for seed in range(3)]


def updates_of(made: Any, value: float = 2.0) -> list[Any]:
    """Three updates of a kernel and a bias, the bias with the kernel's first row."""
    made = optax.with_extra_args_support(made)
    params = {"w": jnp.linspace(-1, 1, 20).reshape(5, 4), "b": jnp.linspace(0.5, 1, 4)}
    state, found = made.init(params), []

    @jax.jit
    def update(gradient: jax.Array, state: Any, params: Any) -> Any:
        changes, state = made.update({"w": gradient, "b": gradient[0]}, state, params, value=value)
        return optax.apply_updates(params, changes), state

    for gradient in GRADIENTS:
        params, state = update(jnp.asarray(gradient), state, params)
        found.append(params)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(found)]


def factor(step: Any) -> Any:
    return 1 / (1 + step)


def kernels(params: dict[str, Any]) -> dict[str, bool]:
    return {name: value.ndim > 1 for name, value in params.items()}


SAME: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "adabelief": ({"eps": 1e-12, "nesterov": True}, lambda: optax.adabelief(rate, eps=1e-12, nesterov=True)),
    "lamb": ({"weight_decay": 0.1}, lambda: optax.lamb(rate, weight_decay=0.1, mask=kernels)),
    "lars": (
        {"weight_decay": 0.1, "decay": "all", "momentum": 0.5},
        lambda: optax.lars(rate, weight_decay=0.1, momentum=0.5),
    ),
    "adafactor": (
        {"weight_decay": 0.1, "min_dim_size_to_factor": 2, "momentum": 0.5},
        lambda: optax.adafactor(rate, 2, weight_decay_rate=0.1, weight_decay_mask=kernels, momentum=0.5),
    ),
    "radam": (
        {"weight_decay": 0.1},
        lambda: optax.chain(optax.add_decayed_weights(0.1, kernels), optax.radam(rate)),
    ),
    "polyak_sgd": ({"f_min": 0.5, "variant": "sps+"}, lambda: optax.polyak_sgd(1.0, rate, 0.5, variant="sps+")),
    "sm3": ({}, lambda: optax.chain(optax.sm3(0.1), optax.scale_by_schedule(factor))),
}


def rate(step: Any) -> Any:
    return 0.1 * factor(step)


SLOW = ("adabelief", "lars", "radam")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in SAME])
def test_a_kind_is_optaxs_own_function(name: str) -> None:
    fields, theirs = SAME[name]
    ours = updates_of(optimiser(name, **fields).build(factor))
    assert all(np.array_equal(own, other) for own, other in zip(ours, updates_of(theirs()), strict=True))


def test_what_has_no_mask_spares_biases_by_groups() -> None:
    """NovoGrad decays within its step: of what is spared the numbers are those of no decay at all."""
    whole, none, both = (
        updates_of(optimiser("novograd", weight_decay=decay, decay=how).build(factor))
        for decay, how in ((0.1, "all"), (0.0, "weights"), (0.1, "weights"))
    )
    biases, weights = slice(0, None, 2), slice(1, None, 2)
    assert np.array_equal(np.stack(both[biases]), np.stack(none[biases]))
    assert np.array_equal(np.stack(both[weights]), np.stack(whole[weights]))
    assert not np.array_equal(np.stack(none[weights]), np.stack(whole[weights]))


EPOCHS: dict[str, tuple[dict[str, Any], Any]] = {
    "exponential_decay": (
        {"transition_epochs": 2.5, "decay_rate": 0.97, "staircase": True},
        optax.exponential_decay(1.0, 10, 0.97, staircase=True),
    ),
    "polynomial_schedule": ({"end_value": 0.1, "power": 0.9}, optax.polynomial_schedule(1.0, 0.1, 0.9, 40)),
    "piecewise_constant_schedule": (
        {"init_value": 0.5, "boundaries_and_scales": {"2": 0.5, "7.5": 0.1}},
        optax.piecewise_constant_schedule(0.5, {8: 0.5, 30: 0.1}),
    ),
    "warmup_cosine_decay_schedule": (
        {"init_value": 0.0, "warmup_epochs": 2, "end_value": 0.01},
        optax.warmup_cosine_decay_schedule(0.0, 1.0, 8, 40, 0.01),
    ),
    "sgdr_schedule": (
        {"cosine_kwargs": [{"init_value": 0, "peak_value": 1, "warmup_epochs": 1, "decay_epochs": 5}] * 2},
        optax.sgdr_schedule([{"init_value": 0, "peak_value": 1, "warmup_steps": 4, "decay_steps": 20}] * 2),
    ),
}


@pytest.mark.parametrize("name", EPOCHS)
def test_a_schedule_is_optaxs_own_with_epochs_for_steps(name: str) -> None:
    fields, theirs = EPOCHS[name]
    assert schedule(name, fields) == [float(theirs(step)) for step in range(40)]


def test_a_warm_up_goes_before_optaxs_schedules_too() -> None:
    found = schedule("cosine_decay_schedule", {"warmup": 2, "alpha": 0.1})
    theirs = optax.cosine_decay_schedule(1.0, 32, 0.1)
    assert found[:8] == pytest.approx([(step + 1) / 8 for step in range(8)])
    assert found[8:] == [float(theirs(step)) for step in range(32)]


NET = "input: {height: 8, width: 8, channels: 1}\nlayers: [flatten, dense: 2]\n"


@pytest.mark.parametrize(
    ("settings", "said", "help"),
    [
        ("optimiser: {adabeleif: 0.1}", "`adabeleif` is not an optimiser", "did you mean `adabelief`?"),
        ("optimiser: {lamb: {learning_rate: 0.1, epz: 1}}", "lamb has no field `epz`", "did you mean `eps`?"),
        ("optimiser: {lamb: {learning_rate: 0.1, b1: 1}}", "`b1` of lamb must be less than 1, not 1", ""),
        (
            "optimiser: {yogi: {learning_rate: 0.1, eps: -1}}",
            "`eps` of yogi must be 0 or more, not -1",
            "",
        ),
        ("optimiser: {polyak_sgd: {variant: spss}}", "`variant` of polyak_sgd must be", "did you mean `sps`?"),
        ("optimiser: {adafactor: {clipping_threshold: 0.5}}", "must be 1 or more", ""),
        ("optimiser: {lbfgs: {memory_size: 0}}", "`memory_size` of lbfgs must be greater than 0, not 0", ""),
        ("optimiser: {lbfgs: {weight_decay: 0.1}}", "`weight_decay` is no part", ""),
        ("optimiser: lamb", "lamb needs `learning_rate`", ""),
        ("schedule: {exponential_decay: {rate: 0.9}}", "exponential_decay has no field `rate`", "`decay_rate`"),
        (
            "schedule: {exponential_decay: {decay_rate: 0}}",
            "`decay_rate` of exponential_decay must be greater than 0",
            "",
        ),
        (
            "schedule: {piecewise_interpolate_schedule: {interpolate_type: cosin}}",
            "`interpolate_type` of",
            "did you mean `cosine`?",
        ),
        (
            'schedule: {piecewise_constant_schedule: {boundaries_and_scales: {"3": 0.1, "2": 0.1}}}',
            "`boundaries_and_scales` of piecewise_constant_schedule must rise",
            "",
        ),
    ],
)
def test_wrong_names_and_values_are_told_of(write: Callable[..., Path], settings: str, said: str, help: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(write(f"{NET}train: {{{settings}}}"))
    [finding] = caught.value.diagnostics
    assert said in finding.message and help in " ".join(finding.help)
    assert finding.primary is not None and finding.primary.span.line == 5


def test_the_elaborated_spec_has_them(write: Callable[..., Path]) -> None:
    text = f"""{NET}train:
  optimiser: {{adabelief: {{learning_rate: 0.001, eps: 1e-12}}}}
  schedule: {{piecewise_constant_schedule: {{boundaries_and_scales: {{"2": 0.5, "7.5": 0.1}}}}}}
"""
    spec = load(write(text))
    again = load(write(spec.to_yaml(), whole=True))
    assert spec.train is not None and again.train is not None
    assert again.train.optimiser == spec.train.optimiser and again.train.schedule == spec.train.schedule
    assert again.train.optimiser.to_plain()["adabelief"]["eps"] == 1e-12


RATES = {
    **dict.fromkeys(("adadelta", "fromage", "lars", "lbfgs"), 1.0),
    **dict.fromkeys(("adafactor", "noisy_sgd", "novograd", "optimistic_gradient_descent", "polyak_sgd", "sm3"), 0.1),
    **dict.fromkeys(("sign_sgd", "signum", "lion"), 0.002),
    **dict.fromkeys(("adagrad", "radam", "rprop", "sgd", "lamb"), 0.03),
    "rprop": 0.002,
}


@pytest.fixture(scope="module")
def digits() -> tuple[Any, list[Batch]]:
    """LeNet-1 and twenty batches of the embedded digits."""
    spec = load("lenet1")
    assert spec.train is not None
    split = fitted(loaded(spec.train.dataset).train, spec.inputs)
    order = epoch_order(0, 1, len(split), 64)[:20]
    source = feed(split)
    return spec, list(source.batches(order))


TRAINED = ("adam", "adamw", "lbfgs", "lion", "novograd", "radam", "rmsprop", "rprop", "sgd")
"""Those that the slow tests train with; each kind is held to Optax's own function without a compiled step above."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=() if name == "polyak_sgd" else pytest.mark.slow if name in TRAINED else pytest.mark.minutes,
        )
        for name in ALIASES
    ],
)
def test_every_optimiser_trains_and_compiles_once(digits: tuple[Any, list[Batch]], name: str) -> None:
    spec, batches = digits
    train = spec.train.model_copy(update={"optimiser": optimiser(name, learning_rate=RATES.get(name, 0.01))})
    steps = steps_of(spec.graph(), spec.inputs, spec.heads(), train, 20)
    state, losses = steps.initial(None), []
    for batch in batches:
        state, figures = steps.train(state, batch)
        losses.append(float(figures["losses"][0] / figures["weights"][0]))
    assert np.mean(losses[-5:]) < 0.95 * losses[0]
    assert cast(Any, steps.train)._cache_size() == 1
    floats = [leaf for leaf in jax.tree.leaves(state["optimiser"]) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in floats)
