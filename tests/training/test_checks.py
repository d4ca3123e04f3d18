"""Data against a spec: what is suggested is accepted, and labels that count from 1 fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec import load, train
from archspec.data import Data, Split
from archspec.diagnostics import SpecError
from archspec.training.checks import check_data, counted, outward

SPEC = """archspec: 1
name: net
input: {height: 4, width: 4, channels: 1, range: [0, 1]}
layers: [flatten, {dense: 3}]
train: {dataset: {npz: data.npz}}
"""


def data(low: float = 0, high: float = 1, first: int = 0) -> Data:
    images = np.linspace(low, high, 6 * 16, dtype=np.float32).reshape(6, 4, 4, 1)
    labels = np.arange(6, dtype=np.int32) % 3 + first
    split = Split.of(images, labels)
    return Data("d", split, split, {"label": tuple(map(str, range(3 + first)))}, ("a note",))


@pytest.mark.parametrize(
    ("low", "high", "floor", "ceiling"),
    [
        (-4.84129, 4.96871, "-4.842", "4.969"),
        (0, 255, "0", "255"),
        (-1e-7, 3.00001e-7, "-0.0000001", "0.0000003001"),
        (0, 1234567, "0", "1235000"),
        (5, 5, "5", "5.001"),
        (0, 0, "0", "1"),
    ],
)
def test_ranges_are_rounded_outward(low: float, high: float, floor: str, ceiling: str) -> None:
    assert outward(low, high) == (floor, ceiling)
    assert float(floor) <= low and float(ceiling) >= high


@pytest.mark.parametrize("seed", range(20))
def test_the_suggested_range_is_accepted_when_typed(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    low, high = sorted(float(number) for number in generator.normal(size=2) * 10.0 ** generator.integers(-6, 7))
    held = data(low, high + 2)
    (tmp_path / "net.yaml").write_text(SPEC)
    spec = load(tmp_path / "net.yaml")
    with pytest.raises(SpecError) as error:
        check_data(held, spec, spec.graph())
    (found,) = error.value.diagnostics
    assert found.code == "E502"
    typed = found.help[0].removeprefix("--set 'input.range=").removesuffix("'")
    (tmp_path / "net.yaml").write_text(SPEC.replace("[0, 1]", typed))
    spec = load(tmp_path / "net.yaml")
    check_data(held, spec, spec.graph())


def test_labels_that_count_from_1_are_taken_so_where_nothing_else_fits(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    spec = load(tmp_path / "net.yaml")
    made = counted(data(first=1), spec.graph(), spec)
    assert made.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert made.class_names == ("1", "2", "3")
    assert made.notes[0] == "a note" and "labels 1 to 3 are taken as the 3 classes of net" in made.notes[1]
    check_data(made, spec, spec.graph())
    for kept in (data(), data(first=2)):
        assert counted(kept, spec.graph(), spec) is kept


def test_numbers_and_channels_are_counted_in_words(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC.replace("range: [0, 1]", "mean: [1, 2, 3]"))
    with pytest.raises(SpecError, match="has 3 numbers for 1 channel\n"):
        load(tmp_path / "net.yaml").graph()


def test_an_image_that_becomes_too_large_before_it_is_cropped_is_told_of(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((30, 1, 50), np.uint8), y=np.arange(30) % 3)
    (tmp_path / "net.yaml").write_text(SPEC.replace("range: [0, 1]", "fit: crop, short_side: 11000"))
    with pytest.raises(SpecError, match="image of 1×50 would become one of 11000×550000") as error:
        train(load(tmp_path / "net.yaml"), tmp_path / "run", progress=False)
    assert [item.code for item in error.value.diagnostics] == ["E521"]
