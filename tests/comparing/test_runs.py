"""Run folders side by side, from their files alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec import diff, load
from archspec.cli import main

SPEC = """archspec: 1
name: net
input: {height: 8, width: 8, channels: 1}
layers: [flatten, {dense: {units: 10}}]
train: {epochs: 4, best: top1, optimiser: {adam: 0.001}}
"""

Make = Callable[..., Path]


def record(step: int, loss: float, top1: float) -> dict[str, Any]:
    measured = {"loss": loss, "top1": top1, "top5": 1.0, "outputs": {"other": {"mae": 2.0}}}
    return {"epoch": step // 10, "step": step, "train": {"loss": loss, "accuracy": top1}, "validation": measured}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes the folder of a run, as training leaves it."""

    def made(name: str, spec: str = SPEC, result: bool = True, records: Any = None, **about: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (tmp_path / "net.yaml").write_text(spec)
        try:
            (folder / "spec.yaml").write_text(load(tmp_path / "net.yaml").to_yaml())
        except Exception:
            (folder / "spec.yaml").write_text(spec)
        versions = {"archspec": "0.1.0", "python": "3.11.7", "packages": {"jax": "0.10.2", "numpy": "2.0.0"}}
        (folder / "run.json").write_text(json.dumps({**versions, "devices": ["cpu cpu"], "cores": 2, **about}))
        lines = records if records is not None else [record(10, 2.0, 0.5), record(20, 1.0, 0.9), record(30, 0.8, 0.7)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"half')
        if result:
            (folder / "result.json").write_text(json.dumps({"part": "test", "step": 20, "test": {"top1": 0.85}}))
        return folder

    return made


def test_figures_are_those_of_the_best_step_of_each_part(make: Make) -> None:
    one = make("one")
    other = make("other", records=[record(10, 2.0, 0.5), record(20, 1.5, 0.95)])
    runs = diff(one, other).networks[0].runs
    assert runs is not None
    found = {(row.part, row.name): (row.before, row.after, row.winner) for row in runs.figures}
    assert found == {
        ("train", "loss"): (1.0, 1.5, "before"),
        ("train", "accuracy"): (0.9, 0.95, "after"),
        ("validation", "loss"): (1.0, 1.5, "before"),
        ("validation", "top1"): (0.9, 0.95, "after"),
        ("validation", "top5"): (1.0, 1.0, None),
        ("validation", "other.mae"): (2.0, 2.0, None),
        ("test", "top1"): (0.85, 0.85, None),
    }
    assert (runs.before.step, runs.before.why) == (20, "the best by top1")


def test_a_run_that_goes_on_has_its_best_so_far(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = make("one", result=False), make("other", result=False, records=[])
    assert main(["diff", str(one), str(other)]) == 0
    out = capsys.readouterr().out
    assert "step 20, epoch 2 of 3: the best by top1 so far; the run is not finished" in out
    assert "after: no evaluation yet" in out


def test_losses_of_two_functions_are_not_better_or_worse(make: Make) -> None:
    other = SPEC.replace("epochs: 4", "epochs: 4, loss: {cross_entropy: {label_smoothing: 0.1}}")
    runs = diff(make("one"), make("other", other, records=[record(20, 0.1, 0.9)])).networks[0].runs
    assert runs is not None and not runs.one_scale
    assert {row.winner for row in runs.figures if row.name == "loss"} == {None}


def test_versions_devices_and_data(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    one = make("one", data_sha256="a", classes=["x", "y"])
    other = make(
        "other", data_sha256="b", classes=["x", "z"], cores=8, packages={"jax": "0.12.0"}, devices=["gpu H200"]
    )
    runs = diff(one, other).networks[0].runs
    assert runs is not None and runs.same_data is False
    assert [(item.name, item.before, item.now) for item in runs.versions] == [
        ("jax", "0.10.2", "0.12.0"),
        ("numpy", "2.0.0", ""),
        ("devices", "cpu cpu", "gpu H200"),
        ("cores", "2", "8"),
    ]
    assert main(["diff", str(one), str(other)]) == 0
    out = capsys.readouterr().out
    assert "classes: [x, y] → [x, z]" in out and "they were trained on other samples" in out


def test_a_run_beside_its_spec_as_it_is_now(make: Make, tmp_path: Path) -> None:
    folder = make("one")
    (network,) = diff(folder, tmp_path / "net.yaml").networks
    assert network.state == "same"
    (tmp_path / "net.yaml").write_text(SPEC.replace("0.001", "0.01"))
    (changed,) = diff(folder, tmp_path / "net.yaml").networks[0].settings.changed
    assert (changed.path, changed.old, changed.new) == ("train.optimiser.adam.learning_rate", 0.001, 0.01)


def test_runs_whose_specs_cannot_be_read_any_more(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings are compared as texts then, and figures all the same."""
    one, other = make("one"), make("other")
    text = (other / "spec.yaml").read_text().replace("epochs: 4", "epochs: 7\n  formerly: 3")
    (other / "spec.yaml").write_text(text)
    assert main(["diff", str(one), str(other)]) == 1
    out = capsys.readouterr().out
    assert "E201" in out and "train.epochs" in out and "top1" in out
    (other / "spec.yaml").write_text("a: [")
    assert main(["diff", str(one), str(other)]) == 1
    assert "E104" in capsys.readouterr().out


def test_damaged_folders_are_told_of(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = make("one"), make("other")
    (other / "run.json").write_text("[]")
    (other / "result.json").write_bytes(b"\xff")
    assert main(["diff", str(one), str(other)]) == 0
    (other / "metrics.jsonl").write_text(json.dumps({"epoch": 1, "step": 1, "train": {}, "test": {}}) + "\n")
    assert main(["diff", str(one), str(other)]) == 1
    assert "E513" in capsys.readouterr().err
    shutil.rmtree(other)
    assert main(["diff", str(one), str(other)]) == 1
    assert main(["diff", str(one)]) == 1
    assert "with what is it to be compared" in capsys.readouterr().err


def test_predictions_need_two_runs(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "lenet5", "lenet1", "--predictions"]) == 1
    assert "predictions are those of two runs" in capsys.readouterr().err
    assert main(["diff", str(make("one")), str(make("other")), "--predictions"]) == 1
    assert "E513" in capsys.readouterr().err, "there are no weights"
