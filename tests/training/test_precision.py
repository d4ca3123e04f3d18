"""Mixed precision: passes of 16 bits against NumPy's, the loss's scale against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.loading import load
from archspec.lower import outline
from archspec.lowerings.device import this_device
from archspec.training import scaling
from archspec.training.feeding import Batch
from archspec.training.freezing import NOTHING
from archspec.training.objective import Objective, Prepared
from archspec.training.run import train
from archspec.training.steps import State, Steps, make_steps
from archspec.training.steps import steps_of as steps_in

Write = Callable[..., Path]

NETWORK = """
task: regression
input: {{features: 6}}
layers: [dense: {{name: a, units: 8}}, {norm}tanh, dense: {{name: b, units: 2}}]
train: {{dataset: {data}, batch_size: 16, epochs: 2, optimiser: {{sgd: {{learning_rate: 0.01}}}}, precision: {more}}}
"""


def steps_of(write: Write, more: str, norm: str = "") -> Steps:
    return make_steps(load(write(NETWORK.format(norm=norm, data="mnist5k", more=more))), 1)


def batch(size: float = 1.0) -> Batch:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(16, 6)), size * rng.normal(size=(16, 2))
    return Batch(
        {"input": jnp.asarray(x, jnp.float32)}, {"label": jnp.asarray(y, jnp.float32)}, jnp.arange(16, dtype=jnp.int32)
    )


def plain(state: State, *parts: str) -> dict[str, np.ndarray]:
    return {name: np.array(value) for part in parts for name, value in state[part].items()}


@pytest.mark.slow
@pytest.mark.parametrize("parts", [pytest.param(1, marks=pytest.mark.minutes), 2])
def test_a_line_search_is_given_the_gradients_of_the_step(write: Write, parts: int) -> None:
    """Of targets so near that without the loss's scale most gradients are 0 in float16."""
    spec = load(write(NETWORK.format(norm="", data="mnist5k", more="float16")))
    pure, params, _ = outline(spec.graph())
    objective = Objective(spec.graph(), spec.heads(), pure, NOTHING, parts, "float16")
    rng = np.random.default_rng(1)
    params = {name: jnp.asarray(1e-4 * rng.normal(size=own.shape), jnp.float32) for name, own in params.items()}
    given = batch(1e-5)
    prepared = Prepared(given.inputs, given.targets, jax.random.key(0))
    scale = jnp.float32(2.0**16)
    wanted, _ = objective.gradients(params, params, {}, prepared, scale)
    found = jax.jit(jax.grad(objective.value))(params, params, {}, prepared, scale)
    unscaled = jax.grad(objective.value)(params, params, {}, prepared)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, 2e-3, 1e-12, err_msg=name)
    assert (np.asarray(unscaled["a.kernel"]) == 0).mean() > 0.5 > (np.asarray(wanted["a.kernel"]) == 0).mean()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_step_is_that_of_numpy_in_16_bits(write: Write, precision: str) -> None:
    steps = steps_of(write, precision)
    state, given = steps.initial(None), batch()
    kind: Any = ml_dtypes.bfloat16 if precision == "bfloat16" else np.float16
    scale = 2.0**16 if precision == "float16" else 1.0
    before = plain(state, "params")
    x, y = np.asarray(given.inputs["input"]).astype(kind), np.asarray(given.targets["label"])
    half = {name: value.astype(kind) for name, value in before.items()}

    def product(a: Any, b: Any) -> Any:
        """Sums of products in float32, rounded once."""
        return (a.astype(np.float32) @ b.astype(np.float32)).astype(kind)

    hidden = np.tanh((product(x, half["a.kernel"]) + half["a.bias"]).astype(np.float32)).astype(kind)
    output = (product(hidden, half["b.kernel"]) + half["b.bias"]).astype(np.float32)
    upper = (scale * 2 * (output - y) / y.size).astype(kind)
    lower = (product(upper, half["b.kernel"].T) * (1 - hidden * hidden)).astype(kind)
    gradients = {
        "a.kernel": product(x.T, lower),
        "a.bias": lower.astype(np.float32).sum(0),
        "b.kernel": product(hidden.T, upper),
        "b.bias": upper.astype(np.float32).sum(0),
    }
    lowered = cast(Any, steps.train).lower(state, given).as_text()
    assert f"x{'bf16' if precision == 'bfloat16' else 'f16'}>" in lowered and "dot_general" in lowered
    state, figures = steps.train(state, given)
    assert float(figures["losses"][0]) == pytest.approx(float(((output - y) ** 2).sum()), rel=1e-2)
    wide = steps_of(write, "float32")
    exact, _ = wide.train(wide.initial(None), given)
    for name, gradient in gradients.items():
        own = gradient.astype(np.float32) / scale
        moved = (before[name] - np.asarray(state["params"][name])) / 0.01
        room = (0.02 if precision == "bfloat16" else 0.004) * np.abs(own).max()
        np.testing.assert_allclose(moved, own, 0, room, err_msg=name)
        assert state["params"][name].dtype == jnp.float32
    # XLA may keep more digits than a program asks for, and does where oneDNN computes products on a CPU.
    narrow = any((exact["params"][name] != value).any() for name, value in state["params"].items())
    assert narrow or (precision == "bfloat16" and this_device().onednn)


@pytest.mark.slow
@pytest.mark.parametrize("lowerings", ["auto", "library"])
def test_losses_of_a_mean_over_a_map_are_near_those_of_float32(write: Write, lowerings: str) -> None:
    """With jaxlib 0.12's own reductions they are NaN in bfloat16 on some processors, in steps and in evaluation."""
    text = """
input: {{height: 8, width: 8, channels: 3}}
layers:
- repeat:
    times: 3
    layers: [conv: {{filters: 64, kernel: 3, pad: same}}, relu]
- global_avg_pool
- dense: 10
train: {{dataset: mnist5k, batch_size: 4, precision: {precision}, lowerings: {lowerings}}}
"""
    losses = []
    for precision in ("float32", "bfloat16"):
        spec = load(write(text.format(precision=precision, lowerings=lowerings)))
        graph, recipe = spec.graph(), spec.train
        assert recipe is not None
        steps = steps_in(graph, spec.inputs, spec.heads(), recipe, 1, seen_in=recipe.precision)
        state = steps.initial(None)
        rng = np.random.default_rng(0)
        x, y = jnp.asarray(rng.normal(size=(4, 8, 8, 3)), jnp.float32), jnp.asarray([0, 3, 3, 9], jnp.int32)
        given = Batch({"input": x}, {"label": y}, jnp.arange(4, dtype=jnp.int32))
        seen = steps.evaluate(state["params"], state["statistics"], given.inputs, given.targets)
        losses.append([float(seen["losses"][0]), float(steps.train(state, given)[1]["losses"][0])])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_the_scale_is_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch._amp_update_scale_`, which GradScaler calls, of PyTorch 2.13 with a growth interval of 3."""
    monkeypatch.setattr(scaling, "INTERVAL", 3)
    fine = "+++++++++++++++++--+++-+"
    scales = [16, 16, 17, 17, 17, 18, 18, 18, 19, 19, 19, 20, 20, 20, 21, 21, 21, 20, 19, 19, 19, 20, 19, 19]
    goods = [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 0, 0, 1]
    own = scaling.begun()
    for sign, scale, good in zip(fine, scales, goods, strict=True):
        own = scaling.after(own, jnp.asarray(sign == "+"))
        assert (float(own["scale"]), int(own["good"])) == (2.0**scale, good)
    assert int(own["skipped"]) == fine.count("-")
    own = {**scaling.begun(), "scale": jnp.float32(2.0**126)}
    for power, good in zip((126, 126, 127, 127, 127, 127), (1, 2, 0, 1, 2, 0), strict=True):
        own = scaling.after(own, jnp.asarray(True))
        assert (float(own["scale"]), int(own["good"])) == (2.0**power, good)


def test_a_skipped_step_changes_nothing_but_the_scale(write: Write) -> None:
    """Targets so large that gradients overflow until the scale has come down; then the step is float32's."""
    steps = steps_of(write, "float16, ema: 0.5, micro_batches: 2", "batch_norm: {name: norm}, ")
    state, given = steps.initial(None), batch(300.0)
    before, skipped = plain(state, "params", "statistics"), 0
    while True:
        state, figures = steps.train(state, given)
        assert bool(figures["finite"])
        if int(state["scaling"]["skipped"]) == skipped:
            break
        skipped += 1
        assert float(state["scaling"]["scale"]) == 2.0 ** (16 - skipped)
        for name, value in {**plain(state, "params", "statistics"), **plain(state["ema"], "params")}.items():
            assert (value == before[name]).all()
    assert 2 < skipped < 12 and int(state["step"]) == skipped + 1
    assert cast(Any, steps.train)._cache_size() == 1
    wide = steps_of(write, "float32, micro_batches: 2", "batch_norm: {name: norm}, ")
    exact, _ = wide.train(wide.initial(None), given)
    moved = {name: value - before[name] for name, value in plain(exact, "params", "statistics").items()}
    room = 0.01 * max(np.abs(value).max() for value in moved.values())
    for name, value in plain(state, "params", "statistics").items():
        np.testing.assert_allclose(value - before[name], moved[name], 0, room, err_msg=name)


@pytest.mark.slow
def test_records_say_what_was_skipped_and_a_scale_that_collapses_is_told(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(640, 6)), rng.normal(size=(640, 2))
    texts = []
    for name, size in (("well", 300.0), ("ill", 1e13)):
        path = tmp_path / f"{name}.npz"
        np.savez(path, x_train=x, y_train=size * y, x_test=x[:8], y_test=size * y[:8])
        texts.append(NETWORK.format(norm="", data=f"{{npz: {path}}}", more="float16"))
    result = train(load(write(texts[0])), tmp_path / "run", progress=False)
    for record in result.metrics:
        assert record["skipped_steps"] > 2 and record["loss_scale"] == 2.0 ** (16 - record["skipped_steps"])
    assert "loss scale" in scaling.said(result.metrics[0])
    with pytest.raises(SpecError) as caught:
        train(load(write(texts[1])), tmp_path / "other", progress=False)
    (error,) = caught.value.diagnostics
    assert error.code == "E520" and "gradients are not finite at step 31" in error.message
    assert any("bfloat16" in help for help in error.help)


def test_layers_with_long_sums_compute_in_float32(write: Write) -> None:
    """The mean of 4,096 numbers near 1000, and their deviations of 1, are not numbers of 16 bits."""
    text = """
input: {features: 4096}
layers: [layer_norm: {name: norm, scale: false, bias: false}]
train: {precision: float16}
"""
    steps = make_steps(load(write(text)), 1)
    x = 1000 + np.random.default_rng(0).integers(-1, 2, (2, 4096)).astype(np.float32)
    given = steps.pure.apply({}, {}, jnp.asarray(x), train=True, precision=jnp.float16)[0]
    expected = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    np.testing.assert_allclose(np.asarray(given), expected, 1e-3, 1e-3)
    assert jax.tree.leaves(given)[0].dtype == jnp.float32
