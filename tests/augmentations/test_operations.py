"""What augmentations do to an image, against torchvision's outputs for the same parameters; `record_torchvision.py`."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.augmentations._boxes import chosen_box
from archspec.augmentations._policies import GEOMETRIC, OPERATIONS, Ranges, coloured, matrix_of
from archspec.augmentations.pca_noise import PcaNoise
from archspec.augmentations.rand_augment import RANGES as RAND
from archspec.augmentations.random_resized_crop import RandomResizedCrop
from archspec.augmentations.trivial_augment import RANGES as TRIVIAL
from archspec.nn import colours
from archspec.nn.warping import inverse_affine, resampled, resampled_labels, warped
from tests.augmentations import record

Named = dict[str, jax.Array]
RECORDED = record.recorded()
IMAGE = RECORDED.pop("image")
QUANTILES = RECORDED.pop("quantiles")


@jax.jit
def made(x: jax.Array) -> Named:
    """Everything that was recorded, in one program."""
    found: Named = {}
    for index, (angle, translate, scale, shear) in enumerate(record.AFFINE):
        amounts = (jnp.asarray(own, jnp.float32) for own in (np.radians(angle), translate, scale, np.radians(shear)))
        matrix = inverse_affine(*amounts)
        found[f"affine {index} nearest"] = warped(x, matrix, "nearest", 0.0)
        found[f"affine {index} bilinear"] = warped(x, matrix, "bilinear", 0.0)
    turn = inverse_affine(*(jnp.asarray(own, jnp.float32) for own in (-np.radians(25), (0, 0), 1, (0, 0))))
    found["rotation"] = warped(x, turn, "bilinear", 0.0)
    for index, box in enumerate(record.BOXES):
        own = jnp.asarray(box, jnp.float32)
        found[f"box {index}"] = resampled(x, own)
        found[f"labels {index}"] = resampled_labels(x * 255, own)
    for factor in record.FACTORS:
        for name in ("brightness", "contrast", "saturation", "sharpness"):
            found[f"{name} {factor}"] = getattr(colours, name)(x, jnp.float32(factor))
        found[f"hue {factor}"] = colours.hue(x, jnp.float32((factor - 1) / 2))
    found["grey"] = jnp.broadcast_to(colours.grey(x), x.shape)
    found["blurred"] = colours.blurred(x, jnp.float32(1.3), 5)
    found["posterised"] = colours.posterised(x, jnp.float32(3))
    found["solarised"] = colours.solarised(x, jnp.float32(100 / 255))
    found["autocontrast"] = colours.autocontrast(x)
    found["equalised"] = colours.equalised(x)
    return found


@pytest.fixture(scope="module")
def ours() -> Named:
    return made(jnp.asarray(IMAGE / np.float32(255)))


@pytest.mark.parametrize("name", [name for name in RECORDED if not name.startswith(("rand", "trivial"))])
def test_operations_are_torchvisions(ours: Named, name: str) -> None:
    assert np.abs(np.asarray(ours[name]) - RECORDED[name]).max() < 2e-5


@pytest.mark.parametrize(
    ("policy", "ranges"), [("rand", RAND), pytest.param("trivial", TRIVIAL, marks=pytest.mark.slow)]
)
def test_policies_are_torchvisions(policy: str, ranges: Ranges) -> None:
    """Each of the fourteen operations at bin 13 of 31, of either sign; torchvision cuts off to bytes, once or twice."""

    @jax.jit
    @jax.vmap
    def function(operation: jax.Array, amount: jax.Array) -> jax.Array:
        moved = warped(x, matrix_of(operation, amount, ranges, size), "nearest", 0.0)
        return coloured(moved, operation, amount, ranges)

    x, size = jnp.asarray(IMAGE / np.float32(255)), (IMAGE.shape[0], IMAGE.shape[1])
    names = [name for name in RECORDED if name.startswith(policy)]
    places, signs = np.array([[int(part) for part in name.split()[1:]] for name in names]).T
    assert set(places) == set(range(len(OPERATIONS)))
    found = np.asarray(function(jnp.asarray(places), jnp.asarray(signs * 13 / 30, jnp.float32)))
    for name, own in zip(names, found, strict=True):
        operation = OPERATIONS[int(name.split()[1])]
        bytes_off = 1e-3 if operation in (*GEOMETRIC, "identity", "posterise", "solarise", "equalise") else 2
        assert np.abs(own - RECORDED[name]).max() < bytes_off / 255, (name, operation)


def boxes_of() -> Iterator[np.ndarray]:
    keys = jax.random.split(jax.random.key(0), record.DRAWN)
    kind = RandomResizedCrop(scale=record.SCALE, ratio=record.RATIO)
    shares = jax.jit(jax.vmap(lambda key: kind.draw(key, record.SIZE)))(keys)
    yield np.rint(np.asarray(shares) * (*record.SIZE, *record.SIZE))
    generator = np.random.default_rng(0)
    yield np.array([chosen_box(generator, record.SIZE, record.SCALE, record.RATIO) for _ in range(4_000)])


@pytest.mark.slow
def test_boxes_are_drawn_as_torchvision_draws_them() -> None:
    """Each figure's distribution, on the device and on the host, within three standard errors of 20,000 or 4,000."""
    for boxes in boxes_of():
        assert (boxes[:, :2] >= 0).all() and (boxes[:, :2] + boxes[:, 2:] <= record.SIZE).all()
        for column, quantiles in zip(boxes.T, QUANTILES.T, strict=True):
            # Whole numbers: the share below and up to a quantile must have the level between them.
            below = (column[:, None] < quantiles).mean(0)
            until = (column[:, None] <= quantiles).mean(0)
            error = 3 * np.sqrt(0.25 * (1 / len(boxes) + 1 / record.DRAWN))
            assert (below <= record.LEVELS + error).all() and (until >= record.LEVELS - error).all()


def test_a_box_that_never_fits_is_the_middle() -> None:
    assert chosen_box(np.random.default_rng(0), (10, 100), (1.0, 1.0), (1.0, 2.0)) == (0, 40, 10, 20)
    assert chosen_box(np.random.default_rng(0), (100, 10), (1.0, 1.0), (0.5, 1.0)) == (40, 0, 20, 10)


@pytest.mark.slow
def test_colour_noise_has_the_covariance_of_the_pixels() -> None:
    kind = PcaNoise(sigma=0.5)
    drawn = np.asarray(
        jax.jit(jax.vmap(lambda key: kind.draw(key, (1, 1))))(jax.random.split(jax.random.key(1), 20_000))
    )
    vectors, values = np.array(kind.eigenvectors), np.array(kind.eigenvalues)
    assert np.allclose(np.cov(drawn.T), vectors @ np.diag((0.5 * values) ** 2) @ vectors.T, atol=3e-4)
    assert np.abs(drawn.mean(0)).max() < 3e-3
