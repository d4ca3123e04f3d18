"""Losses against PyTorch (tests/losses/record.py made the record), and against what they say of themselves."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from archspec.diagnostics import DataError
from archspec.kinds import KindOf, kind_names
from archspec.losses import Loss
from archspec.losses.sum import Sum
from tests.losses.cases import CASES, LABELS, MASK, numbers

RECORD = json.loads((Path(__file__).parent / "recorded.json").read_text("utf-8"))


def loss_of(written: Any) -> Loss:
    return cast("Loss", KindOf("losses")(written))


def mean(loss: Loss, output: jax.Array, target: Any) -> jax.Array:
    """The loss of a batch by its terms, as training adds them up."""
    total = jnp.zeros(())
    for term, share in loss.terms:
        losses, weights = term.build()(output, jnp.asarray(target))
        assert losses.shape == weights.shape
        total = total + share * losses.sum() / weights.sum()
    return total


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(name: str) -> None:
    case, recorded = CASES[name], RECORD[name]
    loss = loss_of(case.loss)
    value, gradient = jax.jit(jax.value_and_grad(lambda output: mean(loss, output, case.target)))(
        numbers(case.shape, 0.5)
    )
    assert float(value) == pytest.approx(recorded["value"], rel=2e-6)
    expected = np.reshape(recorded["gradient"], case.shape)
    assert np.abs(np.asarray(gradient) - expected).max() <= 5e-6 * max(1, np.abs(expected).max())


def test_every_loss_has_a_case() -> None:
    compared = {next(iter(case.loss)) if isinstance(case.loss, dict) else case.loss for case in CASES.values()}
    assert compared == set(kind_names("losses"))


@pytest.mark.parametrize("name", CASES)
def test_the_loss_does_not_depend_on_batches(name: str) -> None:
    """Sums over any two parts add up to those of the whole, and what does not count changes nothing."""
    case = CASES[name]
    output = numbers(case.shape, 0.5)
    nothing = np.full_like(case.target, -1 if case.target.dtype.kind == "i" else np.nan)
    for term, _ in loss_of(case.loss).terms:
        build = term.build()

        def of_nothing(x: jax.Array, nothing: jax.Array, build: Any = build) -> tuple[jax.Array, Any]:
            losses, weights = build(x, nothing)
            return losses.sum(), (losses, weights)

        @jax.jit  # in one program: each operation alone would be compiled as one
        def computed(output: jax.Array, target: jax.Array, nothing: jax.Array, build: Any = build) -> Any:
            parts = [build(output[part], target[part]) for part in (slice(0, 1), slice(1, None))]
            return build(output, target), parts, jax.grad(of_nothing, has_aux=True)(output, nothing)

        whole, halves, (gradient, none) = jax.tree.map(np.asarray, computed(output, case.target, nothing))
        sums = [float(sum(half[index].sum() for half in halves)) for index in (0, 1)]
        assert [float(part.sum()) for part in whole] == pytest.approx(sums, rel=1e-5)
        assert not any(part.any() for part in none)
        assert not gradient.any()


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("cross_entropy", [[1, 0, 0]]),
        ({"focal": 1}, [[1, 0, 0]]),
        ("hinge", [[1, 0, 0]]),
        ({"focal": {"apply": "sigmoid", "gamma": 0}}, [[0, 0, 0]]),
        ("binary_cross_entropy", [[0, 0, 0]]),
    ],
)
def test_the_least_loss_of_bounded_outputs(written: Any, right: list[list[float]]) -> None:
    """The best that outputs from 0 to 1 can do; where labels are apart, at the worst of yes and no."""
    loss = loss_of(written)
    target = np.array([0] if right[0][0] else [[0.0, 0, 0]])
    found = jax.jit(lambda output: mean(loss, output, target))(np.array(right, np.float32))
    assert loss.least(0, 1, 3) == pytest.approx(float(found), rel=1e-5)
    assert loss.least(-1e4, 1e4, 3) < 1e-6


def test_dice_of_right_and_wrong_guesses() -> None:
    labels = np.array([[[0, 1], [1, 1]]])
    sure = 100 * np.eye(2, dtype=np.float32)[labels]
    dice = loss_of({"dice": {"smooth": 0}})
    of_labels = jax.jit(jax.value_and_grad(lambda output: mean(dice, output, labels)))
    assert float(of_labels(sure)[0]) == pytest.approx(0, abs=1e-6)
    assert float(of_labels(-sure)[0]) == pytest.approx(1)
    # All pixels 1: of class 0 nothing is right, of class 1 2·3/(4 + 3).
    assert float(of_labels(np.full_like(sure, [0, 100]))[0]) == pytest.approx(1 - 6 / 7 / 2)
    # A class that is neither there nor guessed is right, with `smooth` or without.
    value, gradient = of_labels(np.concatenate([sure, np.full((1, 2, 2, 1), -1000, np.float32)], -1))
    assert float(value) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(gradient).all()
    assert dice.least(0, 1, 2) == pytest.approx(1 - 2 * (p := 1 / (1 + np.exp(-1))) / (1 + p * p))


@pytest.mark.slow
def test_a_sum_is_one_of_terms() -> None:
    """Cross-entropy counts pixels and Dice images: their sum is that of two means, of one batch too."""
    written = {"sum": {"losses": ["cross_entropy", {"sum": ["dice"]}], "weights": [1, 0.5]}}
    loss = loss_of(written)
    assert [(term.kind, share) for term, share in loss.terms] == [("cross_entropy", 1), ("dice", 0.5)]
    output, target = jnp.asarray(numbers((3, 2, 3, 3), 1.0)), jnp.asarray(MASK)
    apart = mean(loss_of("cross_entropy"), output, target) + 0.5 * mean(loss_of("dice"), output, target)
    value, weight = loss.build()(output, target)
    assert float(value / weight) == pytest.approx(float(apart))
    assert float(mean(loss, output, target)) == pytest.approx(float(apart))
    assert loss_of(loss.to_plain()) == loss
    assert loss.link == "softmax"
    assert loss.least(0, 0, 3) == pytest.approx(log(3) + 0.5 * loss_of("dice").least(0, 0, 3))
    fitted = loss_of({"sum": [{"cross_entropy": {"class_weights": "median_frequency"}}, "dice"]}).fitted(MASK, 3)
    weights = cast("Any", cast("Sum", fitted).losses[0]).class_weights
    assert isinstance(weights, tuple)
    assert len(weights) == 3


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"sum": []}, "at least 1 item"),
        ({"sum": ["cross_entropy", "binary_cross_entropy"]}, "all must apply the same"),
        ({"sum": {"losses": ["mse"], "weights": [1, 2]}}, "`weights` has 2 numbers for 1 loss"),
        ({"focal": {"alpha": 0.25}}, "`alpha` goes with"),
        ({"focal": {"apply": "sigmoid", "class_weights": [1]}}, "`class_weights` go with"),
        ({"hinge": 3}, "1 or 2"),
    ],
)
def test_fields_that_do_not_go_together(written: Any, words: str) -> None:
    with pytest.raises(ValidationError) as error:
        loss_of(written)
    assert words in str(error.value)


def test_fitting_to_the_data() -> None:
    with pytest.raises(DataError, match="`pos_weight` has 2 numbers"):
        loss_of({"binary_cross_entropy": {"pos_weight": [1, 2]}}).fitted(np.zeros((4, 3)), 3)
    with pytest.raises(DataError, match="`class_weights` has 2 numbers, but the data has 5 classes"):
        loss_of({"focal": {"class_weights": [1, 2]}}).fitted(LABELS, 5)
    with pytest.raises(DataError, match="shares of classes"):
        loss_of({"cross_entropy": {"class_weights": "median_frequency"}}).fitted(np.zeros((4, 3), np.float32), 3)
    assert loss_of("mse").fitted(LABELS, 5) == loss_of("mse")
