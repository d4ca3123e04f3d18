"""What streaming adds: all is read once before the first step, and what goes bad after that is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import archspec
from archspec.cli import main
from archspec.data import Data
from archspec.diagnostics import SpecError
from archspec.survey import known
from archspec.training import reading, run
from tests.survey.test_check import pets


def streamed(file: Path, **train: Any) -> Path:
    text = yaml.safe_load(file.read_text("utf-8"))
    text["train"].update({"stream": "always", "workers": 0, "batch_size": 4, **train})
    made = file.with_name(f"{text['train']['stream']}.yaml")
    made.write_text(yaml.safe_dump(text), "utf-8")
    return made


def test_damaged_files_are_named_before_the_first_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = streamed(pets(tmp_path))
    assert main(["train", str(file), "--workdir", str(tmp_path / "run")]) == 1
    told = capsys.readouterr().err
    assert "2 of 16 samples cannot be read" in told and "cat/1.png" in told and "dog/4.png" in told
    assert not (tmp_path / "run").exists()
    assert main(["data", "check", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert sorted(Path(own["name"]).name for own in found["unreadable"]) == ["1.png", "4.png"]


def test_skip_gives_the_same_run_streamed_and_from_memory_and_files_are_known_the_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "MARGIN", -1e9)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = pets(tmp_path, {"on_error": "skip"})
    records = []
    for name, own in (("memory", streamed(file, stream="never")), ("streamed", streamed(file))):
        assert main(["train", str(own), "--workdir", str(tmp_path / name)]) == 0
        about = json.loads((tmp_path / name / "run.json").read_text("utf-8"))
        record = json.loads((tmp_path / name / "metrics.jsonl").read_text("utf-8").splitlines()[0])
        losses = record["train"]["loss"], record["validation"]["loss"]
        records.append((about["data_sha256"], about["left_out"], *losses))
    assert records[0] == records[1]
    assert "known from an earlier reading" not in capsys.readouterr().err
    assert main(["train", str(streamed(file)), "--workdir", str(tmp_path / "again")]) == 0
    assert "note: 6 of 16 samples of pets are known from an earlier reading" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_goes_bad_after_it_was_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    file = streamed(pets(tmp_path, {"on_error": "skip"}), workers=workers)
    whole = reading.read_once

    def then_damaged(data: Data, **ways: Any) -> Data:
        made = whole(data, **ways)
        (tmp_path / "pets" / "train" / "dog" / "2.png").unlink()
        return made

    monkeypatch.setattr(run, "read_once", then_damaged)
    with pytest.raises(SpecError) as error:
        archspec.train(archspec.load(file), tmp_path / "run", progress=False)
    (item,) = error.value.diagnostics
    assert item.code == "E521" and "dog/2.png" in item.message
