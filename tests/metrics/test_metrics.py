"""Metrics against scikit-learn and torchmetrics (tests/metrics/record.py made the record)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.diagnostics import DataError
from archspec.kinds import KindOf, kind_names
from archspec.losses import Loss
from archspec.metrics import Metric, Values, add
from archspec.metrics.top_k import rank_of
from archspec.types import TensorType
from tests.metrics.cases import CASES, GUESSES, LABELS, LOGITS, VALUES, Case

RECORD = json.loads((Path(__file__).parent / "recorded.json").read_text("utf-8"))


def metric_of(written: Any) -> Metric:
    return cast("Metric", KindOf("metrics")(written))


def measured(case: Case, cuts: tuple[int, ...] = ()) -> Values:
    """The figures of a case, in batches that end at these samples."""
    metric, loss = metric_of(case.metric), cast("Loss", KindOf("losses")(case.loss))
    per_batch = jax.jit(metric.build(loss))
    starts = (0, *cuts)
    parts = [slice(start, stop) for start, stop in zip(starts, (*cuts, len(case.output)), strict=True)]
    batches = [per_batch(jnp.asarray(case.output[part]), jnp.asarray(case.target[part])) for part in parts]
    return metric.result(add(metric, jax.device_get(batches)))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("cuts", [(), (1, 2)])
def test_figures_are_theirs(name: str, cuts: tuple[int, ...]) -> None:
    case, recorded = CASES[name], RECORD[name]
    metric, values = metric_of(case.metric), measured(case, cuts)
    assert values[metric.headline] == pytest.approx(recorded["mean"], rel=2e-6)
    lists = [value for value in values.values() if isinstance(value, list)]
    if "each" in recorded:
        assert lists[0] == [None if value is None else pytest.approx(value) for value in recorded["each"]]
    if "pixels" in recorded:
        assert values["pixel_accuracy"] == pytest.approx(recorded["pixels"])
    json.dumps(values, allow_nan=False)
    assert metric.said(values).count(metric.number(values[metric.headline])) == 1
    names = [f"n{index}" for index in range(4)]
    lines = metric.table(values, names)
    assert len(lines) == (len(lists[0]) if lists else 0)
    assert all(line.split()[0] == (f"n{index}" if index < 4 else str(index)) for index, line in enumerate(lines))
    if lists and None in lists[0]:
        assert f"over {len([value for value in lists[0] if value is not None])} of" in metric.summary(values, names)


def test_every_metric_has_a_case() -> None:
    compared = {next(iter(case.metric)) if isinstance(case.metric, dict) else case.metric for case in CASES.values()}
    assert compared == set(kind_names("metrics"))


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_count_changes_nothing(name: str) -> None:
    case = CASES[name]
    nothing = np.full_like(case.target, -1 if case.target.dtype.kind == "i" else np.nan)
    more = case._replace(
        output=np.concatenate([case.output, -case.output]), target=np.concatenate([case.target, nothing])
    )
    for figure, value in measured(more).items():
        own = measured(case)[figure]
        assert value == (own if isinstance(own, list) else pytest.approx(own, rel=1e-6))
    headline = metric_of(case.metric).headline
    empty = measured(case._replace(target=nothing))[headline]
    assert empty is None


def test_shares_of_classes_are_judged_by_the_largest() -> None:
    shares = 0.1 + 0.5 * np.eye(7, dtype=np.float32)[np.maximum(LABELS, 0)]
    shares[LABELS < 0] = np.nan
    for name in ("top3", "accuracy", "recall"):
        case = Case(CASES[name].metric, "cross_entropy", LOGITS, shares)
        assert measured(case) == measured(CASES[name]._replace(loss="cross_entropy"))


def test_the_spread_of_numbers_far_from_0() -> None:
    """R² of targets whose squares leave single precision no digits: 1e6 ± 1."""
    far = VALUES + np.float32(1e6)
    near = far - 1e6  # what single precision kept of it
    case = CASES["r2"]
    moved = case._replace(output=far + np.float32(0.5), target=far)
    expected = 1 - np.nanmean(np.array([0.25, 0.25]) / np.nanvar(near, axis=0))
    for cuts in ((), (3, 9)):
        assert measured(moved, cuts)["r2"] == pytest.approx(expected, rel=1e-4)
    alike = case._replace(target=np.full_like(VALUES, 3))
    assert measured(alike)["r2"] is None


def test_psnr_in_units_of_the_input() -> None:
    """Pixels over a standard deviation have errors in units of it; the peak is that of the range."""
    metric = metric_of("psnr").of_input((0.0, 255.0), (50.0, 2.0))
    output = jnp.asarray(GUESSES)
    target = output - 0.1
    sums = metric.build(cast("Loss", KindOf("losses")("mse")))(output, target)
    found = metric.result(add(metric, [jax.device_get(sums)]))["psnr"]
    assert found == pytest.approx(10 * np.log10(255**2 / ((5**2 + 0.2**2) / 2)), rel=1e-4)
    assert metric_of({"psnr": 1.0}).of_input((0.0, 255.0), None) == metric_of({"psnr": 1.0})
    exact = metric.result({"error": np.zeros(()), "count": np.array(3.0)})["psnr"]
    assert exact == pytest.approx(200)


@pytest.mark.parametrize(
    ("written", "shape", "words"),
    [
        ("psnr", (4, 4, 1), "needs the peak"),
        ({"psnr": {"peak": 1, "std": [1, 2]}}, (4, 4, 3), "2 numbers for 3 channels"),
        ({"top_k": 5}, (5,), "of 5 classes is always right"),
    ],
)
def test_metrics_that_say_nothing(written: Any, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        metric_of(written).check(TensorType(shape))


def test_of_equal_outputs_the_first_class_comes_first() -> None:
    rank = rank_of(jnp.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [jnp.nan, 0.0, 0.0]]), jnp.array([0, 1, 0]))
    assert rank.tolist() == [0, 1, 3]
