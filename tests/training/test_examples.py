"""Examples with several inputs: drawn, trained for a few steps, and measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archspec.cli import main

FOLDER = Path(__file__).parents[2] / "specs" / "examples"


@pytest.mark.parametrize(("name", "dataset"), [("digit_and_number", "digit_sums")])
def test_examples_with_several_inputs_are_drawn_trained_and_evaluated(
    name: str, dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = str(FOLDER / f"{name}.yaml")
    assert main(["draw", spec, "--output", str(tmp_path / "net.svg")]) == 0
    assert "<svg" in (tmp_path / "net.svg").read_text("utf-8")
    few = [f"train.dataset.{dataset}.train=100", f"train.dataset.{dataset}.test=20", "train.epochs=2"]
    run = str(tmp_path / "run")
    options = [word for setting in few for word in ("--set", setting)]
    assert main(["train", spec, "--workdir", run, *options]) == 0
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert records[1]["train"]["loss"] < records[0]["train"]["loss"]
    capsys.readouterr()
    assert main(["eval", run, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["loss"] == pytest.approx(records[1]["test"]["loss"], rel=1e-5)
