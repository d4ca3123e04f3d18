"""Lists of images and labels, as they come with data sets: with a header and without, split by files or by a column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.data import Data, Reading, loaded
from archspec.data.table import Table
from archspec.diagnostics import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with photos/00.png to photos/11.png."""
    (tmp_path / "photos").mkdir()
    for number, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number:02d}.png")
    return tmp_path


def listing(path: Path, rows: list[str], header: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*([header] if header else []), *rows]) + "\n", "utf-8")
    return path


def of(path: Path, validation: Any = None, **fields: Any) -> Data:
    return loaded(Table.model_validate({"path": str(path), "holdout": 0.5, **fields}), validation)


def check(data: Data, labels: dict[int, Any]) -> None:
    """Each sample's image is that of its name, and its label the expected one."""
    found: dict[int, Any] = {}
    for split in data.parts.values():
        for name, image, label in zip(split.names, split.images, split.labels, strict=True):
            number = int(Path(name).stem)
            assert np.array_equal(image, PIXELS[number])
            found[number] = data.class_names[label] if data.classes else float(label)
    assert found == labels


NAMES = {number: ("cat", "dog")[number % 2] for number in range(12)}
NUMBERS = {number: str(number % 2) for number in range(12)}


@pytest.mark.parametrize(
    ("header", "row", "labels"),
    [
        ("path,label", "photos/{0:02d}.png,{1}", NAMES),
        (None, "photos/{0:02d}.png,{1}", NAMES),
        (None, "photos/{0:02d}.png,{2}", NUMBERS),
        (None, "photos/{0:02d}.png {2}", NUMBERS),
        ("filename;class", "./photos/{0:02d}.png;{1}", NAMES),
        (None, "{3}/photos/{0:02d}.png\t{1}", NAMES),
        (",image,label", "{0},photos/{0:02d}.png,{1}", NAMES),
        ("label,file,source", "{1},photos/{0:02d}.png,web", NAMES),
    ],
)
def test_lists_of_usual_forms(photos: Path, header: str | None, row: str, labels: dict[int, str]) -> None:
    """Header or none, names or numbers, relative paths or absolute ones, commas, semicolons, tabs or spaces."""
    rows = [row.format(number, NAMES[number], number % 2, photos) for number in range(12)]
    data = of(listing(photos / "all.csv", rows, header))
    check(data, labels)
    assert any("is what is to be found and" in note and "names the images" in note for note in data.notes)


def test_files_of_the_parts_beside_each_other(photos: Path) -> None:
    rows = [f"../photos/{number:02d}.png,{NAMES[number]}" for number in range(12)]
    for name, own in (("train", rows[:6]), ("val", rows[6:9]), ("test", rows[9:])):
        listing(photos / "lists" / f"{name}.csv", own, "path,label")
        listing(photos / "named" / f"labels_{name}.txt", own)
    for folder in ("lists", "named"):
        data = of(photos / folder)
        check(data, NAMES)
        assert [len(split) for split in data.parts.values()] == [6, 3, 3]
    assert [split.names[0][-6:-4] for split in of(photos / "lists", "test").parts.values()] == ["00", "09", "06"]
    listing(photos / "lists" / "val.csv", rows[6:9], "path,name")
    with pytest.raises(DataError, match="do not have the same columns: label and name"):
        of(photos / "lists")
    (photos / "lists" / "train.csv").unlink()
    with pytest.raises(DataError, match="no table to train on") as error:
        of(photos / "lists")
    assert "test.csv and val.csv" in error.value.notes[0]


def test_a_column_says_of_which_part_rows_are(photos: Path) -> None:
    parts = ["train"] * 6 + ["valid"] * 3 + ["test"] * 3
    rows = [f"photos/{number:02d}.png,{NAMES[number]},{parts[number]}" for number in range(12)]
    path = listing(photos / "all.csv", rows, "filepaths,labels,data set")
    for fields in ({}, {"split": "data set"}):
        data = of(path, **fields)
        check(data, NAMES)
        assert [len(split) for split in data.parts.values()] == [6, 3, 3]
        assert [Path(split.names[0]).stem for split in data.parts.values()] == ["00", "06", "09"]
    assert any("data set of all.csv says which rows are to train on" in note for note in of(path).notes)
    assert [Path(split.names[0]).stem for split in of(path, "test").parts.values()] == ["00", "09", "06"]
    check(of(listing(photos / "bare.csv", rows)), NAMES)
    held = of(path, held_out={"data set": ["valid", "test"]})
    assert [len(split) for split in held.parts.values()] == [6, 6]
    with pytest.raises(DataError, match=r"labels of all\.csv has values that name no part: cat and dog"):
        of(path, split="labels")
    with pytest.raises(DataError, match="no column that says which rows are for dev"):
        of(listing(photos / "two.csv", [row.rpartition(",")[0] for row in rows]), "dev")


def test_a_part_of_which_nothing_can_be_used_is_refused(photos: Path) -> None:
    (photos / "lists").mkdir()
    listing(photos / "lists" / "train.csv", [f"photos/{number:02d}.png,{number},1" for number in range(6)], "file,y,x")
    listing(photos / "lists" / "val.csv", [",1,1", ",0,1"], "file,y,x")
    fields = {"path": str(photos / "lists"), "images": str(photos), "inputs": {"image": "file"}, "targets": "y"}
    for stream in ("never", "always"):
        dataset = Table.model_validate(fields).reading(Reading(stream, 0))
        with pytest.raises(DataError, match="lists: no row of a part that is held out can be used") as error:
            dataset.load()
        assert any("2 rows of 8 in lists lack values" in note for note in error.value.notes)


def test_numbers_of_images_and_paths_that_start_elsewhere(photos: Path) -> None:
    rows = [f"{number:02d}.png,{number / 4}" for number in range(12)]
    path = listing(photos / "ages.csv", rows, "file,age")
    check(of(path, images="photos"), {number: number / 4 for number in range(12)})
    with pytest.raises(DataError, match=r"ages.csv names .*00\.png, where there is no file") as error:
        of(path)
    assert "`images: FOLDER` in the dataset" in error.value.help[0]
    lists = [f"photos/{number:02d}.png,{number},{number}" for number in range(12)]
    with pytest.raises(DataError, match="has the columns file, age and size"):
        of(listing(photos / "several.csv", lists, "file,age,size"))
