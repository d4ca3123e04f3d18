"""`archspec data check`, and what training says of its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import archspec
from archspec.cli import main
from archspec.data import loaded
from archspec.data.image_folder import ImageFolder
from archspec.diagnostics import DataError
from archspec.survey.words import in_one_line

LAYERS: list[Any] = ["flatten", {"dense": 2}]


def pets(folder: Path, dataset: dict[str, Any] | None = None, **input: Any) -> Path:
    """A folder of cats and dogs with two files that cannot be read, one that is no image, and images that are alike."""
    generator = np.random.default_rng(0)
    for part, number in (("train", 5), ("val", 3)):
        for name in ("cat", "dog"):
            place = folder / "pets" / part / name
            place.mkdir(parents=True)
            for at in range(number):
                Image.fromarray(generator.integers(0, 256, (6, 5, 3), np.uint8)).save(place / f"{at}.png")
    train = folder / "pets" / "train"
    (train / "cat" / "1.png").write_bytes(b"no image")
    (train / "dog" / "4.png").write_bytes((train / "dog" / "3.png").read_bytes()[:-40])
    (train / "cat" / "list.txt").write_text("a list", "utf-8")
    (folder / "pets" / "val" / "dog" / "0.png").write_bytes((train / "cat" / "0.png").read_bytes())
    spec = {
        "archspec": 1,
        "name": "pets",
        "input": {"height": 6, "width": 5, "channels": 3, **input},
        "layers": LAYERS,
        "train": {"dataset": {"image_folder": {"path": "pets", **(dataset or {})}}, "epochs": 1},
    }
    file = folder / "pets.yaml"
    file.write_text(yaml.safe_dump(spec), "utf-8")
    return file


def trained_on(folder: Path) -> np.ndarray:
    paths = sorted((folder / "pets" / "train").rglob("*.png"))
    good = [path for path in paths if path.parts[-2:] not in (("cat", "1.png"), ("dog", "4.png"))]
    return np.stack([np.asarray(Image.open(path)) for path in good]).astype(np.float64)


def test_everything_is_reported_and_training_would_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = pets(tmp_path, range=[-1, 1], mean=[0.1, 0.2, 0.3])
    assert main(["data", "check", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["parts"]["train"]["samples"] == 8 and found["parts"]["validation"]["samples"] == 6
    assert found["targets"]["label"]["classes"] == {
        "cat": {"train": 4, "validation": 3},
        "dog": {"train": 4, "validation": 3},
    }
    assert found["files"] == {"6×5 RGB PNG": 14}
    assert sorted(Path(own["name"]).name for own in found["unreadable"]) == ["1.png", "4.png"]
    (error,) = found["errors"]
    assert error["code"] == "E521" and "cat/1.png" in error["message"] and "dog/4.png" in error["message"]
    assert any("on_error: skip" in text for text in error["help"])
    own, pixels = found["inputs"]["input"], trained_on(tmp_path) * (2 / 255) - 1
    np.testing.assert_allclose(own["mean"], pixels.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(own["std"], pixels.std((0, 1, 2)), rtol=1e-12)
    assert own["spec"]["mean"] == pytest.approx([0.1, 0.2, 0.3])
    (double,) = found["doubles"]
    assert (double["part"], double["of"], double["count"], double["otherwise_labelled"]) == (
        "validation",
        "train",
        1,
        1,
    )
    assert any("no image's (.txt)" in note for note in found["notes"])


def test_text_names_all_and_says_that_with_skip_training_would_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pets(tmp_path, {"on_error": "skip"})
    assert main(["data", "check", str(file)]) == 0
    out = capsys.readouterr().out
    assert "pets (image_folder): 8 images to train on; 6 images held out" in out
    assert "cannot be read: 2 samples" in out and "cat/1.png is not an image" in out
    assert "1 image held out is to train on too, 1 of them with another label" in out
    assert "training would begin" in out


def test_images_are_measured_as_the_network_is_given_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = pets(tmp_path, {"on_error": "skip"}, height=3, width=4, fit="crop", short_side=4)
    assert main(["data", "check", str(file), "--json"]) == 0
    own = json.loads(capsys.readouterr().out)["inputs"]["input"]
    data = loaded(ImageFolder(path=str(tmp_path / "pets"), on_error="skip"))
    spec = archspec.load(file)
    from archspec.training.checks import fitted

    pixels = fitted(data.train, spec.inputs).images.astype(np.float64) / 255
    assert pixels.shape[1:] == (3, 4, 3)
    np.testing.assert_allclose(own["mean"], pixels.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(own["std"], pixels.std((0, 1, 2)), rtol=1e-12)


def test_one_line_says_what_there_is_to_train_on(tmp_path: Path) -> None:
    pets(tmp_path)
    data = loaded(ImageFolder(path=str(tmp_path / "pets"), on_error="skip"))
    assert in_one_line(data) == (
        "pets: 8 images to train on, 4 of each of 2 classes; 6 held out; 2 files that cannot be read left out, 1 other "
        "file passed over"
    )
    with pytest.raises(DataError, match="2 of 16 images cannot be read"):
        loaded(ImageFolder(path=str(tmp_path / "pets")))


def test_data_in_memory_and_labels_beyond_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(3, 2, (20, 4)).astype(np.float32)
    y = np.arange(20) % 2
    y[[3, 7]] = 5
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4])
    spec = {
        "archspec": 1,
        "name": "small",
        "input": {"features": 4},
        "layers": [{"dense": 2}],
        "train": {"dataset": {"npz": "data.npz"}},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(spec), "utf-8")
    assert main(["data", "check", str(tmp_path / "small.yaml"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["labels_beyond"][0]["samples"] == [["sample 3", 5], ["sample 7", 5]]
    assert [error["code"] for error in found["errors"]] == ["E501"]
    np.testing.assert_allclose(found["inputs"]["input"]["mean"], x.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["inputs"]["input"]["std"], x.astype(np.float64).std(0), rtol=1e-12)
    assert found["doubles"][0]["count"] == 4


@pytest.mark.slow
def test_the_sheet_shows_samples_as_the_first_epoch_sees_them(tmp_path: Path) -> None:
    """Mirrored or not, an image's colours are on the sheet; samples come from the classes in turn."""
    from archspec.training.checks import counted, fitted, fitted_heads, matched
    from archspec.training.contact import chosen, contact_sheet

    file = pets(tmp_path, {"on_error": "skip"})
    text = yaml.safe_load(file.read_text("utf-8"))
    text["train"]["augment"] = ["horizontal_flip"]
    file.write_text(yaml.safe_dump(text), "utf-8")
    assert main(["data", "check", str(file), "--sheet", str(tmp_path / "sheet.png")]) == 0
    with Image.open(tmp_path / "sheet.png") as image:
        drawn = np.asarray(image.convert("RGB"))
    spec = archspec.load(file)
    data = matched(counted(loaded(spec.train.dataset), spec.graph(), spec), spec, spec.graph())  # type: ignore[union-attr]
    data = data.map(lambda split: fitted(split, spec.inputs))
    assert chosen(data).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]  # a cat, a dog, …
    heads = fitted_heads(spec, data)
    assert contact_sheet(data, spec, heads) == (tmp_path / "sheet.png").read_bytes()
    colours = {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in data.train.images[0].reshape(-1, 3).tolist()} <= colours


def test_moments_are_in_the_networks_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `mean` and `std` of the input have to be written."""
    file = pets(tmp_path, order="bgr")
    main(["data", "check", str(file), "--json"])
    own, pixels = json.loads(capsys.readouterr().out)["inputs"]["input"], trained_on(tmp_path)[..., ::-1] / 255
    np.testing.assert_allclose(own["mean"], pixels.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(own["std"], pixels.std((0, 1, 2)), rtol=1e-12)
    main(["data", "check", str(file)])
    assert "in the range 0 to 1, of blue, green and red:" in capsys.readouterr().out
