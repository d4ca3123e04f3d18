"""What the compiled step does beside a plain one, each against a computation of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.inference.run import Run
from archspec.kinds import find_kind, kind_names
from archspec.loading import load
from archspec.runs.checkpoints import AVERAGED, last_arrays
from archspec.training.feeding import Batch
from archspec.training.freezing import NOTHING
from archspec.training.objective import Objective
from archspec.training.run import train
from archspec.training.steps import State, Steps, make_steps, weights_of

Write = Callable[..., Path]

HEADS = """
input: {{features: 6}}
layers:
  - dense: {{name: body, units: 8}}
  - tanh
  - dense: {{name: kind, units: 3}}
  - dense: {{name: size, units: 2, from: tanh1}}
outputs:
  kind: {{from: kind, target: kind, loss: {{cross_entropy: {{class_weights: [1, 4, 0.5], label_smoothing: 0.1}}}}}}
  size: {{from: size, target: size, task: regression, loss: {{sum: [mse, huber]}}, weight: 0.3}}
train: {{batch_size: 16, epochs: 1, optimiser: {{sgd: {{learning_rate: 0.5, momentum: 0}}}}{more}}}
"""


def labelled() -> Batch:
    """A batch whose labels lie in one quarter of it, but for three; the last quarter has none, as what fills up."""
    rng = np.random.default_rng(3)
    kind = np.where(np.arange(16) // 4 == 1, rng.integers(0, 3, 16), -1).astype(np.int32)
    size = np.where(np.arange(16)[:, None] % 16 < 7, rng.normal(size=(16, 2)), np.nan).astype(np.float32)
    kind[[0, 8, 9]] = [1, 2, 1]
    size[10, 1] = 3.0
    x = rng.normal(size=(16, 6)).astype(np.float32)
    return Batch({"input": jnp.asarray(x)}, {"kind": jnp.asarray(kind), "size": jnp.asarray(size)}, jnp.arange(16))


def stepped(steps: Steps, batch: Batch, times: int = 1) -> tuple[State, Any]:
    state, figures = steps.initial(None), None
    for _ in range(times):
        state, figures = steps.train(state, batch)
    return state, figures


def test_micro_batches_are_one_batch_however_labels_lie(write: Write) -> None:
    """Plain means over the parts would weigh the three labels of other quarters as much as the four of the second."""
    batch, found = labelled(), {}
    for parts in (1, 4):
        steps = make_steps(load(write(HEADS.format(more=f", micro_batches: {parts}"))), 1)
        found[parts] = stepped(steps, batch, 3)
        assert cast(Any, steps.train)._cache_size() == 1
    moved = max(float(jnp.abs(value).max()) for value in found[1][0]["params"].values())
    assert moved > 0.1
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, 2e-5, 2e-6), found[1], found[4])


@pytest.mark.slow
def test_the_loss_that_a_line_search_asks_for_is_that_of_the_gradients(write: Write) -> None:
    for parts in (1, 4):
        spec = load(write(HEADS.format(more=f", micro_batches: {parts}")))
        steps = make_steps(spec, 1)
        state = steps.initial(None)
        objective = Objective(spec.graph(), spec.heads(), steps.pure, NOTHING, parts)
        given = (state["params"], state["params"], state["statistics"], steps.prepare(state, labelled()))
        gradients, found = jax.jit(objective.gradients)(*given)
        value, slopes = jax.jit(jax.value_and_grad(objective.value))(*given)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, 1e-5, 1e-6), (found.loss, gradients), (value, slopes)
        )


def test_a_batch_without_equal_parts_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="`batch_size` 16 has no 3 equal `micro_batches`"):
        load(write(HEADS.format(more=", micro_batches: 3")))
    few = tmp_path / "few.npz"
    np.savez(few, x_train=np.ones((3, 6)), y_train=[0, 1, 1], x_test=np.ones((1, 6)), y_test=[0])
    text = (
        "input: {{features: 6}}\nlayers: [dense: 2]\ntrain: {{dataset: {{npz: {}}}, batch_size: 8, micro_batches: 4}}"
    )
    with pytest.raises(SpecError, match="a batch of 3 samples, which is all there is to train on, has no 4"):
        train(load(write(text.format(few))), tmp_path / "run", progress=False)


@pytest.mark.parametrize("kind", [kind for kind in kind_names("losses") if kind != "sum"])
def test_what_labels_weigh_depends_on_targets_alone(kind: str) -> None:
    """Otherwise the weights of a batch could not be known before its parts have gone through the network."""
    loss: Any = find_kind("losses", kind)
    rng = np.random.default_rng(0)
    outputs = jnp.asarray(rng.normal(size=(5, 4, 3)), jnp.float32)
    truths = jnp.asarray(np.where(rng.random((5, 4, 3)) < 0.2, np.nan, rng.integers(0, 2, (5, 4, 3))), jnp.float32)
    classes = jnp.asarray(rng.integers(-1, 3, (5, 4)), jnp.int32)
    for term, _ in loss.plain_default().terms:
        target = classes if "classes" in term.forms else truths
        weights = [np.asarray(term.build()(output, target)[1]) for output in (outputs, jnp.zeros_like(outputs))]
        assert weights[0].any() and (weights[0] == weights[1]).all()


NORMED = """
input: {{features: 6}}
layers: [dense: {{name: a, units: 4}}, batch_norm: {{name: norm}}, relu, dense: {{name: b, units: 3}}]
train: {{dataset: {data}, batch_size: 16, epochs: 3, optimiser: {{sgd: {{learning_rate: 0.5}}}}{more}}}
"""


def batch_of_kinds() -> Batch:
    batch = labelled()
    return batch._replace(targets={"label": batch.targets["kind"]})


@pytest.mark.parametrize("warmup", [False, True])
def test_averages_are_those_computed_by_hand(write: Write, warmup: bool) -> None:
    more = f", ema: {{decay: 0.7, warmup: {str(warmup).lower()}}}, init_from: {{path: none, freeze: [b]}}"
    steps = make_steps(load(write(NORMED.format(data="mnist5k", more=more))), 1)
    state, batch = steps.initial(None), batch_of_kinds()

    def plain(parts: Any) -> dict[str, np.ndarray]:
        return {
            name: np.asarray(value, np.float64)
            for part in ("params", "statistics")
            for name, value in parts[part].items()
        }

    average = plain(state)
    for step in range(1, 8):
        state, _ = steps.train(state, batch)
        decay = min(0.7, (1 + step) / (10 + step)) if warmup else 0.7
        average = {name: decay * average[name] + (1 - decay) * value for name, value in plain(state).items()}
        for name, value in plain(state["ema"]).items():
            np.testing.assert_allclose(value, average[name], 1e-5, 1e-6, err_msg=name)
    assert cast(Any, steps.train)._cache_size() == 1
    assert weights_of(state) == (state["ema"]["params"], state["ema"]["statistics"])
    assert not np.allclose(plain(state)["norm.mean"], average["norm.mean"], rtol=0.01)


@pytest.mark.slow
def test_a_run_ends_with_its_averages(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(48, 6)).astype(np.float32), rng.integers(0, 3, 48)
    np.savez(tmp_path / "data.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    data = f"{{npz: {tmp_path / 'data.npz'}}}"
    spec = load(write(NORMED.format(data=data, more=", ema: 0.9, micro_batches: 2")))
    result = train(spec, tmp_path / "run", progress=False)
    plain = train(load(write(NORMED.format(data=data, more=", micro_batches: 2"))), tmp_path / "plain", progress=False)
    saved = last_arrays(tmp_path / "run")
    arrays = saved.arrays
    assert saved.notes == [AVERAGED] and last_arrays(tmp_path / "plain").notes == []
    run = Run(tmp_path / "run")
    for name, value in {**result.params, **result.statistics}.items():
        assert (arrays[name] == np.asarray(value)).all()
    assert all((run.params[name] == value).all() for name, value in result.params.items())
    # The steps themselves are the same; what is evaluated is not.
    assert [record["train"] for record in result.metrics] == [record["train"] for record in plain.metrics]
    assert result.validation["loss"] != plain.validation["loss"]
    assert run.evaluate()["loss"] == pytest.approx(result.validation["loss"], rel=1e-6)
