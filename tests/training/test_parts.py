"""The three parts: what is trained on, what is measured after every epoch, and what is measured once, at the end."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archspec.cli import main
from archspec.data import loaded
from archspec.data.npz import Npz
from archspec.diagnostics import DataError, SpecError
from archspec.inference.evaluating import evaluate
from archspec.loading import load
from archspec.training.evaluation import Evaluator
from archspec.training.run import train

Write = Callable[..., Path]

NET = """
input: {height: 4, width: 4, channels: 1}
layers: [flatten, {dense: {name: out, units: 3}}]
train: {dataset: {npz: %s}, %s batch_size: 16, epochs: 2, optimiser: {sgd: 0.1}}
"""


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 samples of three classes of which 60 are to train on, the classes' shares 1/2, 1/3 and 1/6."""
    path = tmp_path_factory.mktemp("arrays") / "parts.npz"
    y = np.tile([0, 0, 0, 1, 1, 2], 15)
    x = np.random.default_rng(0).integers(0, 256, (90, 4, 4), dtype=np.uint8)
    np.savez(path, x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    return path


def test_a_share_is_of_every_class_and_by_the_seed(arrays: Path) -> None:
    dataset = Npz(path=str(arrays))
    whole, data, again, other = (loaded(dataset, *given) for given in ((), (0.2, 0), (0.2, 0), (0.2, 1)))
    assert whole.test is None and data.test is not None
    assert [len(split) for split in data.parts.values()] == [48, 12, 30]
    assert np.bincount(data.validation.labels).tolist() == [6, 4, 2]
    assert np.array_equal(data.test.images, whole.validation.images)
    assert np.array_equal(data.validation.images, again.validation.images)
    assert not np.array_equal(data.validation.images, other.validation.images)
    mine, rest = ({image.tobytes() for image in split.images} for split in (data.validation, data.train))
    assert not mine & rest and mine | rest == {image.tobytes() for image in whole.train.images}
    assert any("12 of 60 images to train on" in note and "30" in note for note in data.notes)
    with pytest.raises(DataError, match="no parts with names"):
        loaded(dataset, "val")


def test_the_test_part_is_measured_once_and_judged_by(
    write: Write, arrays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = []
    call = Evaluator.__call__

    def counted(self: Evaluator, *given: object) -> object:
        measured.append((self.whose, len(self.split)))
        return call(self, *given)

    monkeypatch.setattr(Evaluator, "__call__", counted)
    spec = write(NET % (arrays, "validation: 0.2,"))
    result = train(load(spec), tmp_path / "run")
    assert measured == [("validation", 12), ("validation", 12), ("test", 30)]
    assert capsys.readouterr().err.count("  validation: loss ") == 2
    written = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))
    assert written["part"] == result.part == "test" and written["test"] == result.test
    assert result.accuracy == written["accuracy"] == written["test"]["top1"]
    lines = result.summary().splitlines()
    assert lines[0].startswith("test accuracy ") and lines[1].startswith("validation accuracy ")
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert all("validation" in record and "test" not in record for record in records)
    # A finished run is not measured again; eval measures what it is asked for.
    assert train(load(spec), tmp_path / "run", progress=False).test == result.test and len(measured) == 3
    assert evaluate(tmp_path / "run") == pytest.approx(result.test)
    assert evaluate(tmp_path / "run", part="validation") == pytest.approx(result.validation)
    assert main(["eval", str(tmp_path / "run"), "--part", "train"]) == 0
    assert measured[3:] == [("test", 30), ("validation", 12), ("training", 48)]
    assert "training: loss " in capsys.readouterr().out


@pytest.mark.parametrize("chosen", [False, True])
def test_one_part_held_out_is_called_so(write: Write, arrays: Path, tmp_path: Path, chosen: bool) -> None:
    """Where it chose the state, that is said beside its figures, which then are no test's."""
    result = train(load(write(NET % (arrays, "best: loss," * chosen))), tmp_path / "run", progress=False)
    assert result.part == "validation" and result.test is None
    assert result.summary().startswith("held-out accuracy ")
    assert ("chosen by these figures" in result.summary()) is chosen
    shown = result._repr_html_()
    assert result.summary().splitlines()[0] in shown
    assert b64encode((tmp_path / "run" / "curves.png").read_bytes()).decode() in shown
    with pytest.raises(SpecError, match="no test part"):
        evaluate(tmp_path / "run", part="test")


@pytest.mark.parametrize("given", ["0", "1.5", "true", "[val]"])
def test_no_share_and_no_name(write: Write, arrays: Path, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(write(NET % (arrays, f"validation: {given},")))]) == 1
    assert "must be a share between 0 and 1, or the name" in capsys.readouterr().err


def test_what_is_in_two_parts_is_said_of_all_pairs(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 4, 4), dtype=np.uint8)
    x[19] = x[0]  # held out and trained on
    np.savez(tmp_path / "a.npz", x_train=x[:16], y_train=[0, 1] * 8, x_test=x[16:], y_test=[0, 1] * 2)
    (note,) = loaded(Npz(path=str(tmp_path / "a.npz"))).notes
    assert note == "1 held-out image of 4 is among those trained on too"
    notes = loaded(Npz(path=str(tmp_path / "a.npz")), 0.5, 0).notes[1:]
    where = {"1 test image of 4 is among those trained on too", "1 test image of 4 is in the validation part too"}
    assert len(notes) == 1 and notes[0] in where
