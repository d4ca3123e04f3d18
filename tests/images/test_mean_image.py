"""The mean image: read from NumPy's and Caffe's files, cut as Caffe cuts it, and kept wherever weights are kept."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from archspec.diagnostics import DataError, SpecError
from archspec.images.mean_image import read_mean_image
from archspec.images.numbers import finished, mean_colour, normalised, scaled
from archspec.inference.presenting import as_images
from archspec.inference.run import Run
from archspec.loading import Spec, load
from archspec.spec.network import ImageInput
from archspec.spec.overrides import python_override
from archspec.training.run import train
from archspec.weights.folder import export_weights, import_weights
from tests.weights.wire import blob

Write = Callable[..., Path]

MEAN = np.random.default_rng(3).uniform(90, 130, (3, 9, 8)).astype(np.float32)
"""As Caffe has it: blue, green and red, then rows."""


def binaryproto(path: Path, sizes: tuple[int, ...] = (1, 3, 9, 8), array: np.ndarray = MEAN) -> Path:
    path.write_bytes(blob(array, sizes, legacy=True))
    return path


@pytest.mark.parametrize("kind", ["CHW", "HWC", "NCHW", "double", "by columns", "binaryproto", "shape", "doubles"])
def test_files_of_both_kinds_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mean.npy"
    if kind in ("binaryproto", "shape", "doubles"):
        path = path.with_suffix(".binaryproto")
        path.write_bytes(blob(MEAN, (1, 3, 9, 8), legacy=kind == "binaryproto", double=kind == "doubles"))
    else:
        arrays: dict[str, np.ndarray] = {
            "HWC": MEAN.transpose(1, 2, 0),
            "NCHW": MEAN[None],
            "double": MEAN.astype(np.float64),
        }
        np.save(path, np.asfortranarray(MEAN) if kind == "by columns" else arrays.get(kind, MEAN))
    found = read_mean_image(path, 5, 5, 3)
    assert np.allclose(found.pixels, MEAN.transpose(1, 2, 0))
    # Caffe's offset is (9 − 5)/2 and (8 − 5)/2, rounded down.
    assert np.array_equal(found.cropped(5, 5), found.pixels[2:7, 1:6])


def test_pixels_less_the_mean_image_and_back(tmp_path: Path) -> None:
    path = binaryproto(tmp_path / "mean.binaryproto")
    input = ImageInput(
        height=5, width=6, channels=3, order="bgr", range=(0, 255), mean_image=str(path), std=(2, 3, 4)
    ).located(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), np.uint8)
    expected = (pixels[..., ::-1] - MEAN.transpose(1, 2, 0)[2:7, 1:7]) / np.array([2, 3, 4])
    assert np.allclose(np.asarray(normalised(jnp.asarray(pixels), input)), expected, atol=1e-4)
    assert np.allclose(np.asarray(finished(scaled(jnp.asarray(pixels), input), input)), expected, atol=1e-4)
    back = as_images(expected, input)
    assert back is not None and np.array_equal(back, pixels)
    assert np.allclose(mean_colour(input) * 255, MEAN[::-1, 2:7, 1:7].mean((1, 2)), atol=1e-3)


DAMAGED: dict[str, tuple[str, bytes]] = {
    "no such kind": (".png", b"\x89PNG\r\n\x1a\n and so on"),
    "empty": (".npy", b""),
    "cut short": (".binaryproto", blob(MEAN, (1, 3, 9, 8), legacy=True)[:-9]),
    "other count": (".binaryproto", blob(MEAN, (1, 3, 9, 7), legacy=True)),
    "negative": (".binaryproto", blob(MEAN, (-1, 3, 9, -8), legacy=True)),
    "overflowing": (".binaryproto", blob(MEAN[:, :1, :1], (2**31, 2**31, 2**31, 3), legacy=False)),
    "many axes": (".binaryproto", blob(MEAN, (1,) * 60 + (3, 9, 8), legacy=False)),
    "not finite": (".binaryproto", blob(MEAN * np.float32(np.nan), (1, 3, 9, 8), legacy=True)),
    "objects": (
        ".npy",
        b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}".ljust(70),
    ),
    "evil header": (".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000),
    "huge shape": (
        ".npy",
        b"\x93NUMPY\x01\x00\x76\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4611686018427387904, 4), }".ljust(118),
    ),
    "deep": (".binaryproto", b"\x3a\xff\xff\xff\xff\x0f"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_no_mean_image_is_refused(tmp_path: Path, what: str) -> None:
    ending, content = DAMAGED[what]
    path = tmp_path / f"mean{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_mean_image(path, 5, 5, 3)
    assert error.value.code == "E542" and str(path) in error.value.message


NET = """
input: {height: 5, width: 6, channels: 3, range: [0, 255], order: bgr, mean_image: mean.binaryproto}
layers:
  - flatten
  - dense: {name: d, units: 2, bias: false}
train: {dataset: {npz: data.npz}, epochs: 1, batch_size: 4}
"""


def changed(spec: Path, path: str, value: Any) -> Spec:
    found = load(spec).changed_by([python_override(tuple(path.split(".")), value)])
    found.graph()
    return found


def test_a_spec_names_it_from_its_own_folder(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    with pytest.raises(SpecError, match=r"(?s)E542.*mean\.binaryproto cannot be read: No such file"):
        load(spec).graph()
    binaryproto(tmp_path / "mean.binaryproto")
    assert load(spec).input.mean_image == str(tmp_path / "mean.binaryproto")
    with pytest.raises(SpecError, match="is 9×8×3, and the input is 10×6×3"):
        changed(spec, "input.height", 10)
    with pytest.raises(SpecError, match="`mean` and `mean_image` are two ways to say one thing"):
        changed(spec, "input.mean", [1, 2, 3])


def test_folders_keep_it(write: Write, tmp_path: Path) -> None:
    """A run and an import are whole without the file that the spec named, and exported weights are too."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (8, 5, 6, 3), np.uint8)
    np.savez(tmp_path / "data.npz", x=pixels, y=np.arange(8) % 2)
    Image.fromarray(pixels[0]).save(tmp_path / "photo.png")
    mean = binaryproto(tmp_path / "mean.binaryproto")
    spec = write(NET)
    weight = rng.normal(size=(2, 90)).astype(np.float32) / 100
    save_file({"d.weight": weight}, tmp_path / "w.safetensors")
    import_weights(str(spec), tmp_path / "w.safetensors", tmp_path / "one")
    done = train(load(spec), tmp_path / "run", progress=False)
    mean.unlink()
    for name in ("one", "run"):
        (kept,) = (tmp_path / name).glob("mean_image-*.npy")
        assert f"mean_image: {kept.name}" in (tmp_path / name / "spec.yaml").read_text()
        shutil.move(tmp_path / name, tmp_path / "elsewhere" / name)
    x = pixels[:1, ..., ::-1] - MEAN.transpose(1, 2, 0)[2:7, 1:7]
    expected = x.transpose(0, 3, 1, 2).reshape(1, -1) @ weight.T
    found = Run(tmp_path / "elsewhere" / "one").predict(tmp_path / "photo.png").outputs["output"]
    assert np.allclose(found, expected, atol=1e-3)
    moved = Run(tmp_path / "elsewhere" / "run")
    assert np.allclose(np.asarray(moved.preprocess(tmp_path / "photo.png")), x, atol=1e-4)
    assert done.record
    # Weights that are exported have it in themselves.
    export_weights(tmp_path / "elsewhere" / "one", tmp_path / "out.safetensors")
    plain = write(NET.replace("mean_image: mean.binaryproto", "mean: [1, 2, 3]"), "plain.yaml")
    import_weights(str(plain), tmp_path / "out.safetensors", tmp_path / "again")
    assert np.array_equal(Run(tmp_path / "again").predict(tmp_path / "photo.png").outputs["output"], found)
    # What is set besides comes before what the weights expect; the image that was kept goes.
    colour = python_override(("input", "mean"), [104, 117, 123])
    import_weights(str(plain), tmp_path / "out.safetensors", tmp_path / "again", overrides=[colour])
    assert load(tmp_path / "again" / "spec.yaml").input.mean == (104, 117, 123)
    assert not list((tmp_path / "again").glob("mean_image*"))


@pytest.mark.slow
def test_a_run_goes_on_with_the_same_mean_image_alone(write: Write, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (8, 5, 6, 3), np.uint8)
    np.savez(tmp_path / "data.npz", x=pixels, y=np.arange(8) % 2)
    mean = binaryproto(tmp_path / "mean.binaryproto")
    spec = write(NET)
    train(load(spec), tmp_path / "run", progress=False)
    longer = changed(spec, "train.epochs", 2)
    assert train(longer, tmp_path / "run", progress=False).record["epoch"] == 2
    binaryproto(mean, array=MEAN + 1)
    with pytest.raises(SpecError, match="mean_image"):
        train(changed(spec, "train.epochs", 2), tmp_path / "run", progress=False)
    train(load(spec), tmp_path / "run", progress=False, overwrite=True)
    assert len(list((tmp_path / "run").glob("mean_image-*.npy"))) == 1
