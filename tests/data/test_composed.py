"""Datasets composed of the package's digits: what is shown is what the targets say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from archspec.data import Dataset, Split, as_array
from archspec.data.digit_pairs import DigitPairs
from archspec.data.digit_sets import DigitSets
from archspec.data.digit_sums import DigitSums
from archspec.data.mnist5k import Mnist5k
from archspec.data.rotated_digits import RotatedDigits, turned
from archspec.data.waveforms import SHAPES, Waveforms, waveforms
from archspec.diagnostics import DataError

Known = dict[bytes, int]


@pytest.fixture(scope="module")
def known() -> tuple[Known, Known]:
    """The number that each digit to train on, and each held out, shows."""
    data = Mnist5k().load()
    train, test = (
        {image.tobytes(): int(label) for image, label in zip(split.images, split.labels, strict=True)}
        for split in (data.train, data.validation)
    )
    return train, test


def numbers(images: np.ndarray, known: Known) -> np.ndarray:
    return np.array([known[image.tobytes()] for image in images])


@pytest.mark.parametrize("kind", [DigitPairs, DigitSums, RotatedDigits, DigitSets, Waveforms])
def test_the_seed_decides_alone(kind: type[Dataset]) -> None:
    def arrays(seed: int) -> list[np.ndarray]:
        data = kind.model_validate({"train": 20, "test": 10, "seed": seed}).load()
        parts: list[Split] = [data.train, data.validation]
        assert [len(part) for part in parts] == [20, 10]
        return [as_array(values) for part in parts for values in (*part.inputs.values(), *part.targets.values())]

    assert all(map(np.array_equal, arrays(0), arrays(0)))
    assert not any(map(np.array_equal, arrays(0), arrays(1)))
    with pytest.raises(ValueError, match="samples, more than 1,000,000"):
        kind.model_validate({"train": 10**6})


def test_pairs_are_the_same_or_not(known: tuple[Known, Known]) -> None:
    data = DigitPairs(train=1000, test=500).load()
    for split, own in zip((data.train, data.validation), known, strict=True):
        left, right = (numbers(as_array(split.inputs[name]), own) for name in ("left", "right"))
        assert np.array_equal(left == right, as_array(split.targets["same"]))
        assert as_array(split.targets["same"]).mean() == 0.5
        assert not (as_array(split.inputs["left"]) == as_array(split.inputs["right"])).all((1, 2, 3)).any()
        others = np.bincount(left[left != right] * 10 + right[left != right], minlength=100).reshape(10, 10)
        assert (others > 0).sum() > 80
    assert data.classes == {"same": ("different", "same")}


def test_sums_need_both_inputs(known: tuple[Known, Known]) -> None:
    data = DigitSums(train=2000, test=500).load()
    for split, own in zip((data.train, data.validation), known, strict=True):
        digit = numbers(as_array(split.inputs["image"]), own)
        assert (as_array(split.inputs["number"]).sum(1) == 1).all()
        assert np.array_equal(digit + as_array(split.inputs["number"]).argmax(1), as_array(split.targets["sum"]))
    both = np.zeros((10, 19))
    np.add.at(both, (numbers(as_array(data.train.inputs["image"]), known[0]), as_array(data.train.targets["sum"])), 1)
    assert ((both > 5).sum(1) == 10).all()  # every digit goes with ten sums


def test_digits_are_turned_as_pillow_turns_them() -> None:
    data = Mnist5k().load()
    for angle in (-60.0, -7.5, 0.0, 33.0):
        (made,) = turned(data.validation.images[3:4, ..., 0], np.radians([angle]))
        theirs = Image.fromarray(data.validation.images[3, ..., 0]).rotate(angle, Image.Resampling.BILINEAR)
        assert np.abs(made.astype(int) - np.asarray(theirs)).max() <= 2


def test_angles_are_of_the_unit_and_range_that_is_asked_for() -> None:
    degrees = RotatedDigits(train=300, test=20, largest=30).load()
    radians = RotatedDigits(train=300, test=20, largest=30, unit="radians").load()
    angles = as_array(degrees.train.targets["angle"])
    assert angles.dtype == np.float32 and degrees.classes == {}
    assert np.allclose(np.radians(angles), as_array(radians.train.targets["angle"]))
    assert np.array_equal(as_array(degrees.train.inputs["image"]), as_array(radians.train.inputs["image"]))
    assert -30 <= angles.min() < -28 and 28 < angles.max() <= 30
    with pytest.raises(ValueError, match="below 180"):
        RotatedDigits(largest=180)


def test_sets_are_of_the_digits_that_lie_there() -> None:
    ones = DigitSets(train=200, test=100, most=1).load()
    assert (as_array(ones.train.targets["digits"]).sum(1) == 1).all()
    several = DigitSets(train=200, test=100).load()
    counts = as_array(several.train.targets["digits"]).sum(1)
    assert counts.min() == 1 and counts.max() == 4
    # An image's ink is about that of its digits.
    ink = (as_array(several.train.inputs["image"]) > 96).sum((1, 2, 3))
    assert [round(float(ink[counts == number].mean() / ink[counts == 1].mean()), 1) for number in (2, 3)] >= [1.5, 2.3]
    with pytest.raises(DataError, match="no room"):
        DigitSets(height=27).load()


def test_a_set_of_one_digit_is_that_digit(known: tuple[Known, Known]) -> None:
    data = DigitSets(train=1, test=50, most=1, height=28, width=28).load()
    inked = {_ink(np.frombuffer(digit, np.uint8)): number for digit, number in known[1].items()}
    for image, label in zip(
        as_array(data.validation.inputs["image"]), as_array(data.validation.targets["digits"]), strict=True
    ):
        assert label.argmax() == inked[_ink(image)]


def _ink(image: np.ndarray) -> bytes:
    """A digit's pixels within its bounds."""
    pixels = image.reshape(28, 28)
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    own = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return bytes(own.shape) + own.tobytes()


def test_waveforms_are_scipys() -> None:
    from scipy import signal  # type: ignore[import-untyped]

    length, period, start = 256, 29.3, 0.35
    turns = start + np.arange(length) / period
    at = 2 * np.pi * turns
    expected = {
        "sine": np.sqrt(2) * np.sin(at),
        "square": signal.square(at),
        "sawtooth": np.sqrt(3) * signal.sawtooth(at),
        "triangle": -np.sqrt(3) * signal.sawtooth(at, 0.5),
        "chirp": np.sqrt(2) * signal.chirp(np.arange(length), 1 / period, length, 4 / period, phi=360 * start - 90),
    }
    assert tuple(expected) == SHAPES
    count = len(SHAPES)
    found = waveforms(np.arange(count), np.full(count, period), np.full(count, start), length)
    assert np.allclose(found, list(expected.values()), atol=1e-9)


def test_waveforms_are_equally_loud_and_frequent() -> None:
    data = Waveforms(noise=0, length=1024, train=1003, test=10).load()
    assert data.train.images.shape == (1003, 1024, 1)
    assert np.abs((data.train.images[..., 0] ** 2).mean(1) - 1).max() < 0.15
    assert sorted(np.bincount(data.train.labels)) == [200, 200, 201, 201, 201]
    noisy = Waveforms(noise=0.5, length=1024, train=1003, test=10).load()
    assert (noisy.train.images - data.train.images).std() == pytest.approx(0.5, rel=0.01)
    # Square waves have two values, and no other class has.
    two = np.array([len(np.unique(wave)) == 2 for wave in data.train.images[..., 0]])
    assert np.array_equal(two, data.train.labels == SHAPES.index("square"))
    with pytest.raises(ValueError, match="`length` is 32 or more"):
        Waveforms(length=31)
    with pytest.raises(DataError, match="numbers in all signals, more than"):
        Waveforms(length=10**6).load()


def test_pieces_of_waveforms_are_where_their_classes_say() -> None:
    data = Waveforms(length=300, pieces=3, noise=0, train=60, test=5).load()
    labels, waves = data.train.labels, data.train.images[..., 0]
    assert labels.shape == waves.shape == (60, 300) and data.positions == {"label"} and data.classes["label"] == SHAPES
    sizes = set()
    for label, wave in zip(labels, waves, strict=True):
        edges = [0, *(np.flatnonzero(np.diff(label)) + 1), 300]
        assert len(edges) == 4  # neighbours differ, so each edge shows
        for begin, end in itertools.pairwise(edges):
            sizes.add(end - begin)
            # A square wave has two values, and no other has.
            assert (len(np.unique(wave[begin:end])) == 2) == (SHAPES[label[begin]] == "square")
            assert (wave[begin:end] ** 2).mean() == pytest.approx(1, abs=0.5)
    assert 50 <= min(sizes) < 65 and 135 < max(sizes) <= 150
    assert np.bincount(labels[:, 0]).tolist() == [12] * 5 and (np.bincount(labels.ravel()) > 2400).all()
    with pytest.raises(ValueError, match="64 or more for each of the `pieces`"):
        Waveforms(length=128, pieces=3)
