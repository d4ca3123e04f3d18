"""The four questions, asked in a terminal of its own; and a spec from its first question to what a run says."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.cli import main
from tests.starting.folders import digit_folder

pty = pytest.importorskip("pty")


def talk(folder: Path, words: list[str], answers: list[str]) -> tuple[int, str]:
    """Exit status and all that was said where each question gets the next answer, and one too many the input's end."""
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "archspec.cli", *words]
    child = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said, asked = b"", 0
    while select.select([terminal], [], [], 120)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other side has gone
            break
        if not piece:
            break
        said += piece
        if said.endswith(b": ") and said.count(b"]: ") > asked:
            asked = said.count(b"]: ")
            os.write(terminal, f"{answers.pop(0)}\n".encode() if answers else b"\x04")
    os.close(terminal)
    return child.wait(60), said.decode()


def test_questions_and_answers(tmp_path: Path) -> None:
    digit_folder(tmp_path / "my digits", {0: "null", 1: "eins"}, 10)
    answers = ["nowhere", "my digits", "resnet19", "", "ten", "20", "0", "3"]
    status, said = talk(tmp_path, ["new"], answers)
    assert status == 0 and not answers, said
    assert "there is no folder or file nowhere" in said
    assert "20 images of 2 classes" in said
    assert "there is no network resnet19 in the zoo" in said and "did you mean `resnet18`?" in said
    assert "'ten' is no size such as 64x64" in said
    assert "0 is no number of epochs" in said
    assert "archspec train my_digits.yaml" in said
    spec = archspec.load(tmp_path / "my_digits.yaml")
    assert spec.train is not None and spec.train.epochs == 3
    assert (spec.images["input"].height, spec.images["input"].width) == (20, 20)


def test_the_column_and_the_end(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number * 2},{number % 2}\n" for number in range(20))
    (tmp_path / "small.csv").write_text("a,b,label\n" + rows)
    status, said = talk(tmp_path, ["new", "mine.yaml"], ["small.csv", "c", "b", "", "7"])
    assert status == 0 and "there is no column c" in said and "3. the input's size is that of the data" in said
    spec = archspec.load(tmp_path / "mine.yaml")
    assert spec.train is not None and spec.train.dataset.targets == {"label": ("b",)}  # type: ignore[attr-defined]
    status, said = talk(tmp_path, ["new", "other.yaml", "--data", "small.csv", "--target", "label"], [])
    assert status == 1 and "nothing was written" in said
    assert not (tmp_path / "other.yaml").exists()


@pytest.mark.slow
def test_from_the_first_question_to_what_a_run_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digit_folder(tmp_path / "digits", {0: "null", 1: "eins", 7: "sieben"}, 80)
    assert main(["new", "--data", "digits", "--epochs", "12", "--yes"]) == 0
    assert main(["data", "check", "digits.yaml"]) == 0
    assert "training would begin with these data" in capsys.readouterr().out
    assert main(["train", "digits.yaml"]) == 0
    assert main(["eval", "runs/digits"]) == 0
    files = sorted((tmp_path / "digits").rglob("*.png"))
    capsys.readouterr()
    assert main(["predict", "runs/digits", str(files[-1])]) == 0
    assert files[-1].parent.name in capsys.readouterr().out
    answers = archspec.open(tmp_path / "runs" / "digits").predict([str(path) for path in files])
    assert np.mean([own == path.parent.name for own, path in zip(answers.labels, files, strict=True)]) > 0.9

    # Weights of a run, for other classes: all but those of the last layer.
    assert main(["new", "base.yaml", "--data", "digits", "--network", "lenet5", "--epochs", "1", "--yes"]) == 0
    assert main(["train", "base.yaml", "--workdir", "runs/base"]) == 0
    digit_folder(tmp_path / "others", {3: "drei", 4: "vier"}, 40)
    words = ["--data", "others", "--network", "lenet5", "--weights", "runs/base", "--yes"]
    assert main(["new", "tuned.yaml", *words]) == 0
    spec = archspec.load("tuned.yaml")
    assert spec.train is not None and spec.train.init_from is not None and spec.train.init_from.exclude == ("output",)
    assert main(["train", "tuned.yaml", "--set", "train.epochs=1"]) == 0
    capsys.readouterr()
    # A larger input makes a larger layer of it: weights that do not fit are refused before anything is written.
    assert main(["new", "larger.yaml", *words, "--size", "48x48"]) == 1
    assert "E537" in capsys.readouterr().err and not (tmp_path / "larger.yaml").exists()
