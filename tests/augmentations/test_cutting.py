"""Random resized crops of streamed images are cut out of the files' own pixels, by seed, epoch and sample alone."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.augmentations.random_resized_crop import RandomResizedCrop
from archspec.data import Cut, CutColumn, Reading, cuttable
from archspec.data._columns import Column
from archspec.data._reading import ImageFiles
from archspec.data.image_folder import ImageFolder
from archspec.data.webdataset import Webdataset
from archspec.images.fitting import Plan, Scaled, fitted_images
from archspec.images.preparation import Preparation
from archspec.training.rate_test import rate_test

Write = Callable[[str], Path]

NET = """
input: {{height: 8, width: 10, channels: 3, fit: crop}}
layers: [conv: {{filters: 4, kernel: 3}}, batch_norm, relu, global_avg_pool, dense: 2]
train:
  dataset: {{image_folder: {{path: {path}, size: [16, 16], holdout: 0.25}}}}
  stream: {stream}
  workers: {workers}
  epochs: 2
  batch_size: 4
  augment: [{{random_resized_crop: [0.05, 0.3]}}, horizontal_flip]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 60×80 pixels, each of its own noise, which a smaller image has not."""
    root, generator = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir()
        for number in range(8):
            Image.fromarray(generator.integers(0, 256, (60, 80, 3), np.uint8)).save(root / name / f"{number}.png")
    return root


def test_boxes_are_cut_out_of_the_files(folder: Path) -> None:
    """Against Pillow's own crop and resize; what a prepared image of 16×16 could give is far from it."""
    files = sorted(map(str, folder.glob("cat/*.png")))
    column = Column(ImageFiles(files, False, Preparation((16, 16)), str(folder)), np.arange(1, 8))
    assert cuttable(column, 3) and not cuttable(column, 1) and not cuttable(np.zeros((2, 4, 4, 3), np.uint8), 3)
    assert not cuttable(column.map(lambda images: 255 - images, (16, 16, 3), np.uint8), 3)
    way = partial(fitted_images, plan=Plan((16, 16), (Scaled((8, 10), "bilinear"),)))
    fitted = column.map(way, (8, 10, 3), np.uint8)
    assert cuttable(fitted, 3)
    kind = RandomResizedCrop(scale=(0.05, 0.3), probability=0.8)
    cut = CutColumn(fitted, Cut(kind, 7, (8, 10)))
    places, whole = np.array([4, 0, 6, 2]), 0
    for epoch in (1, 2):
        found = cut.in_epoch(places, epoch)
        assert found.shape == (4, 8, 10, 3) and found.dtype == np.uint8
        assert np.array_equal(cut.in_epoch(places[::-1], epoch), found[::-1])
        for place, own in zip(places, found, strict=True):
            generator = np.random.default_rng([3, 7, epoch, place])
            if generator.random() >= 0.8:
                whole += 1
                assert np.array_equal(own, fitted[place])
                continue
            top, left, height, width = kind.box(generator, (60, 80))
            with Image.open(files[place + 1]) as image:
                part = image.crop((left, top, left + width, top + height))
                assert np.array_equal(own, np.asarray(part.resize((10, 8), Image.Resampling.BILINEAR)))
    assert whole < 8 and not np.array_equal(cut.in_epoch(places, 1), cut.in_epoch(places, 2))
    assert np.array_equal(cut[places], fitted[places])  # whatever reads it but training
    sent = CutColumn(fitted, Cut(kind, 7, (8, 10)))
    assert np.array_equal(pickle.loads(pickle.dumps(sent)).in_epoch(places, 1), sent.in_epoch(places, 1))


def test_boxes_of_images_in_shards_are_those_of_the_same_files(folder: Path, tmp_path: Path) -> None:
    files = sorted(folder.glob("*/*.png"))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number, file in enumerate(files):
            tar.add(file, f"{number:02d}.png")
            about = tarfile.TarInfo(f"{number:02d}.cls")
            about.size = 3
            tar.addfile(about, io.BytesIO(file.parent.name.encode()))
    fields = {"size": [16, 16], "holdout": 0.25}
    shards = Webdataset.model_validate({**fields, "path": str(tmp_path / "a.tar")})
    images = ImageFolder.model_validate({**fields, "path": str(folder)})
    found = []
    for dataset in (shards, images):
        column = dataset.reading(Reading("always", 0)).load().train.inputs["input"]
        assert isinstance(column, Column) and cuttable(column, 3)
        found.append(CutColumn(column, Cut(RandomResizedCrop(), 1, (16, 16))).in_epoch(np.arange(len(column)), 1))
    assert np.array_equal(found[0], found[1])


@pytest.mark.slow
def test_training_sees_boxes_of_files_whatever_reads_them(write: Write, folder: Path, tmp_path: Path) -> None:
    """The same bits with threads and with processes; from memory, boxes are of the prepared images, so others."""
    found = {}
    for stream, workers in (("always", 0), ("always", 2), ("never", 0)):
        spec = archspec.load(write(NET.format(path=folder, stream=stream, workers=workers)))
        result = archspec.train(spec, tmp_path / f"{stream}{workers}", progress=False)
        found[stream, workers] = result.params
    one, two, other = found.values()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_the_rate_test_sees_the_boxes_that_training_sees(
    write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, epochs = CutColumn.in_epoch, []

    def seen(self: CutColumn, places: np.ndarray, epoch: int) -> np.ndarray:
        epochs.append(epoch)
        return cut(self, places, epoch)

    monkeypatch.setattr(CutColumn, "in_epoch", seen)
    rate_test(archspec.load(write(NET.format(path=folder, stream="always", workers=0))), steps=5, progress=False)
    assert {1, 2} <= set(epochs)  # twelve images are three steps
