"""Runs that are taken up: longer, on other ground, or after damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.diagnostics import SpecError
from archspec.inference.evaluating import evaluate
from archspec.loading import load
from archspec.runs.checkpoints import Checkpoints
from archspec.runs.folder import RunFolder
from archspec.runs.reading import best_step, opened, restored
from archspec.training import loop as module
from archspec.training.result import Result
from archspec.training.run import train
from archspec.training.steps import steps_of
from tests.runs.stopping import stopped_after

NET = """archspec: 1
name: net
input: {height: 4, width: 4, channels: 1}
layers: [flatten, dense: 3]
train: {dataset: {npz: %s}, batch_size: 8, epochs: %d, optimiser: {sgd: {learning_rate: 0.1}}, schedule: %s}
"""


def equal(a: Any, b: Any) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in {*a, *b})


def code(error: pytest.ExceptionInfo[SpecError]) -> str:
    return error.value.diagnostics[0].code


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def data(place: Path) -> Path:
    random = np.random.default_rng(0)
    np.savez(place / "few.npz", x=random.integers(0, 256, (24, 4, 4), np.uint8), y=np.arange(24) % 3)
    return place / "few.npz"


def spec_of(place: Path, data: Path, epochs: int, schedule: str = "constant") -> Path:
    path = place / f"net{epochs}{schedule[:2]}.yaml"
    path.write_text(NET % (data, epochs, schedule))
    return path


@pytest.fixture(scope="module")
def three(place: Path, data: Path) -> Result:
    """A finished run of three epochs."""
    return train(load(spec_of(place, data, 3)), place / "three", progress=False)


@pytest.fixture(scope="module")
def five(place: Path, data: Path) -> Result:
    return train(load(spec_of(place, data, 5)), place / "five", progress=False)


@pytest.fixture
def run(three: Result, tmp_path: Path) -> Path:
    shutil.copytree(three.folder, tmp_path / "run")
    return tmp_path / "run"


def test_more_epochs_go_on_where_the_run_ended(
    place: Path, data: Path, run: Path, five: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(spec_of(place, data, 5)), "--workdir", str(run)]) == 0
    out, err = capsys.readouterr()
    assert f"the run in {run} goes on with train.epochs: 3 → 5" in err
    assert f"going on in {run} after epoch 3" in err
    assert "learning rate" not in err
    assert "after 5 epochs" in out
    folder, spec = opened(run)
    assert equal(restored(folder, spec), {**five.params, **five.statistics})
    assert spec.train is not None
    assert spec.train.epochs == 5
    assert json.loads((run / "result.json").read_text())["epochs"] == 5
    assert "train.epochs: 3 → 5" in json.loads((run / "run.json").read_text())["notes"][-1]
    # It is a run of five epochs now, and fewer are another spec.
    with pytest.raises(SpecError) as error:
        train(load(spec_of(place, data, 3)), run, progress=False)
    assert code(error) == "E510"


def test_a_step_is_compiled_once_where_a_run_goes_on_too(
    place: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plateau's factor comes from the records, all else of the state from the checkpoint."""
    made: list[Any] = []

    def make(*own: Any, **more: Any) -> Any:
        made.append(steps_of(*own, **more))
        return made[-1]

    monkeypatch.setattr(module, "steps_of", make)
    for epochs in (1, 3):
        train(load(spec_of(place, data, epochs, "plateau")), tmp_path / "run", progress=False)
    assert [steps.train._cache_size() for steps in made] == [1, 1]


def test_the_best_of_those_that_were_kept_is_taken(place: Path, data: Path, tmp_path: Path) -> None:
    """Where `best` is asked for later: all losses are equal, so it is the first, whose state is not there any more."""
    text, folder = spec_of(place, data, 4).read_text().replace("0.1}", "1.0e-30}"), tmp_path / "run"
    path = tmp_path / "net.yaml"
    path.write_text(text)
    assert train(load(path), folder, progress=False).step == 12
    path.write_text(text.replace("train: {", "train: {best: loss, "))
    assert train(load(path), folder, progress=False).step == 9
    assert json.loads((folder / "result.json").read_text())["step"] == 9
    assert (
        "`loss` was best at step 3, whose state was not kept"
        in json.loads((folder / "run.json").read_text())["notes"][-1]
    )
    assert best_step(*opened(folder)) == 9


@pytest.mark.slow
def test_a_stop_where_layers_thaw_leaves_a_state_to_go_on_with(place: Path, data: Path, tmp_path: Path) -> None:
    """Between the last step of the frozen epoch and the first of the next, which has an optimiser of other arrays."""
    path = tmp_path / "net.yaml"
    text = spec_of(place, data, 2).read_text().replace("dense: 3", "dense: {units: 4, name: body}, relu, dense: 3")
    path.write_text(text.replace("sgd: {", "sgd: {momentum: 0.9, "))
    train(load(path), tmp_path / "source", progress=False)
    begin = f"evaluate_every: {{epochs: 2}}, init_from: {{path: {tmp_path}/source, freeze: [body], freeze_epochs: 1}}"
    path.write_text(path.read_text().replace("train: {", f"train: {{{begin}, "))
    whole = train(load(path), tmp_path / "whole", progress=False)
    with stopped_after(3):
        train(load(path), tmp_path / "run", progress=False)
    assert Checkpoints(tmp_path / "run").steps() == [3]
    again = train(load(path), tmp_path / "run", progress=False)
    assert equal(again.params, whole.params) and again.metrics == whole.metrics


@pytest.mark.slow
def test_a_schedule_of_more_epochs_is_told(
    place: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(load(spec_of(place, data, 2, "linear")), tmp_path / "run", progress=False)
    longer = train(load(spec_of(place, data, 4, "linear")), tmp_path / "run")
    err = capsys.readouterr().err
    assert "the schedule is one of 4 epochs from here on" in err
    assert [record["epoch"] for record in longer.metrics] == [1, 2, 3, 4]
    whole = train(load(spec_of(place, data, 4, "linear")), tmp_path / "whole", progress=False)
    assert longer.metrics[3]["learning_rate"] == whole.metrics[3]["learning_rate"]


def test_other_data_are_not_gone_on_with(place: Path, data: Path, run: Path, tmp_path: Path) -> None:
    kept = data.read_bytes()
    with np.load(data) as file:
        images, labels = file["x"], file["y"]
    try:
        images[3, 0, 0] ^= 1
        np.savez(data, x=images, y=labels)
        with pytest.raises(SpecError) as error:
            (run / "result.json").unlink()
            train(load(spec_of(place, data, 3)), run, progress=False)
        assert code(error) == "E518"
    finally:
        data.write_bytes(kept)
    train(load(spec_of(place, data, 3)), run, progress=False)


@pytest.mark.parametrize("more", [0, 8])
@pytest.mark.parametrize("epochs", [3, 5])
def test_a_finished_run_is_not_that_of_other_data(
    place: Path, data: Path, run: Path, epochs: int, more: int, tmp_path: Path
) -> None:
    """Neither as it is nor for more epochs, though steps may be as many as they were."""
    kept, before = data.read_bytes(), (run / "metrics.jsonl").read_bytes()
    random = np.random.default_rng(1)
    try:
        np.savez(data, x=random.integers(0, 256, (24 + more, 4, 4), np.uint8), y=np.arange(24 + more) % 3)
        with pytest.raises(SpecError) as error:
            train(load(spec_of(place, data, epochs)), run, progress=False)
    finally:
        data.write_bytes(kept)
    assert code(error) == "E518"
    assert (run / "metrics.jsonl").read_bytes() == before
    assert (run / "result.json").exists()


def test_evaluation_advises_no_options_that_it_does_not_have(
    data: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = data.read_bytes()
    try:
        np.savez(data, x=np.zeros((24, 5, 5), np.uint8), y=np.arange(24) % 3)
        assert main(["eval", str(run)]) == 1
    finally:
        data.write_bytes(kept)
    err = capsys.readouterr().err
    assert "E503" in err
    options = [line.partition("= help: ")[2] for line in err.splitlines() if "--" in line]
    assert options and all(option.startswith("--set input.fit=") for option in options)


def test_a_damaged_checkpoint_is_done_again_to_the_same_bits(
    place: Path, data: Path, run: Path, three: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_it() -> None:
        for path in (run / "checkpoints" / "9").rglob("d/*"):
            path.write_bytes(bytes(path.stat().st_size))

    break_it()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["eval", str(run)]) == 0
    err = capsys.readouterr().err
    assert "is damaged" in err
    assert "the one of step 6 is taken" in err
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    again = train(load(spec_of(place, data, 3)), run)
    err = capsys.readouterr().err
    assert "the one of step 6 is taken" in err
    assert "after epoch 2" in err
    assert equal(again.params, three.params)
    assert len(again.metrics) == 3


def test_metrics_that_are_lost_are_measured_again_or_told(
    place: Path, data: Path, run: Path, three: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    again = train(load(spec_of(place, data, 3)), run)
    assert equal(again.params, three.params)
    assert path.read_text() == "".join(lines)
    capsys.readouterr()
    path.write_text("".join([lines[0], lines[2]]))
    again = train(load(spec_of(place, data, 3)), run)
    assert "has no line of step 6" in capsys.readouterr().err
    assert [record["epoch"] for record in again.metrics] == [1, 3]


def test_what_differs_from_where_the_run_began_is_told(
    place: Path, data: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = json.loads((run / "run.json").read_text())
    cores = about["cores"]
    assert cores >= 1
    about["cores"] = cores + 6
    about["packages"]["optax"] = "0.0.1"
    (run / "run.json").write_text(json.dumps(about))
    train(load(spec_of(place, data, 3)), run)
    err = capsys.readouterr().err
    assert f"{cores} cores instead of {cores + 6}" in err
    assert "instead of 0.0.1" in err
    kept = json.loads((run / "run.json").read_text())
    assert "cores instead of" in kept["notes"][-1]
    assert kept["images"] == about["images"]


def test_a_run_that_is_written_is_not_written_by_another(place: Path, data: Path, run: Path) -> None:
    from archspec.runs.owner import take

    owner = take(run, "run")
    for overwrite in (False, True):
        with pytest.raises(SpecError) as error:
            train(load(spec_of(place, data, 5)), run, overwrite=overwrite, progress=False)
        assert code(error) == "E517"
    assert evaluate(run)  # reading is free
    owner.release()


@pytest.mark.parametrize("gone", [True, False])
def test_a_folder_that_goes_away_while_training_is_an_error_and_leaves_nothing(
    place: Path, data: Path, run: Path, tmp_path: Path, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = module.Loop.held_out

    def moving(self: module.Loop, *rest: Any) -> Any:
        found = saved(self, *rest)
        if self.step == 12:
            if gone:
                shutil.rmtree(run)
            else:
                run.rename(tmp_path / "moved")
        return found

    monkeypatch.setattr(module.Loop, "held_out", moving)
    with pytest.raises(SpecError) as error:
        train(load(spec_of(place, data, 5)), run, progress=False)
    assert code(error) == "E514"
    assert ("was deleted" if gone else "was moved") in error.value.diagnostics[0].message
    assert not run.exists()
    if not gone:
        monkeypatch.undo()
        result = train(load(spec_of(place, data, 5)), tmp_path / "moved", progress=False)
        assert [record["epoch"] for record in result.metrics] == [1, 2, 3, 4, 5]


def test_nothing_is_made_in_the_place_of_a_folder_that_was_moved_between_writes(
    place: Path, data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Checkpoints.save

    def moving(self: Checkpoints, *rest: Any) -> None:
        run.rename(tmp_path / "moved")
        saved(self, *rest)

    monkeypatch.setattr(Checkpoints, "save", moving)
    with pytest.raises(SpecError) as error:
        train(load(spec_of(place, data, 4)), run, progress=False)
    assert code(error) == "E514"
    assert "was moved" in error.value.diagnostics[0].message
    assert not run.exists()


def test_metrics_are_not_begun_anew_where_their_folder_has_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RunFolder(tmp_path).add_metrics({"step": 2}, {"step": 2})
    assert not list(tmp_path.iterdir())


def test_whoever_reads_a_run_is_told_of_a_damaged_checkpoint(
    place: Path, data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run / "checkpoints" / "9" / "d")
    assert main(["weights", "export", str(run), str(tmp_path / "w.safetensors")]) == 0
    assert "the one of step 6 is taken" in capsys.readouterr().err
    spec = spec_of(place, data, 1)
    assert main(["train", str(spec), "--workdir", str(tmp_path / "next"), "--set", f"train.init_from={run}"]) == 0
    assert "the one of step 6 is taken" in "".join(capsys.readouterr())


def test_a_spec_that_was_changed_in_its_folder_is_told(run: Path) -> None:
    notes: list[str] = []
    evaluate(run, notes=notes)
    assert not notes
    text = (run / "spec.yaml").read_text()
    (run / "spec.yaml").write_text(text.replace("range: [0.0, 1.0]", "range: [0.0, 9.0]"))
    evaluate(run, notes=notes)
    assert ["is not as it was written" in note for note in notes] == [True]


def test_a_run_whose_checkpoints_are_lost_says_that_it_begins_anew(
    place: Path, data: Path, run: Path, three: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run / "checkpoints")
    again = train(load(spec_of(place, data, 3)), run)
    assert "has metrics of 3 evaluations, but no checkpoint: it begins anew" in capsys.readouterr().err
    assert equal(again.params, three.params)


def test_names_of_classes_that_are_lost_are_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "black.png")
    (run / "result.json").write_text('{"classes"')
    assert main(["predict", str(run), str(tmp_path / "black.png")]) == 0
    assert "damaged" not in capsys.readouterr().err, "run.json has them too"
    about = json.loads((run / "run.json").read_text())
    assert len(about.pop("classes")) > 1
    (run / "run.json").write_text(json.dumps(about))
    assert main(["predict", str(run), str(tmp_path / "black.png")]) == 0
    assert "result.json is damaged, so classes have numbers for names" in capsys.readouterr().err


def test_what_was_recorded_of_the_data_is_again_where_it_was_lost(place: Path, data: Path, run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").unlink()
    train(load(spec_of(place, data, 3)), run, progress=False)
    again = json.loads((run / "run.json").read_text())
    assert len(about["classes"]) == 3
    assert "is lost or damaged" in again.pop("notes")[-1]
    assert {**again, "began": None, "notes": about["notes"]} == {**about, "began": None}


FILES = ("spec.yaml", "metrics.jsonl", "run.json", "result.json", "report.txt", ".archspec")
CONTENTS = (b"\xff\xfe\x00", b"[1, 2]")
MORE = (b"", b'"text"', b"{", b"null", b'{"epoch": [], "classes": {"a": 1}}', b"[" * 99999)


@pytest.mark.parametrize("contents", [CONTENTS, pytest.param(MORE, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_never_end_in_a_traceback(
    place: Path,
    data: Path,
    run: Path,
    name: str,
    contents: tuple[bytes, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    spec = str(spec_of(place, data, 3))
    for content in contents:
        again = tmp_path / "again"
        shutil.copytree(run, again)
        (again / name).write_bytes(content)
        for command in (["eval", str(again)], ["train", spec, "--workdir", str(again)]):
            assert main(command) in (0, 1), (command, content)
            err = capsys.readouterr().err
            assert "Traceback" not in err
            assert "E901" not in err, err
        assert (again / "checkpoints" / "9").is_dir()
        shutil.rmtree(again)


@pytest.mark.slow
def test_what_a_line_search_begins_with_is_no_fault(
    place: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its errors are infinite until a step is made; in float16 the first may all be skipped."""
    monkeypatch.setattr("archspec.training.scaling.FIRST", 2.0**24)
    text = spec_of(place, data, 1).read_text().replace("{sgd: {learning_rate: 0.1}}", "lbfgs, precision: float16")
    path = tmp_path / "net.yaml"
    path.write_text(text.replace("train: {", "train: {evaluate_every: 1, "))
    metrics = train(load(path), tmp_path / "run", progress=False).metrics
    assert [record["skipped_steps"] for record in metrics] == [1, 2, 3]
