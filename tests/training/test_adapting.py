"""Inputs of datasets brought to the form that a network takes, and batches of several."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.data import Split
from archspec.kinds import KindsOf
from archspec.spec.inputs import Input, SignalInput, VectorInput
from archspec.spec.network import ImageInput
from archspec.training import feeding
from archspec.training.adapting import adapted, as_classes, as_positions, unscaled, unscaled_target
from archspec.training.augmentation import Changed, augmented

IMAGE = ImageInput(height=4, width=3, channels=1)
SOUND = SignalInput(length=4, channels=3)
MONO = SignalInput(length=12, channels=1)
FACTS = VectorInput(features=12)
NUMBERS = np.random.default_rng(0).random((5, 12)).astype(np.float32)


@pytest.mark.parametrize(
    ("given", "input", "expected", "words"),
    [
        (NUMBERS.reshape(5, 4, 3), IMAGE, NUMBERS.reshape(5, 4, 3, 1), None),
        (NUMBERS, IMAGE, NUMBERS.reshape(5, 4, 3, 1), "rows of 12 numbers are images of 4×3×1, row by row"),
        (NUMBERS.reshape(5, 4, 3, 1), SOUND, NUMBERS.reshape(5, 4, 3), None),
        (NUMBERS.reshape(5, 3, 4), SOUND, NUMBERS.reshape(5, 3, 4).transpose(0, 2, 1), "N×C×L, 3×4, and read as N×L×C"),
        (NUMBERS, MONO, NUMBERS[..., None], None),
        (
            np.rint(255 * NUMBERS).astype(np.int16),
            MONO,
            np.rint(255 * NUMBERS)[..., None],
            "int16 taken as floating-point",
        ),
        (NUMBERS, FACTS, NUMBERS, None),
        (NUMBERS[:, 0], VectorInput(features=1), NUMBERS[:, :1], None),
    ],
)
def test_numbers_are_arranged_as_the_network_takes_them(
    given: np.ndarray, input: Input, expected: np.ndarray, words: str | None
) -> None:
    notes: list[str] = []
    train, test = adapted([given, given[:2]], "x", input, notes)
    assert np.array_equal(train, expected) and np.array_equal(test, expected[:2])
    assert notes == [] if words is None else (len(notes) == 1 and words in notes[0])


def test_pixels_in_rows_become_bytes() -> None:
    notes: list[str] = []
    pixels = np.rint(255 * NUMBERS)
    (made,) = adapted([pixels], "x", IMAGE, notes)
    assert made.dtype == np.uint8 and np.array_equal(made.reshape(5, 12), pixels)
    assert "pixels from 0 to 255 are bytes" in notes[1]
    # Neither part alone decides, nor does what is 0 and 1, or 0 to 16.
    assert [array.dtype for array in adapted([pixels, np.minimum(pixels, 9)], "x", IMAGE, notes)] == [np.uint8] * 2
    for other in (np.rint(NUMBERS), np.rint(16 * NUMBERS), pixels + 0.5, pixels - 100):
        assert adapted([other], "x", IMAGE, notes)[0].dtype == np.float32


def test_classes_that_are_said_otherwise_are_numbers() -> None:
    kinds, notes = np.arange(6) % 3, list[str]()
    hot = np.eye(3, dtype=np.int8)[kinds]
    made, names = as_classes([hot[:4], hot[4:]], ("a", "b", "c"), "y", notes)
    assert [part.tolist() for part in made] == [[0, 1, 2, 0], [1, 2]] and names == ("a", "b", "c")
    made, names = as_classes([np.array([0.0, 2.0, np.nan]), np.array([1.0])], (), "y", notes)
    assert [part.tolist() for part in made] == [[0, 2, -1], [1]] and names == ("0", "1", "2")
    assert [note.partition(":")[0] for note in notes] == ["y", "y"]
    for other in (hot + hot[::-1], hot[:, :1], kinds + 0.5, kinds - 1.0, kinds):
        assert as_classes([other], (), "y", notes)[0][0] is other
    assert len(notes) == 2


def test_classes_of_positions_are_found_in_every_form() -> None:
    """Labels by position, as other tools write them, are the same numbers in the end."""
    kinds, notes = np.array([[0, 2, 1, 1, 2], [2, 0, 0, 1, 0]]), list[str]()
    hot = np.eye(3, dtype=np.int8)[kinds]
    for form in (kinds, kinds.astype(np.float32), kinds[..., None], hot, hot.astype(np.float32)):
        made, names = as_positions([form, form[:1]], (), "y", notes)
        assert [part.tolist() for part in made] == [kinds.tolist(), kinds[:1].tolist()] and names == ("0", "1", "2")
    assert as_positions([kinds], ("a", "b", "c"), "y", notes)[1] == ("a", "b", "c")
    holes = np.where(kinds == 1, np.nan, kinds)
    for form in (holes, np.where(kinds == 1, -100, kinds)):
        notes.clear()
        (made_again,), _ = as_positions([form], (), "y", notes)
        assert made_again.tolist() == np.where(kinds == 1, -1, kinds).tolist()
        assert notes[0] == "y: 3 positions below 0 or NaN count for nothing"
    for other in (kinds / 2, hot * 0.5, hot + hot[:, ::-1], kinds * 2.0**15, kinds[0]):
        assert as_positions([other], (), "y", notes)[0][0] is other


def test_features_far_from_one_are_told_of_with_what_scales_them() -> None:
    vectors = np.stack([np.array([1.0, 3.0]), np.array([1000.0, 1200.0])], axis=1).astype(np.float32)
    assert unscaled(vectors, "`input` of t.csv", VectorInput(features=2)) == [
        "`input` of t.csv: 1 feature of 2 has numbers far from 1; networks learn better with `mean: [2, 1100]` and "
        "`std: [1, 100]` in the input"
    ]
    assert not unscaled(vectors, "x", VectorInput(features=2, mean=(2.0, 1100.0), std=(1.0, 100.0)))


def test_what_fills_up_a_batch_counts_for_nothing_in_any_target(tmp_path: Path) -> None:
    split = Split(
        {"a": np.arange(5, dtype=np.float32)[:, None], "b": np.arange(20, dtype=np.uint8).reshape(5, 2, 2, 1)},
        {
            "kind": np.arange(5, dtype=np.int32),
            "angle": np.arange(5, dtype=np.float32),
            "labels": np.ones((5, 3), np.int8),
        },
    )
    order = feeding.epoch_order(0, 1, 5, 4)
    for feed in (feeding.DeviceFeed(split), feeding.HostFeed(split)):
        (_, whole, number), (inputs, targets, index) = feed.batches(order)
        assert number.tolist() == order[0].tolist() and index.tolist() == order[1].tolist()
        own = np.where(order[1] < 0, ~order[1], order[1])
        assert np.array_equal(inputs["a"][:, 0], own)  # real samples, for the batch's statistics
        assert np.array_equal(inputs["b"][:, 0, 0, 0], 4 * own)
        assert targets["kind"].tolist() == [own[0], -1, -1, -1]
        assert targets["angle"].tolist()[0] == own[0] and np.isnan(targets["angle"][1:]).all()
        assert targets["labels"].tolist() == [[1, 1, 1], *[[-1, -1, -1]] * 3]
        assert not np.isnan(whole["angle"]).any() and (whole["labels"] == 1).all()


@pytest.mark.slow
def test_all_images_of_a_sample_move_together_and_all_else_stays() -> None:
    image = jnp.asarray(np.random.default_rng(0).random((16, 6, 5, 1)).astype(np.float32)) + 1
    inputs = {
        "left": image,
        "right": jnp.concatenate([image, -image], -1),
        "facts": image[:, 0, :, 0],
        "sound": image[:, 0],
    }
    targets = {"depth": image, "kind": jnp.arange(16), "labels": jnp.ones((16, 3), jnp.int32)}
    both = KindsOf("augmentations")([{"random_crop": 2}, "horizontal_flip"])
    black = {"left": np.zeros(1, np.float32), "right": np.zeros(2, np.float32)}
    changed, number = Changed(black, {"depth"}, {}), jnp.arange(16)
    targets["tones"] = targets["depth"][..., 0]  # of a signal, which has as many axes as a map
    moved, found = augmented(inputs, targets, number, both, changed, jax.random.key(0))
    assert not np.array_equal(moved["left"], image)
    assert np.array_equal(moved["right"], jnp.concatenate([moved["left"], -moved["left"]], -1))
    inside = ~np.isnan(np.asarray(found["depth"]))
    assert np.array_equal(np.asarray(found["depth"])[inside], np.asarray(moved["left"])[inside])
    assert 0 < (~inside).sum() == (np.asarray(moved["left"]) == 0).sum()
    for name in ("facts", "sound"):
        assert np.array_equal(moved[name], inputs[name])
    for name in ("kind", "labels", "tones"):
        assert np.array_equal(found[name], targets[name])
    sounds = {"sound": image[:, 0]}
    assert np.array_equal(
        augmented(sounds, {"depth": image}, number, both, changed, jax.random.key(0))[1]["depth"], image
    )


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([80_000, 100_000, np.nan], "numbers of 90,000 ± 10,000, where .* divided by 100,000"),
        ([-300, 300], "numbers of 0 ± 300, .* divided by 100"),
        ([-60, 60], None),
        ([np.nan], None),
    ],
)
def test_targets_in_units_that_are_too_small_are_noted(numbers: list[float], said: str | None) -> None:
    notes = unscaled_target(np.array(numbers, np.float32), "price")
    assert notes == [] if said is None else (len(notes) == 1 and re.search(said, notes[0]))
