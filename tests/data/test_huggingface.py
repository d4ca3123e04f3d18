"""What Hugging Face's `datasets` saved to disk: columns, names of classes, parts, and what is amiss."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.data import Data, loaded
from archspec.data._reading import Reading
from archspec.data.huggingface import Huggingface
from archspec.diagnostics import DataError

hf = pytest.importorskip("datasets")
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), np.uint8)
NAMES = ["cat", "dog", "emu"]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    hf.disable_progress_bars()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def table(first: int, last: int, features: dict[str, Any] | None = None, **columns: list[Any]) -> Any:
    own = {"image": [png(pixels) for pixels in PIXELS[first:last]]}
    kinds = {"image": hf.Image(), **(features or {"label": hf.ClassLabel(names=NAMES)})}
    rows = {**own, **(columns or {"label": [number % 3 for number in range(first, last)]})}
    rows["image"] = [{"bytes": value, "path": None} if isinstance(value, bytes) else value for value in rows["image"]]
    return hf.Dataset.from_dict(rows, features=hf.Features(kinds))


def of(path: Path, how: Reading | None = None, validation: Any = None, **fields: Any) -> Data:
    return loaded(Huggingface.model_validate({"path": str(path), "holdout": 0.5, **fields}), validation, how=how)


def test_three_parts_with_names_of_classes(tmp_path: Path) -> None:
    parts = {"train": table(0, 6), "validation": table(6, 9), "test": table(9, 12)}
    hf.DatasetDict(parts).save_to_disk(tmp_path / "pets")
    for how in (None, Reading("always", 0)):
        data = of(tmp_path / "pets", how)
        assert data.train.is_streamed is (how is not None)
        assert np.array_equal(np.concatenate([split.images for split in data.parts.values()]), PIXELS)
        assert [split.labels.tolist() for split in data.parts.values()] == [[0, 1, 2, 0, 1, 2], [0, 1, 2], [0, 1, 2]]
        assert data.classes == {"label": tuple(NAMES)} and data.notes == ()
    assert np.array_equal(of(tmp_path / "pets", held_out="test").validation.images, PIXELS[9:])
    assert np.array_equal(of(tmp_path / "pets", validation="test").validation.images, PIXELS[9:])


def test_what_is_saved_anew_is_read_anew(tmp_path: Path) -> None:
    for first, folder in ((0, "one"), (6, "other")):
        table(first, first + 6).save_to_disk(tmp_path / folder)
    before = of(tmp_path / "one")
    shutil.rmtree(tmp_path / "one")
    shutil.copytree(tmp_path / "other", tmp_path / "one")
    after = of(tmp_path / "one")
    assert before.train.names == after.train.names
    assert np.array_equal(after.train.images, of(tmp_path / "other").train.images)


def test_rows_that_were_shuffled_and_chosen(tmp_path: Path) -> None:
    """Their indices count, which lie beside the rows."""
    table(0, 12).shuffle(seed=1).select(range(8)).save_to_disk(tmp_path / "one")
    order = np.random.default_rng(1).permutation(12)[:8]
    data = of(tmp_path / "one")
    assert data.test is None and len(data.train) + len(data.validation) == 8
    found = [pair for split in data.parts.values() for pair in zip(split.names, split.images, strict=True)]
    rows = {int(name.split()[3]): image for name, image in found}
    assert np.array_equal(np.stack([rows[row] for row in range(8)]), PIXELS[order])


@pytest.mark.parametrize(
    ("feature", "values", "fields", "labels", "classes"),
    [
        ("Value('string')", ["b", "a"] * 3, {}, [1, 0] * 3, ("a", "b")),
        ("Value('int64')", [2, 0] * 3, {}, [2, 0] * 3, ("0", "1", "2")),
        ("Value('float64')", [0.5, 2.0] * 3, {}, [0.5, 2.0] * 3, None),
        ("ClassLabel(names=['x', 'y'])", [1, -1] * 3, {"classes": ["no", "yes"]}, [1, -1] * 3, ("no", "yes")),
        ("List(ClassLabel(names=['x', 'y', 'z']))", [[0, 2], []] * 3, {}, [[1, 0, 1], [0, 0, 0]] * 3, ("x", "y", "z")),
        ("List(Value('float32'))", [[0.5, 1.5], [2, 3]] * 3, {}, [[0.5, 1.5], [2, 3]] * 3, None),
    ],
)
def test_labels(tmp_path: Path, feature: str, values: Any, fields: Any, labels: Any, classes: Any) -> None:
    kind = eval(feature, vars(hf))
    parts = {"train": table(0, 6, {"label": kind}, label=values), "test": table(6, 12, {"label": kind}, label=values)}
    hf.DatasetDict(parts).save_to_disk(tmp_path / "d")
    data = of(tmp_path / "d", **fields)
    assert data.train.labels.tolist() == data.validation.labels.tolist() == labels
    assert data.class_names == (classes or ())


def test_masks_paths_and_bytes(tmp_path: Path) -> None:
    """A column of images is a mask; images may be paths of files, or bytes without a type."""
    masks = np.random.default_rng(1).integers(0, 3, (12, 6, 8), np.uint8)
    encoded = [{"bytes": png(mask), "path": None} for mask in masks]
    table(0, 12, {"annotation": hf.Image()}, annotation=encoded).save_to_disk(tmp_path / "masks")
    data = of(tmp_path / "masks")
    for split in data.parts.values():
        rows = [int(name.split()[3]) for name in split.names]
        assert np.array_equal(split.labels, masks[rows]) and np.array_equal(split.images, PIXELS[rows])
    assert data.class_names == ("0", "1", "2")
    paths = [str(tmp_path / f"{row}.png") for row in range(12)]
    for path, pixels in zip(paths, PIXELS, strict=True):
        Path(path).write_bytes(png(pixels))
    columns = {"file": paths, "raw": [png(pixels) for pixels in PIXELS], "label": NAMES * 4}
    hf.Dataset.from_dict(columns).save_to_disk(tmp_path / "paths")
    assert np.array_equal(
        of(tmp_path / "paths", image="file").train.images, of(tmp_path / "paths", image="raw").train.images
    )
    with pytest.raises(DataError, match=r"has no column of images: file \(string\), raw \(binary\) and label"):
        of(tmp_path / "paths")
    Path(paths[3]).unlink()
    with pytest.raises(DataError, match=r"no bytes but the path .*3\.png, where there is no file") as error:
        of(tmp_path / "paths", image="file")
    assert "nothing is downloaded" in " ".join(error.value.notes)


def test_a_part_without_labels_is_passed_over(tmp_path: Path) -> None:
    none = table(9, 12, label=[-1] * 3)
    hf.DatasetDict({"train": table(0, 9), "test": none}).save_to_disk(tmp_path / "d")
    data = of(tmp_path / "d")
    assert data.test is None and len(data.train) + len(data.validation) == 9
    assert any("test of" in note and "has no labels, and is passed over" in note for note in data.notes)


def test_faults_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not what `save_to_disk` writes") as error:
        of(folder)
    assert "save_to_disk(FOLDER) makes one of the .parquet files" in error.value.help[0]
    hf.DatasetDict({"a": table(0, 3)}).save_to_disk(tmp_path / "e")
    with pytest.raises(DataError, match="has the parts a, and none is to train on"):
        of(tmp_path / "e")
    table(0, 4, {"kind": hf.Value("int64"), "size": hf.Value("int64")}, kind=[0] * 4, size=[1] * 4).save_to_disk(
        tmp_path / "f"
    )
    with pytest.raises(DataError, match=r"has the columns image \(Image\), kind \(int64\) and size"):
        of(tmp_path / "f")
    with pytest.raises(DataError, match="has no column knd"):
        of(tmp_path / "f", target="knd")
    table(0, 4, label=[0, 1, 2, 0], image=[png(PIXELS[0]), b"x", png(PIXELS[2])[:60], None]).save_to_disk(
        tmp_path / "g"
    )
    with pytest.raises(DataError, match=r"3 of 4 images cannot be read: image of row 1 of .*, image of row 2 of .*"):
        of(tmp_path / "g")
    table(0, 4).save_to_disk(tmp_path / "h")
    (arrow,) = (tmp_path / "h").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:200])
    with pytest.raises(DataError, match="cannot be read") as error:
        of(tmp_path / "h")
    assert error.value.code == "E506"
    shutil.rmtree(tmp_path / "h")
    with pytest.raises(DataError, match="there is no folder"):
        of(tmp_path / "h")


def test_without_the_library_the_command_to_install_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(0, 4).save_to_disk(tmp_path / "d")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="is not installed") as error:
        of(tmp_path / "d")
    assert error.value.help == ("pip install 'archspec-jax[huggingface]'",)
