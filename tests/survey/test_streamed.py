"""What streaming adds: all is read once before the first step, and what goes bad after that is named."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import archspec
from archspec.cli import main
from archspec.data import Data, Reading, loaded
from archspec.data._files import holdout
from archspec.data.segmentation_folder import SegmentationFolder
from archspec.diagnostics import DataError, SpecError
from archspec.kinds import find_kind
from archspec.survey import known
from archspec.survey.reading import survey, without
from archspec.training import reading, run, showing
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


@pytest.mark.slow
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


def test_samples_that_are_drawn_have_the_numbers_that_training_gives_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    titles: list[str] = []

    def sheet(cells: Any, title: str) -> bytes:
        titles.append(title)
        return b""

    monkeypatch.setattr(showing, "sheet", sheet)
    spec = archspec.load(streamed(pets(tmp_path, {"on_error": "skip"}), augment=["horizontal_flip"]))
    showing.augmented_sheet(spec, "1", 1)  # cat/1.png is left out
    assert "sample 1 of pets" in titles[0] and "cat/2.png" in titles[0]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_goes_bad_after_it_was_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    file = streamed(pets(tmp_path, {"on_error": "skip"}), workers=workers)
    whole = reading.read_once

    def then_damaged(data: Data, *ways: Any) -> Data:
        made = whole(data, *ways)
        (tmp_path / "pets" / "train" / "dog" / "2.png").unlink()
        return made

    monkeypatch.setattr(run, "read_once", then_damaged)
    with pytest.raises(SpecError) as error:
        archspec.train(archspec.load(file), tmp_path / "run", progress=False)
    (item,) = error.value.diagnostics
    assert item.code == "E521" and "dog/2.png" in item.message


def _tar(file: Path) -> dict[str, Any]:
    with tarfile.open(file.with_suffix(".tar"), "w") as tar:
        for number, (name, data) in enumerate(_files()):
            for ending, own in (("png", data), ("cls", name.encode())):
                about = tarfile.TarInfo(f"{number:02d}.{ending}")
                about.size = len(own)
                tar.addfile(about, io.BytesIO(own))
    return {"webdataset": {"path": str(file.with_suffix(".tar"))}}


def _folder(file: Path) -> dict[str, Any]:
    for number, (name, data) in enumerate(_files()):
        (file / name).mkdir(parents=True, exist_ok=True)
        (file / name / f"{number:02d}.png").write_bytes(data)
    return {"image_folder": {"path": str(file)}}


def _saved(file: Path) -> dict[str, Any]:
    library = pytest.importorskip("datasets")
    names, images = zip(*_files(), strict=True)
    rows = {"image": [{"bytes": own, "path": None} for own in images], "label": names}
    columns = {"image": library.Image(), "label": library.ClassLabel(names=["cat", "dog"])}
    library.Dataset.from_dict(rows, features=library.Features(columns)).save_to_disk(file)
    return {"huggingface": {"path": str(file)}}


def _list(file: Path) -> dict[str, Any]:
    _folder(file)
    paths = [f"{path.parent.name}/{path.name},{path.parent.name}\n" for path in sorted(file.glob("*/*.png"))]
    (file / "list.csv").write_text("path,label\n" + "".join(paths), "utf-8")
    return {"table": {"path": str(file / "list.csv")}}


def _files() -> Iterator[tuple[str, bytes]]:
    """Twelve cats and eight dogs, of which two cats and a dog cannot be read."""
    generator = np.random.default_rng(1)
    for number in range(20):
        stream = io.BytesIO()
        Image.fromarray(generator.integers(0, 256, (4, 4, 3), np.uint8)).save(stream, "PNG")
        yield "cat" if number < 12 else "dog", b"no image" if number in (1, 5, 14) else stream.getvalue()


@pytest.mark.parametrize("made", [_tar, _folder, _saved, _list])
def test_files_left_out_do_not_change_which_samples_are_held_out(
    tmp_path: Path, made: Callable[[Path], dict[str, Any]]
) -> None:
    """Neither by the dataset's own share nor by that of `train.validation`, wherever samples are read."""
    (kind, fields), *_ = made(tmp_path / "pets").items()
    dataset: Any = find_kind("data", kind)
    dataset = dataset.model_validate({**fields, "holdout": 0.25, "on_error": "skip"})

    def once(data: Data) -> Data:
        return without(data, survey(data, workers=0))

    def places(data: Data) -> list[list[str]]:
        return [[name[-30:] for name in split.names] for split in data.parts.values()]

    streamed = loaded(dataset, 0.4, 3, once, Reading("always", 0))
    in_memory = loaded(dataset, 0.4, 3, how=Reading("never"))
    assert places(in_memory) == places(streamed)
    for one, other in zip(in_memory.parts.values(), streamed.parts.values(), strict=True):
        assert np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)
    # Undamaged ones are where they are if nothing is left out.
    listed = dataset.reading(Reading("always", 0)).load()
    rest, validation = holdout(listed.train, 0.4, 3)
    bad = {own.name for own in in_memory.left}
    assert len(bad) == 3
    for own, split in zip(in_memory.parts.values(), (rest, validation, listed.validation), strict=True):
        assert own.names == tuple(name for name in split.names if name not in bad)


@pytest.mark.parametrize("bad", [0, 3])
@pytest.mark.parametrize("stream", ["never", "always"])
def test_a_mask_with_values_that_are_no_classes_is_left_out_wherever_it_stands(
    tmp_path: Path, bad: int, stream: Any
) -> None:
    for number in range(6):
        for place in ("images", "masks"):
            (tmp_path / place).mkdir(exist_ok=True)
            value = 7 if number == bad else number % 2
            Image.fromarray(np.full((4, 4), value, np.uint8)).save(tmp_path / place / f"{number}.png")
    dataset = SegmentationFolder(path=str(tmp_path), labels=(0, 1), on_error="skip", holdout=0.5)

    def once(data: Data) -> Data:
        return without(data, survey(data, workers=0)) if stream == "always" else data

    data = loaded(dataset, read=once, how=Reading(stream, 0))
    assert [Path(own.name).name for own in data.left] == [f"{bad}.png"] and "7" in data.left[0].reason
    assert sum(map(len, data.parts.values())) == 5
    with pytest.raises(DataError, match="label 7 at row 0"):
        loaded(dataset.model_copy(update={"on_error": "error"}), how=Reading("never"))
