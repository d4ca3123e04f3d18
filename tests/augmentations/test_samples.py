"""What augmentation makes of samples: labels with their pixels, the same whatever the batch, targets of mixtures."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.augmentations import Augmentation
from archspec.kinds import KindsOf, builtin_kinds, find_kind
from archspec.tasks import COUNTS
from archspec.training.augmentation import Changed, augmented

KEY = jax.random.key(5)
HEIGHT, WIDTH = 9, 12


def chain_of(*kinds: Any) -> Any:
    return KindsOf("augmentations")(list(kinds))


def changes(chain: Any, maps: tuple[str, ...] = (), classes: dict[str, int] | None = None, channels: int = 1) -> Any:
    """The chain as a compiled function of inputs, targets and index; black is the mean colour."""
    changed = Changed({"input": np.zeros(channels, np.float32)}, maps, classes or {})
    return jax.jit(lambda x, y, index, key: augmented({"input": x}, y, index, chain, changed, key))


def pictures(count: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Bytes above 0, so that a border of 0 can be told from them."""
    return np.random.default_rng(seed).integers(1, 256, (count, HEIGHT, WIDTH, channels))


FILLS = ("black", "reflect")
MOVING = {
    fill: changes(
        chain_of(
            "horizontal_flip",
            "vertical_flip",
            {"random_crop": {"padding": [2, 3], "fill": fill}},
            {"rotation": {"degrees": 40, "interpolation": "nearest", "fill": fill, "probability": 0.5}},
            {"affine": {"rotate": 9, "translate": 0.2, "scale": [0.7, 1.2], "shear": [5, 9], "interpolation": "nearest",
                        "fill": fill}},
            {"cutmix": {"probability": 0.7}},
        ),
        ("label",),
    )
    for fill in FILLS
}  # fmt: skip


@pytest.mark.parametrize("fill", [FILLS[0], pytest.param(FILLS[1], marks=pytest.mark.slow)])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_labels_follow_their_pixels(fill: str, seed: int) -> None:
    """A mask that is the image's own bytes stays one; what comes from beyond a black border does not count."""
    labels = pictures(6, seed=seed)[..., 0].astype(np.int32)
    index = jnp.arange(6, dtype=jnp.int32)
    images, targets = MOVING[fill](labels[..., None] / np.float32(255), {"label": labels}, index, jax.random.key(seed))
    bytes_now, found = np.rint(np.asarray(images["input"])[..., 0] * 255), np.asarray(targets["label"])
    assert np.array_equal(found, np.where(bytes_now == 0, -1, bytes_now))
    assert (found == -1).any() == (fill == "black")
    assert not np.array_equal(found, labels)


def test_a_flip_of_all_twice_is_none_and_once_is_numpys() -> None:
    x = pictures(3).astype(np.float32)
    for kind, axis in (("horizontal_flip", 2), ("vertical_flip", 1)):
        once, twice = ([{kind: 1.0}] * number for number in (1, 2))
        index = jnp.arange(3)
        assert np.array_equal(changes(chain_of(*once))(x, {}, index, KEY)[0]["input"], np.flip(x, axis))
        assert np.array_equal(changes(chain_of(*twice))(x, {}, index, KEY)[0]["input"], x)


EVERY = (
    {"random_crop": 2}, "horizontal_flip", {"vertical_flip": 0.3}, {"rotation": 20}, "random_resized_crop",
    {"affine": {"rotate": 5, "shear": 3}}, {"colour_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4,
    "hue": 0.1}}, "pca_noise", {"grayscale": 0.5}, {"blur": {"probability": 0.5}}, {"cutout": {"size": 3, "holes": 2}},
    {"cutout": {"area": [0.05, 0.2], "fill": "noise"}}, "rand_augment", "trivial_augment",
)  # fmt: skip


@pytest.mark.parametrize("chain", [EVERY[:2], pytest.param(EVERY, marks=pytest.mark.minutes)], ids=["two", "all"])
def test_a_sample_is_the_same_in_any_batch_of_its_epoch(chain: tuple[Any, ...]) -> None:
    """Of every kind that mixes nothing, to rounding; and another in another epoch, and beside other samples."""
    run = changes(chain_of(*chain), ("label",), channels=3)
    x = (pictures(6, 3) / 255).astype(np.float32)
    labels = np.arange(6 * HEIGHT * WIDTH, dtype=np.int32).reshape(6, HEIGHT, WIDTH)
    number = np.array([11, 3, 400, 0, 7, 8], np.int32)
    whole, maps = run(x, {"label": labels}, number, KEY)
    order = np.array([4, 0, 2])
    for places in (order, order[::-1]):
        part, own = run(x[places], {"label": labels[places]}, number[places], KEY)
        assert np.allclose(part["input"], whole["input"][places], atol=1e-6)
        assert np.array_equal(own["label"], maps["label"][places])
    filled = run(x[order], {"label": labels[order]}, ~number[order], KEY)[0]["input"]
    assert np.allclose(filled, whole["input"][order], atol=1e-6)
    assert not np.allclose(run(x, {"label": labels}, number, jax.random.key(6))[0]["input"], whole["input"])
    same = run(np.repeat(x[:1], 6, 0), {"label": labels}, number, KEY)[0]["input"]
    assert len(np.unique(np.asarray(same), axis=0)) > 3


@pytest.mark.slow
def test_a_crop_out_of_a_border_is_one_of_numpys() -> None:
    x = pictures(40).astype(np.float32)
    run = changes(chain_of({"random_crop": {"padding": [1, 2], "fill": [0.25]}}))
    found = np.asarray(run(x, {}, jnp.arange(40), KEY)[0]["input"])
    padded = np.pad(x, ((0, 0), (1, 1), (2, 2), (0, 0)), constant_values=0.25)
    seen = set()
    for own, image in zip(found, padded, strict=True):
        places = [
            (row, column)
            for row in range(3)
            for column in range(5)
            if np.array_equal(own, image[row : row + HEIGHT, column : column + WIDTH])
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 10


@pytest.mark.slow
def test_boxes_that_are_painted_over() -> None:
    x = np.full((300, HEIGHT, WIDTH, 1), 0.5, np.float32)
    index = jnp.arange(300, dtype=jnp.int32)
    hidden = np.asarray(changes(chain_of({"cutout": {"size": [3, 5], "fill": "white"}}))(x, {}, index, KEY)[0]["input"])
    areas = (hidden == 1).sum((1, 2, 3))
    assert set(np.unique(hidden)) == {0.5, 1} and areas.max() == 15
    # A box about a pixel drawn anywhere: its height is (6 + 7·3 + 2·2 … )/9 of 3 on average.
    rows = np.mean([min(row + 2, HEIGHT) - max(row - 1, 0) for row in range(HEIGHT)])
    columns = np.mean([min(column + 3, WIDTH) - max(column - 2, 0) for column in range(WIDTH)])
    assert areas.mean() == pytest.approx(rows * columns, rel=0.06)
    run = changes(chain_of({"cutout": {"area": [0.2, 0.4], "probability": 0.25}}))
    shares = (np.asarray(run(x, {}, index, KEY)[0]["input"]) == 0).mean((1, 2, 3))
    assert np.mean(shares > 0) == pytest.approx(0.25, abs=0.08)
    assert shares[shares > 0].min() > 0.13 and shares.max() < 0.47


CLASSES = 4
TARGETS = {
    "kind": jnp.array([2, 0, -1, 3, 1, -1], jnp.int32),
    "truths": jnp.array([[1, 0], [0, 1], [1, 1], [-1, 1], [0, 0], [-1, -1]], jnp.int32),
    "angle": jnp.array([1.0, 2.0, 4.0, 8.0, 16.0, np.nan], jnp.float32),
    COUNTS: jnp.array([0, 0, 0, 0, 0, -1], jnp.int32),
}
INDEX = jnp.array([10, 11, 12, 13, 14, ~10], jnp.int32)
OTHER = np.array([1, None, None, 4, 0, None])
"""Whom a sample can be mixed with: the next, the last that counts with the first; one without a class with none."""


@pytest.mark.parametrize("kind", [pytest.param("mixup", marks=pytest.mark.slow), "cutmix"])
def test_targets_of_mixtures_are_the_shares_of_their_pixels(kind: str) -> None:
    """Each image is of one brightness, the power of two of its place, so that its pixels tell what it is made of."""
    run = changes(chain_of({kind: 1.0}), classes={"kind": CLASSES})
    brightness = 2.0 ** np.arange(6)
    x = np.broadcast_to(brightness[:, None, None, None], (6, 40, 30, 1)).astype(np.float32)
    seen = []
    for seed in range(12):
        images, found = run(x, TARGETS, INDEX, jax.random.key(seed))
        means = np.asarray(images["input"]).mean((1, 2, 3), dtype=np.float64)
        for place, other in enumerate(OTHER):
            own = 1.0
            if other is None:
                assert means[place] == brightness[place]
            else:
                own = (means[place] - brightness[other]) / (brightness[place] - brightness[other])
                seen.append(own)
            wanted = partial(mixed, place, other, own)
            truths = np.where(np.asarray(TARGETS["kind"])[:, None] < 0, np.nan, np.eye(CLASSES)[TARGETS["kind"]])
            many = np.where(np.asarray(TARGETS["truths"]) < 0, np.nan, TARGETS["truths"])
            for name, target in (("kind", truths), ("truths", many), ("angle", np.asarray(TARGETS["angle"]))):
                assert np.allclose(found[name][place], wanted(target), atol=2e-5, equal_nan=True), (name, place)
        assert np.array_equal(found[COUNTS], TARGETS[COUNTS])
    assert min(seen) >= -1e-6 and max(seen) <= 1 + 1e-6 and np.std(seen) > 0.1
    if kind == "cutmix":
        assert set(np.unique(np.asarray(images["input"])[0])) <= {1.0, 2.0}


def mixed(place: int, other: int | None, own: float, target: np.ndarray) -> Any:
    return target[place] if other is None else own * target[place] + (1 - own) * target[other]


@pytest.mark.slow
def test_shares_of_mixtures_are_drawn_from_beta() -> None:
    """Mean ½ and variance 1/(4·(2α + 1)); of boxes, 1 − λ is their area before what is beyond the border is cut off."""
    keys = jax.random.split(jax.random.key(0), 4_000)
    for kind in chain_of({"mixup": 0.4}, {"cutmix": 2.0}):
        drawn = jax.jit(jax.vmap(lambda key, kind=kind: kind.draw(key, (8, 8))))(keys)
        shares = np.asarray(drawn if kind.kind == "mixup" else 1 - drawn[0] ** 2)
        assert shares.mean() == pytest.approx(0.5, abs=0.03)
        assert shares.var() == pytest.approx(1 / (4 * (2 * kind.alpha + 1)), rel=0.1)


@pytest.mark.slow
def test_a_sample_is_mixed_once() -> None:
    """By mixup or else by cutmix; what one has mixed, the next leaves alone."""
    run = changes(chain_of({"mixup": {"alpha": 1.0, "probability": 0.5}}, "cutmix"))
    x = np.broadcast_to(2.0 ** np.arange(8)[:, None, None, None], (8, 16, 16, 1)).astype(np.float32)
    images, found = run(x, {"angle": 2.0 ** jnp.arange(8)}, jnp.arange(8), KEY)
    flat = [len(np.unique(image)) == 1 and image[0, 0, 0] != own[0, 0, 0] for image, own in
            zip(np.asarray(images["input"]), x, strict=True)]  # fmt: skip
    assert 0 < sum(flat) < 8
    assert np.allclose(np.asarray(images["input"]).mean((1, 2, 3)), found["angle"], rtol=1e-4)


def test_every_kind_is_tried_here() -> None:
    tried = {kind.kind for kind in chain_of(*EVERY)} | {"mixup", "cutmix"}
    assert tried == set(builtin_kinds("augmentations"))
    assert all(issubclass(find_kind("augmentations", name) or int, Augmentation) for name in tried)
