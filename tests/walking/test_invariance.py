"""Sweeps of images whose answers are known by hand."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.cli import main
from archspec.diagnostics import DataError, SpecError
from archspec.inference.run import Run
from archspec.walking.curves import _apart, figure
from archspec.walking.invariance import invariance
from archspec.walking.moving import matrix_of, moved
from archspec.walking.ranges import Range, range_of
from archspec.walking.tables import lines
from tests.explaining.test_gathering import imported

SHAPES = """archspec: 1
name: shapes
input: {height: 12, width: 12, channels: 1}
layers:
  - conv: {name: c1, filters: 2, kernel: 3, stride: 2}
  - relu: {name: r1}
  - flatten
  - dense: {name: out, units: 2}
"""
MAP = """archspec: 1
name: map
task: segmentation
input: {height: 9, width: 9, channels: 1}
layers:
  - conv: {name: out, filters: 2, kernel: 1}
"""
VECTOR = """archspec: 1
name: vector
input: {features: 4}
layers:
  - dense: {name: out, units: 2}
"""


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rng = np.random.default_rng(3)
    tensors = {
        "c1.weight": rng.normal(size=(2, 1, 3, 3)),
        "c1.bias": rng.normal(size=2) / 9,
        "out.weight": rng.normal(size=(2, 50)),
        "out.bias": np.zeros(2),
    }
    return imported(tmp_path_factory.mktemp("shapes"), SHAPES, tensors)


IMAGE = np.zeros((12, 12), np.uint8)
IMAGE[3:9, 4:8] = np.random.default_rng(0).integers(90, 255, (6, 4))


def test_images_are_moved_as_numpy_moves_them() -> None:
    image = np.random.default_rng(1).random((8, 8, 3), np.float32)
    fill = np.asarray([0.1, 0.2, 0.3], np.float32)

    def one(kind: Any, value: float, way: Any = "horizontal", over: int = 1) -> np.ndarray:
        return np.asarray(moved(image, matrix_of(kind, way, value)[None], fill, over)[0])

    right = np.broadcast_to(fill, image.shape).copy()
    right[:, 3:] = image[:, :-3]
    assert (one("shift", 3) == right).all()
    down = np.broadcast_to(fill, image.shape).copy()
    down[2:] = image[:-2]
    assert (one("shift", 2, "vertical") == down).all()
    np.testing.assert_allclose(one("rotate", 90), np.rot90(image), atol=1e-5)
    small = image.reshape(4, 2, 4, 2, 3).mean((1, 3))
    np.testing.assert_allclose(one("scale", 0.5, over=2)[2:6, 2:6], small, atol=1e-5)
    assert (one("scale", 0.5, over=2)[0] == fill).all() and (one("scale", 1) == image).all()


def test_scores_are_those_that_predict_gives_for_images_shifted_by_hand(shapes: Run) -> None:
    made = invariance(shapes, IMAGE, shift="-3..3")
    (sweep,) = made.sweeps
    assert sweep.values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    # The image's rim is black, so what rolls in is what comes in.
    rolled = np.stack([np.roll(IMAGE, step, 1) for step in range(-3, 4)])
    predicted = next(iter(shapes.predict(rolled[..., None]).outputs.values()))
    np.testing.assert_allclose(sweep.scores, predicted, atol=1e-4)
    assert (sweep.images[..., 0] == rolled).all() and "rim" in made.border
    top = np.asarray(predicted).argmax(-1)
    assert sweep.same.tolist() == (top == top[3]).tolist() and sweep.answers[3] == made.answer


def test_maps_move_along_by_their_stride_and_not_by_less(shapes: Run) -> None:
    made = invariance(shapes, IMAGE, shift=2)
    found = made.covariance
    assert found is not None and found.path == "c1" and found.pixels == (0, 2) and found.positions == (0, 1)
    assert found.share == 1 and found.gap == 0 and found.overlap == 20 and found.inner == 20
    noise = np.random.default_rng(4).integers(0, 255, (12, 12), dtype=np.uint8)
    found = invariance(shapes, noise, shift="vertical:-2..2").covariance
    assert found is not None and found.pixels == (2, 0) and found.positions == (1, 0)
    assert found.share == 1 and found.inner_gap is not None and found.inner_gap < 1e-6


def test_a_network_of_single_pixels_keeps_every_class(tmp_path: Path) -> None:
    """A 1×1 convolution is covariant under every shift, so a map that is moved back is the one before."""
    weights = {"out.weight": np.asarray([[[[1.0]]], [[[-1.0]]]]), "out.bias": np.asarray([-0.5, 0.5])}
    run = imported(tmp_path, MAP, weights)
    image = np.where(np.random.default_rng(2).random((9, 9)) > 0.5, 255, 0).astype(np.uint8)
    made = invariance(run, image, shift="-4..4", rotate="-90..90", steps=3)
    shift, turn = made.sweeps
    assert shift.stays is not None and (shift.stays == 1).all() and shift.compared is not None
    assert shift.compared.tolist() == [45, 81, 45]
    assert turn.stays is not None and (turn.stays == 1).all()
    assert made.scores.sum() == 1 and len(figure(made).axes) > 6 and any("stays" in line for line in lines(made))


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("shift", "", Range()),
        ("shift", "-8..8", Range(-8, 8)),
        ("shift", "vertical:−4..6", Range(-4, 6, "vertical")),
        ("shift", "diagonal", Range(direction="diagonal")),
        ("rotate", "30", Range(-30, 30)),
        ("scale", ".5..2", Range(0.5, 2)),
        ("scale", "4", Range(0.25, 4)),
    ],
)
def test_ranges(kind: Any, text: str, found: Range) -> None:
    assert range_of(kind, text) == found


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("shift", "runs/lenet5", "no range"),
        ("shift", "-2.5..2", "whole pixels"),
        ("rotate", "vertical:-2..2", "no range"),
        ("rotate", "-1000..3", "-360 to 360"),
        ("scale", "0..2", "factors"),
        ("scale", "1..1", "no range"),
    ],
)
def test_what_is_no_range_is_told_with_a_way_out(kind: Any, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        range_of(kind, text)
    assert raised.value.help


def test_what_cannot_be_swept_says_why(shapes: Run, tmp_path: Path) -> None:
    for given, words in (
        ({"shift": 12}, "nothing is left"),
        ({"shift": 2, "layer": "out"}, "no places"),
        ({"shift": 2, "layer": "c2"}, "no layer"),
        ({"scale": True, "steps": 1}, "steps"),
    ):
        with pytest.raises(SpecError, match=words):
            invariance(shapes, IMAGE, **given)
    with pytest.raises(SpecError, match="no data"):
        invariance(shapes)
    with pytest.raises(SpecError, match="one image"):
        invariance(shapes, np.stack([IMAGE, IMAGE])[..., None])
    vector = imported(tmp_path, VECTOR, {"out.weight": np.ones((2, 4)), "out.bias": np.zeros(2)})
    with pytest.raises(SpecError, match="no image"):
        invariance(vector, [1, 2, 3, 4])


@pytest.mark.slow
def test_the_command_takes_ranges_below_zero(shapes: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    own = ["walkthrough", str(shapes.folder), "--image", str(tmp_path / "a.png")]
    picture = tmp_path / "shift.svg"
    assert main([*own, "--shift", "-3..3", "--scale", "--format", "csv", "-o", str(picture)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 1 + 7 + 17 and rows[1].startswith("shift,-3.0,")
    assert "pixels to the right" in picture.read_text("utf-8")
    assert main([*own, "--shift", "wide"]) == 1 and "E113" in capsys.readouterr().err
    assert main([*own, "--steps", "4", "--format", "json"]) == 1


def test_a_notebook_shows_curves(shapes: Run) -> None:
    made = invariance(shapes, IMAGE, shift=1)
    assert made._repr_png_().startswith(b"\x89PNG")
    assert "<img" in made._repr_html_() and "<table" in made._repr_html_()


def test_names_at_the_ends_lie_apart() -> None:
    places = _apart([0, 1, 2, 50, 51, 100], 10, 100)
    assert all(two - one >= 10 - 1e-9 for one, two in pairwise(places))
    assert places[0] >= 0 and places[-1] <= 100 + 1e-9
