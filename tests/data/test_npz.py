"""Archives with arrays by name: several inputs and targets, of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.data import Data, as_array, loaded
from archspec.data.npz import Npz
from archspec.diagnostics import DataError

SIDE = np.random.default_rng(0).integers(0, 256, (20, 4, 4), np.uint8)

ANGLES = np.arange(20) / 3


def of(folder: Path, fields: dict[str, Any], **arrays: Any) -> Data:
    np.savez(folder / "d.npz", **arrays)
    return loaded(Npz.model_validate({"path": str(folder / "d.npz"), **fields}))


def test_arrays_are_inputs_and_targets_by_their_names(tmp_path: Path) -> None:
    speed, angle = np.linspace(0, 1, 40).reshape(20, 2), np.linspace(-1, 1, 20)
    fields = {"inputs": {"camera": "images", "speed": "kmh"}, "targets": ["angle", "brake"], "holdout": 0.25}
    data = of(tmp_path, fields, images=SIDE, kmh=speed, angle=angle, brake=np.arange(20) % 2, extra=angle)
    assert [len(data.train), len(data.validation)] == [15, 5]
    for split in (data.train, data.validation):
        own = [int(np.flatnonzero((image[..., 0] == SIDE).all((1, 2)))[0]) for image in split.inputs["camera"]]
        assert (
            np.allclose(as_array(split.inputs["speed"]), speed[own])
            and as_array(split.inputs["speed"]).dtype == np.float32
        )
        assert (
            np.allclose(as_array(split.targets["angle"]), angle[own])
            and as_array(split.targets["angle"]).dtype == np.float32
        )
        assert as_array(split.targets["brake"]).tolist() == [place % 2 for place in own]
    assert data.classes == {"brake": ("0", "1")}
    assert data.notes == ("extra of d.npz is not used",)


@pytest.mark.parametrize("form", ["{}_train {}_test", "train_{} test_{}"])
def test_files_that_are_split_are_taken_as_they_are(tmp_path: Path, form: str) -> None:
    arrays = {
        name.format(key): array[part]
        for key, array in (("images", SIDE), ("labels", np.arange(20)[:, None] % 3))
        for name, part in zip(form.split(), (np.s_[:14], np.s_[14:]), strict=True)
    }
    data = of(tmp_path, {}, **arrays)
    assert np.array_equal(data.train.images[..., 0], SIDE[:14]) and np.array_equal(
        data.validation.images[..., 0], SIDE[14:]
    )
    assert data.train.labels.tolist() == [place % 3 for place in range(14)] and data.class_count == 3
    other = of(tmp_path, {"inputs": {"a": "images"}, "targets": []}, **arrays)
    assert list(other.train.inputs) == ["a"] and other.train.targets == {}


@pytest.mark.parametrize(
    ("y", "kind", "classes", "words"),
    [
        (np.arange(20) * 2.5, "float32", None, None),
        (np.where(np.arange(20) < 3, np.nan, 1.5), "float32", None, "3 numbers of 20 are NaN"),
        (np.arange(20) - 7, "float32", None, "from -7 to 12, and taken as floating-point"),
        (np.arange(20) % 2 * 2 - 1, "int32", 2, "taken as the classes 0 and 1"),
        (np.eye(4)[np.arange(20) % 4], "int8", 4, None),
        ((np.arange(60).reshape(20, 3) % 2).astype(bool), "int8", 3, None),
        (np.arange(60).reshape(20, 3) % 3 - 1, "int8", 3, None),
        (np.arange(60).reshape(20, 3), "float32", None, None),
        (np.ones((20, 4, 4, 2)), "float32", None, None),
        (np.arange(20 * 16).reshape(20, 4, 4) % 3, "int8", 3, None),
    ],
)
def test_targets_are_what_their_numbers_are(
    tmp_path: Path, y: np.ndarray, kind: str, classes: int | None, words: str | None
) -> None:
    data = of(tmp_path, {"targets": "y", "inputs": "x"}, x=SIDE, y=y)
    assert data.train.labels.dtype == kind and data.train.labels.shape[1:] == y.shape[1:]
    assert len(data.classes.get("y", ())) == (classes or 0)
    said = [note for note in data.notes if note.startswith("y of d.npz")]
    assert words in said[0] if words else not said
    # As x and y of themselves, nothing is otherwise.
    assert np.array_equal(of(tmp_path, {}, x=SIDE, y=y).train.labels, data.train.labels, equal_nan=True)


def test_numbers_that_are_whole_in_one_part_alone_are_numbers_in_both(tmp_path: Path) -> None:
    y = np.arange(20) - 5
    arrays = {"x_train": SIDE[:10], "x_test": SIDE[10:], "y_train": y[:10], "y_test": y[10:]}
    data = of(tmp_path, {}, **arrays)
    assert data.train.labels.dtype == data.validation.labels.dtype == np.float32 and data.classes == {}


@pytest.mark.parametrize(
    ("x", "kind", "shape", "words"),
    [
        (SIDE[:, 0], "float32", (4,), "taken as floating-point"),
        (SIDE[:, 0, 0], "float32", (1,), "taken as floating-point"),
        (SIDE.astype(np.int64), "uint8", (4, 4, 1), "and taken as bytes"),
        (SIDE.astype(np.int16) * 100, "float32", (4, 4, 1), "taken as floating-point"),
        (SIDE[..., None] > 99, "float32", (4, 4, 1), "bool up to 1, and taken as floating-point"),
        (SIDE[:, None].repeat(3, 1).repeat(2, 3), "uint8", (4, 8, 3), "N×C×H×W and read as N×H×W×C"),
    ],
)
def test_inputs_are_brought_to_their_types_and_that_is_said(
    tmp_path: Path, x: np.ndarray, kind: str, shape: tuple[int, ...], words: str
) -> None:
    data = of(tmp_path, {}, x=x, y=np.arange(20) / 3)
    assert data.train.images.dtype == kind and data.train.images.shape[1:] == shape
    assert words in data.notes[0]


@pytest.mark.parametrize(
    ("fields", "arrays", "words"),
    [
        ({"inputs": ["lfet"], "targets": []}, {"left": SIDE}, "has no array lfet, nor lfet_train and lfet_test"),
        ({"inputs": ["left"], "targets": ["y"]}, {"left": SIDE, "y": np.arange(7)}, "has 20 samples, but y of d.npz 7"),
        ({"inputs": ["a", "b"], "targets": []}, {"a_train": SIDE, "a_test": SIDE, "b": SIDE}, "some arrays in two"),
        ({"inputs": ["a"], "targets": []}, {"a": np.where(SIDE > 250, np.inf, SIDE)}, "not finite"),
        (
            {},
            {"x_train": SIDE, "x_test": SIDE[:, :3], "y_train": ANGLES, "y_test": ANGLES},
            "training's input is N×4×4",
        ),
        ({"inputs": ["a"], "targets": []}, {"a": np.array(["x"] * 20)}, "are no numbers"),
        ({"inputs": ["a"], "targets": []}, {"a_train": SIDE, "a_test": SIDE / 255}, "is taken as uint8, but the test"),
    ],
)
def test_what_is_no_dataset_is_told_of(
    tmp_path: Path, fields: dict[str, Any], arrays: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words) as error:
        of(tmp_path, fields, **arrays)
    assert error.value.code == "E507"
    assert not fields or "lfet" not in fields["inputs"] or error.value.help == ("did you mean `left`?",)


def test_names_are_texts() -> None:
    with pytest.raises(ValueError, match="must be names of arrays"):
        Npz.model_validate({"path": "a", "inputs": [1]})


def test_three_parts(tmp_path: Path) -> None:
    """As MedMNIST has them, labels being columns."""
    sizes = {"train": 12, "val": 3, "test": 5}
    arrays = {f"{part}_images": SIDE[:size] for part, size in sizes.items()}
    labels = {f"{part}_labels": np.arange(size, dtype=np.uint8)[:, None] % 3 for part, size in sizes.items()}
    data = of(tmp_path, {}, **arrays, **labels)
    assert {part: len(split) for part, split in data.parts.items()} == dict(
        zip(data.parts, sizes.values(), strict=True)
    )
    assert list(data.parts) == ["train", "validation", "test"] and data.class_count == 3
    # More than one input, and the parts at the ends.
    several = {f"{name}_{part}": SIDE[:size] for part, size in sizes.items() for name in ("left", "right", "y")}
    data = of(tmp_path, {"inputs": ["left", "right"], "targets": "y"}, **several)
    assert [len(split) for split in data.parts.values()] == [12, 3, 5]
