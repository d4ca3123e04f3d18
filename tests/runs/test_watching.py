"""Which state a run goes by, when it ends, and that all of it is the same however often it is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.cli import main
from archspec.loading import load
from archspec.runs.checkpoints import Checkpoints, last_arrays
from archspec.runs.folder import RunFolder
from archspec.runs.reading import opened, restored
from archspec.schedules.plateau import Plateau
from archspec.spec.train import EarlyStopping
from archspec.training.run import train
from archspec.watching import Figure, Patience, best_of, figures_of
from tests.runs.stopping import stopped_after

RECORDED = json.loads((Path(__file__).parents[1] / "pytorch" / "plateau.json").read_text())


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['mode']}-{case['options']}")
def test_a_plateau_is_pytorchs(case: dict[str, Any]) -> None:
    options = dict(case["options"])
    if "min_lr" in options:
        options["min"] = options.pop("min_lr")
    options["absolute"] = options.pop("threshold_mode", "rel") == "abs"
    following = Plateau(**options).follow("lower" if case["mode"] == "min" else "higher")
    assert [following.see(value) for value in case["values"]] == pytest.approx(case["factors"], rel=1e-12)


def records(*values: float | None, name: str = "loss") -> list[dict[str, Any]]:
    return [{"step": 10 * (at + 1), "validation": {name: value}} for at, value in enumerate(values)]


LOSS, RIGHT = Figure("loss", ("loss",), "lower"), Figure("top1", ("top1",), "higher")


def test_the_best_is_the_first_of_equals_in_its_own_direction() -> None:
    assert best_of(records(3, 1, 2, 1, None), LOSS) == 20
    assert best_of(records(0.3, 0.9, 0.2, 0.9, name="top1"), RIGHT) == 20
    assert best_of(records(3, 1, 2), LOSS, among=[10, 30]) == 30
    assert best_of(records(None, float("nan"), 5.0), LOSS) == 30
    assert best_of(records(None), LOSS) is None
    assert best_of(records(1.0), RIGHT) is None


@pytest.mark.parametrize(
    ("values", "least", "ended"),
    [
        ((3, 2, 2.5, 2.5), 0.0, [False, False, False, True]),
        ((3, 2, 2.5, 1.9, 1.95, 1.9), 0.0, [False, False, False, False, False, True]),
        ((3, 2.95, 2.9), 0.1, [False, False, True]),  # by no more than the difference, each
        ((3, 2.95, 2.8), 0.1, [False, False, False]),  # in sum, by more
        ((None, None, 1), 0.0, [False, True, False]),
    ],
)
def test_patience_ends_after_so_many_in_a_row(values: Any, least: float, ended: list[bool]) -> None:
    patience = Patience(EarlyStopping(patience=2, min_delta=least), LOSS)
    found = []
    for record in records(*values):
        patience.see(record)
        found.append(patience.ended)
    assert found == ended


def test_every_number_that_is_measured_can_be_gone_by() -> None:
    spec = load("lenet5")
    found = figures_of(spec.heads(), "output")
    assert {name: figure.better for name, figure in found.items()} == {
        "loss": "lower",
        "top1": "higher",
        "top5": "higher",
    }


NET = """archspec: 1
name: net
input: {height: 6, width: 6, channels: 1}
layers: [conv: {filters: 2, kernel: 3}, batch_norm, relu, flatten, dropout: 0.2, dense: 3]
train:
  dataset: {npz: %s}
  batch_size: 8
  epochs: 3
  optimiser: {sgd: {learning_rate: 0.1, momentum: 0.9}}
  schedule: {plateau: {patience: 0, factor: 0.5}}
  augment: [{random_crop: 1}]
  micro_batches: 2
  ema: 0.8
  evaluate_every: 4
  best: accuracy
  keep: 1
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("watching")
    numbers = np.random.default_rng(0)
    np.savez(place / "few.npz", x=numbers.integers(0, 256, (52, 6, 6), np.uint8), y=np.arange(52) % 3)
    (place / "net.yaml").write_text(NET % (place / "few.npz"))
    return place / "net.yaml"


def state_of(folder: Path) -> dict[str, Any]:
    """Digests of all arrays of the last state, its step, and the sums of its training."""
    checkpoints = Checkpoints(folder)
    assert checkpoints.latest is not None
    about = checkpoints.about(checkpoints.latest)
    return {name: value for name, value in about.items() if name in ("sha256", "step", "sums", "records")}


@pytest.fixture(scope="module")
def whole(spec: Path) -> Path:
    return train(load(spec), spec.parent / "whole", progress=False).folder


@pytest.mark.slow
def test_a_run_stopped_and_killed_within_epochs_ends_with_the_same_bits(spec: Path, whole: Path) -> None:
    """42 samples to train on are 6 steps an epoch: 4, 8, 12, 16 and 18 have records, some of them within an epoch."""
    folder = spec.parent / "cut"
    with stopped_after(3):
        train(load(spec), folder, progress=False)
    assert Checkpoints(folder).steps() == [3]
    assert not RunFolder(folder).metrics().records
    with stopped_after(0, within="__call__"):
        train(load(spec), folder, progress=False)
    assert Checkpoints(folder).steps() == [3, 4]  # the first evaluation has not been made
    assert not RunFolder(folder).metrics().records
    with stopped_after(7, killed=True):  # after step 11, and the last that is saved is 8
        train(load(spec), folder, progress=False)
    again = train(load(spec), folder, progress=False)
    assert [record["step"] for record in again.metrics] == [4, 8, 12, 16, 18]
    assert [record["epoch"] for record in again.metrics] == [0.6667, 1.3333, 2, 2.6667, 3]
    assert (folder / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert state_of(folder) == state_of(whole)
    rates = [record["learning_rate"] for record in again.metrics]
    assert rates[0] == pytest.approx(0.1) and rates[-1] < 0.1
    times = RunFolder(folder).times()
    assert sorted(times) == [4, 8, 12, 16, 18] and "seconds" not in again.metrics[0]


def test_whatever_uses_a_run_goes_by_its_best_state(whole: Path) -> None:
    run = RunFolder(whole)
    found = run.metrics().records
    values = [record["validation"]["top1"] for record in found]
    best = found[values.index(max(values))]["step"]
    assert set(Checkpoints(whole).steps()) == {best, 18}
    folder, spec = opened(whole)
    used, wanted = restored(folder, spec), last_arrays(whole, best)
    assert wanted.step == best
    assert all(np.array_equal(value, wanted.arrays[name]) for name, value in used.items())
    result = json.loads((whole / "result.json").read_text())
    assert (result["step"], result["top1"]) == (best, max(values))


@pytest.mark.slow
def test_a_run_that_ended_early_goes_on_with_more_patience(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "run")
    still = ["--set", "train.optimiser.sgd.learning_rate=1e-20", "--set", "train.schedule=constant"]
    command = ["train", str(spec), "--workdir", folder, *still, "--set", "train.best=null", "--set", "train.ema=null"]
    assert main([*command, "--set", "train.early_stopping=1", "--set", "train.evaluate_every.epochs=1"]) == 0
    out, err = capsys.readouterr()
    assert "training ends early: `loss` has not improved in 1 evaluation" in err or "after 3 epochs" in out
    steps = [record["step"] for record in RunFolder(tmp_path / "run").metrics().records]
    assert steps[0] == 6
    assert main([*command, "--set", "train.early_stopping=null", "--set", "train.evaluate_every.epochs=1"]) == 0
    err = capsys.readouterr().err
    assert "train.early_stopping.patience: 1 → nothing" in err
    assert [record["step"] for record in RunFolder(tmp_path / "run").metrics().records] == [6, 12, 18]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("best", "acuracy", "did you mean"),
        ("best", "psnr", "they measure loss and top1"),
        ("early_stopping.metric", "los", "did you mean `loss`?"),
        ("schedule.plateau.metric", "top2", "did you mean `top1`?"),
    ],
)
def test_figures_that_are_not_measured_are_answered_before_training(
    spec: Path, tmp_path: Path, field: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--set", "train.early_stopping.patience=3"] if field.startswith("early") else []
    command = [str(spec), *more, "--set", f"train.{field}={value}"]
    assert main(["validate", *command]) == 0
    assert "W307" in capsys.readouterr().err
    assert main(["train", *command, "--workdir", str(tmp_path / "run")]) == 1
    err = capsys.readouterr().err
    assert "E509" in err and words in err and "W307" not in err
    assert "to train on" not in err  # data, which may be many, are not read before
    assert not (tmp_path / "run").exists()
