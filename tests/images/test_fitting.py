"""One rule of fitting: what training makes of a file and what prediction makes of it are the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from archspec import load, train
from archspec.data import Dataset
from archspec.data.digit_canvas import DigitCanvas
from archspec.data.idx import Idx
from archspec.data.image_folder import ImageFolder
from archspec.data.npz import Npz
from archspec.data.segmentation_folder import SegmentationFolder
from archspec.diagnostics import DataError
from archspec.images.fitting import fitted_labels, plan, prepare, unfitted_labels
from archspec.images.preparation import Preparation
from archspec.inference.evaluating import evaluate
from archspec.inference.predicting import predict
from archspec.runs.folder import RunFolder
from archspec.runs.reading import preparation_of
from archspec.spec.network import ImageInput
from archspec.training.checks import fitted
from tests.data.test_datasets import idx_bytes
from tests.images.reading import read_image

FITS: dict[str, dict[str, Any]] = {
    "exact": {"height": 24, "width": 20},
    "pad": {"height": 30, "width": 27, "fit": "pad"},
    "resize": {"height": 17, "width": 31, "fit": "resize", "interpolation": "bicubic"},
    "crop": {"height": 16, "width": 16, "fit": "crop"},
    "crop, wide": {"height": 12, "width": 18, "fit": "crop", "interpolation": "bicubic"},
    "crop, as large": {"height": 24, "width": 20, "fit": "crop"},
    "crop, larger short side": {"height": 20, "width": 20, "fit": "crop", "short_side": 33},
}


def pictures(count: int, size: tuple[int, int], channels: int = 3) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (count, 5, 4, channels), np.uint8)
    shape = (size[1], size[0])
    return np.stack([np.asarray(Image.fromarray(image.squeeze()).resize(shape, 3)) for image in noise])


def npz(folder: Path) -> tuple[Dataset, list[Path]]:
    images = pictures(10, (24, 20))
    np.savez(folder / "d.npz", x_train=images, y_train=np.arange(10) % 2, x_test=images, y_test=np.arange(10) % 2)
    return Npz(path=str(folder / "d.npz")), saved(folder / "files", images)


def idx(folder: Path) -> tuple[Dataset, list[Path]]:
    images = pictures(10, (24, 20), 1)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(10, dtype=np.uint8) % 2))
    return Idx(path=str(folder)), saved(folder / "files", images)


def canvas(folder: Path) -> tuple[Dataset, list[Path]]:
    dataset = DigitCanvas(height=32, width=36, digits=1, train=2, test=4)
    return dataset, saved(folder / "files", dataset.load().validation.images[..., 0])


def image_folder(folder: Path) -> tuple[Dataset, list[Path]]:
    for part in ("train", "test"):
        for name, size in (("a", (48, 31)), ("b", (19, 64))):
            saved(folder / part / name, pictures(3, size))
    files = [path for name in "ab" for path in sorted((folder / "test" / name).iterdir())]
    return ImageFolder(path=str(folder), size=(24, 20)), files


def grey_folder(folder: Path) -> tuple[Dataset, list[Path]]:
    _, files = image_folder(folder)
    return ImageFolder(path=str(folder), size=(24, 20), grey=True), files


def segmentation_folder(folder: Path) -> tuple[Dataset, list[Path]]:
    for part in ("train", "test"):
        images = pictures(4, (48, 31))
        saved(folder / part / "images", images)
        saved(folder / part / "masks", images[..., 0] // 128)
    files = sorted((folder / "test" / "images").iterdir())
    return SegmentationFolder(path=str(folder), size=(24, 20)), files


def saved(folder: Path, images: np.ndarray) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", [npz, idx, canvas, image_folder, grey_folder, segmentation_folder])
def test_prediction_sees_what_evaluation_sees(
    kind: Callable[[Path], tuple[Dataset, list[Path]]], fit: str, tmp_path: Path
) -> None:
    dataset, files = kind(tmp_path)
    held_out = dataset.load().validation
    fields = FITS[fit]
    if kind is canvas:  # which cannot be as small as the others
        fields = {**fields, "height": fields["height"] + 8, "width": fields["width"] + 16}
        fields |= {"short_side": 45} if "short_side" in fields else {}
    input = ImageInput.model_validate({"channels": held_out.images.shape[-1], **fields})
    evaluated = fitted(held_out, {"input": input}).images
    assert evaluated.shape[1:3] == (input.height, input.width)
    predicted = [read_image(path, input, dataset.preparation)[0] for path in files]
    assert np.array_equal(evaluated, np.stack(predicted))


@pytest.mark.slow
def test_a_run_says_of_its_held_out_files_what_evaluation_says(tmp_path: Path) -> None:
    """Circles and slim ellipses in wide pictures, of which the dataset keeps the middle."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 30), ("test", 20)):
        for name, slim in (("circle", 1.0), ("ellipse", 0.5)):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("L", (64, 32))
                radius = int(generator.integers(9, 14))
                box = (32 - radius * slim, 16 - radius, 32 + radius * slim, 16 + radius)
                ImageDraw.Draw(image).ellipse(box, fill=int(generator.integers(150, 255)))
                image.save(tmp_path / "data" / part / name / f"{number}.png")
    spec = tmp_path / "net.yaml"
    spec.write_text(
        """archspec: 1
name: shapes
input: {height: 32, width: 32, channels: 1}
layers:
  - conv: {filters: 4, kernel: 5, stride: 2}
  - relu
  - flatten
  - dense: {units: 2}
train:
  dataset: {image_folder: {path: data, size: [32, 32], grey: true}}
  epochs: 4
  batch_size: 10
  optimiser: {adam: 0.01}
"""
    )
    run = train(load(spec), tmp_path / "run", progress=False).folder
    top1 = evaluate(run)["top1"]
    folders = [tmp_path / "data" / "test" / name for name in ("circle", "ellipse")]
    answers = predict(run, folders, top=1)
    right = [answer.classes[0][0] == answer.image.parent.name for answer in answers]
    assert len(right) == 40
    assert sum(right) / 40 == pytest.approx(top1)
    assert top1 > 0.9


def test_fill_is_pillows_fit() -> None:
    pixels = pictures(1, (47, 90))[0]
    expected = ImageOps.fit(Image.fromarray(pixels), (20, 24), Image.Resampling.BILINEAR)
    assert np.array_equal(prepare(pixels, Preparation((24, 20), "fill")), np.asarray(expected))


def test_floating_point_images_are_scaled_as_bytes_are() -> None:
    images = pictures(1, (40, 30))[0]
    way = Preparation((16, 21), "stretch")
    assert np.allclose(
        prepare(images.astype(np.float32), way), prepare(images, way), atol=1.01
    )  # bytes are rounded twice
    # Channels never mix, a fourth one neither.
    four = np.concatenate([images, images[..., :1] // 200], axis=-1)
    assert np.array_equal(prepare(four, way)[..., :3], prepare(images, way))


def test_cropping_just_fills_the_input() -> None:
    input = ImageInput(height=32, width=48, channels=1, fit="crop")
    assert plan((32, 48), input).steps == ()
    assert plan((64, 64), input).steps[0].size == (48, 48)
    assert plan((20, 60), input).steps[0].size == (32, 96)
    with pytest.raises(DataError, match="would become one of 224×13440000"):
        plan((1, 60000), ImageInput(height=224, width=224, channels=1, fit="crop"))


def test_masks_come_back_by_the_way_that_the_image_went() -> None:
    mask = np.zeros((50, 70), np.int8)
    mask[:25], mask[25:, :35] = 1, 2
    input = ImageInput(height=40, width=40, channels=1, fit="pad")
    way = plan((50, 70), input, Preparation((20, 30), "stretch"))

    back = unfitted_labels(fitted_labels(mask[None], way)[0], way)
    assert back.shape == mask.shape
    assert (back == mask).mean() > 0.95


def test_records_of_preparation_survive_and_damaged_ones_are_refused() -> None:
    for made in (Preparation(), Preparation((3, 4), "fill")):
        assert Preparation.from_plain(made.to_plain()) == made
    for damaged in ({}, {"size": [1], "how": "fill"}, {"size": [0, 2], "how": "fill"}, {"size": None, "how": "x"}):
        with pytest.raises(ValueError, match="record"):
            Preparation.from_plain(damaged)


@pytest.mark.parametrize("kept", ["run.json", "import.json"])
def test_what_a_folder_records_goes_before_what_its_spec_says(tmp_path: Path, kept: str) -> None:
    (tmp_path / "net.yaml").write_text(
        """archspec: 1
name: net
input: {height: 8, width: 8, channels: 3}
layers: [flatten, {dense: 2}]
train: {dataset: {image_folder: {path: data, size: 8}}}
"""
    )
    spec = load(tmp_path / "net.yaml")
    assert preparation_of(RunFolder(tmp_path), spec) == Preparation((8, 8), "fill")
    for record, found in (({"images": {"size": [4, 5], "how": "stretch"}}, (4, 5)), ({"seed": 1}, (8, 8))):
        (tmp_path / kept).write_text(json.dumps(record))
        assert preparation_of(RunFolder(tmp_path), spec).size == found
    (tmp_path / kept).write_text('{"images": {"size": 3}}')
    with pytest.raises(DataError, match="does not say how images were prepared"):
        preparation_of(RunFolder(tmp_path), spec)
    for damaged in ("3", "[]", "null", '"x"', "{", ""):
        (tmp_path / kept).write_text(damaged)
        with pytest.raises(DataError, match="does not say how images were prepared"):
            preparation_of(RunFolder(tmp_path), spec)
