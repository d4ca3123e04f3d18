"""Pixels as the numbers that a network takes: range, order of channels, mean, standard deviation, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from archspec.explaining.gathering import explain
from archspec.images.numbers import finished, mean_colour, normalised, scaled
from archspec.inference.presenting import as_images
from archspec.inference.run import Run
from archspec.loading import load
from archspec.spec.network import ImageInput
from archspec.weights.folder import export_weights, import_weights

Write = Callable[..., Path]

CAFFE = ImageInput(height=4, width=5, channels=3, order="bgr", range=(0, 255), mean=(103.939, 116.779, 123.68))
"""What the networks of Caffe's model zoo expect."""
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)


def pixels_of(numbers: np.ndarray, input: ImageInput) -> np.ndarray:
    found = as_images(numbers, input)
    assert found is not None
    return found


def test_channels_are_put_into_the_networks_order_before_its_mean() -> None:
    expected = PIXELS[..., [2, 1, 0]] - np.array([103.939, 116.779, 123.68], np.float32)
    assert np.allclose(np.asarray(normalised(jnp.asarray(PIXELS), CAFFE)), expected, atol=1e-5)
    # What augmentations work on has the images' order, and comes out the same.
    shares = scaled(jnp.asarray(PIXELS), CAFFE)
    assert np.allclose(np.asarray(shares) * 255, PIXELS, atol=1e-4)
    assert np.allclose(np.asarray(finished(shares, CAFFE)), expected, atol=1e-4)
    assert np.allclose(mean_colour(CAFFE) * 255, [123.68, 116.779, 103.939])
    assert np.array_equal(pixels_of(expected, CAFFE), PIXELS)


@pytest.mark.parametrize("mean", [None, (1.0, 2.0, 3.0)])
@pytest.mark.parametrize("std", [None, (4.0, 5.0, 6.0)])
def test_every_input_is_undone(mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> None:
    orders: tuple[Literal["rgb", "bgr"] | None, ...] = (None, "rgb", "bgr")
    for order in orders:
        input = ImageInput(height=4, width=5, channels=3, order=order, range=(-2, 3), mean=mean, std=std)
        assert np.array_equal(pixels_of(np.asarray(normalised(jnp.asarray(PIXELS), input)), input), PIXELS)


NET = """
input: {height: 12, width: 12, channels: 3, range: [0, 255], %s}
layers:
  - conv: {name: c, filters: 4, kernel: 5}
  - relu
  - flatten
  - dense: {name: d, units: 3}
"""


def test_a_kernel_whose_channels_are_flipped_is_one_of_the_other_order(write: Write, tmp_path: Path) -> None:
    """A network that was trained on blue, green and red gives its own answers by `order: bgr`, and by a first kernel
    that is flipped by hand; without either it gives others."""
    rng = np.random.default_rng(5)
    tensors: dict[str, np.ndarray] = {
        "c.weight": rng.normal(size=(4, 3, 5, 5)).astype(np.float32) / 255,
        "c.bias": np.zeros(4, np.float32),
        "d.weight": rng.normal(size=(3, 256)).astype(np.float32),
        "d.bias": np.zeros(3, np.float32),
    }
    own = {"bgr": tensors, "flipped": {**tensors, "c.weight": tensors["c.weight"][:, ::-1].copy()}, "as if": tensors}
    means = {"bgr": "order: bgr, mean: [104, 117, 123]", "flipped": "mean: [123, 117, 104]"}
    runs = {}
    for name, arrays in own.items():
        spec = write(NET % means.get(name, means["flipped"]), f"{name}.yaml")
        save_file(arrays, tmp_path / "w.safetensors")
        assert import_weights(str(spec), tmp_path / "w.safetensors", tmp_path / name).full
        runs[name] = Run(tmp_path / name)
    photo = rng.integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    answers = {name: run.predict(tmp_path / "photo.png").outputs["output"] for name, run in runs.items()}
    # By hand, as Caffe would: blue first, less its mean, channels before places.
    x = (photo[..., ::-1] - np.array([104, 117, 123], np.float32)).transpose(2, 0, 1)
    windows = np.stack([x[:, i : i + 5, j : j + 5].reshape(-1) for i in range(8) for j in range(8)])
    maps = np.maximum(tensors["c.weight"].reshape(4, -1) @ windows.T, 0)
    expected = tensors["d.weight"] @ maps.reshape(-1)
    assert np.allclose(answers["bgr"], expected, rtol=1e-3, atol=1e-3)
    assert np.allclose(answers["flipped"], expected, rtol=1e-3, atol=1e-3)
    assert np.abs(answers["as if"] - expected).max() > 0.1
    # Pictures of both show the same colours.
    wanted = ("saliency", "integrated_gradients", "guided_backprop", "filters")
    one, other = (explain(runs[name], tmp_path / "photo.png", methods=wanted) for name in ("bgr", "flipped"))
    assert one.filters is not None and other.filters is not None
    assert np.array_equal(one.filters.kernels, other.filters.kernels)
    for method in wanted[:3]:
        first, second = (made.samples[0].attributions[method].inputs["input"] for made in (one, other))
        assert np.allclose(first, second, atol=1e-3), method
    assert any("blue, green and red" in note for note in one.notes)
    assert not any("blue, green and red" in note for note in other.notes)
    # What is exported says the order, and an import takes it.
    export_weights(tmp_path / "bgr", tmp_path / "out.safetensors")
    again = write(NET % means["flipped"], "again.yaml")
    import_weights(str(again), tmp_path / "out.safetensors", tmp_path / "again")
    assert load(tmp_path / "again" / "spec.yaml").input.order == "bgr"
    back = Run(tmp_path / "again").predict(tmp_path / "photo.png").outputs["output"]
    assert np.array_equal(back, answers["bgr"])


def test_the_order_is_of_colours() -> None:
    with pytest.raises(ValueError, match=r"`order: bgr` is of 3 channels, and the input has 1"):
        ImageInput(height=4, width=4, channels=1, order="bgr")
