"""Images as samples: files and folders of them, Pillow's, arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, count
from archspec.images.files import MODES, USUAL, as_pixels, find_images, read_pixels
from archspec.images.fitting import fitted_images, plan
from archspec.inference.archives import read_array
from archspec.inference.given import Reading, Sample, Samples, a_kind, as_array, sizes
from archspec.spec.network import ImageInput


def images_of(given: Any, name: str, input: ImageInput, reading: Reading) -> Samples:
    """The samples of an image. Raises `TypeError`, `ValueError`, and `DataError` for files."""
    from PIL import Image

    samples = Samples([], [])
    kinds: set[str] = set()

    def add(called: str, kind: str, read: Callable[[], np.ndarray]) -> None:
        kinds.add(kind)
        samples.names.append(called)
        samples.reads.append(lambda: fitted(read(), input, reading))

    def arrays(array: np.ndarray, name: str, file: str | None, *, within: bool = False) -> None:
        images = pixels_of(array, name, input, alone=within)
        if reading.invert:
            low, high = (0, 255) if images.dtype == np.uint8 else input.range
            images = (images.dtype.type(low + high) - images).astype(images.dtype)
        for place, image in enumerate(images):
            called = f"{file}[{place}]" if file else _number(samples)
            add(called, "bytes" if image.dtype == np.uint8 else "numbers", partial(np.asarray, image))

    def take(item: Any, *, within: bool) -> None:
        if isinstance(item, (str, os.PathLike)):
            if Path(item).suffix.lower() in (".npy", ".npz"):
                arrays(read_array(Path(item), name, input, reading), name, str(item))
                return
            _check_channels(name, input)
            for path in _files(Path(item), reading):
                add(str(path), "bytes", reader_of(path, input, reading))
        elif isinstance(item, Image.Image):
            _check_channels(name, input)
            add(_number(samples), "bytes", _converter(item, input, reading))
        elif hasattr(item, "shape") and hasattr(item, "dtype"):
            arrays(as_array(item), name, None, within=within)
        elif isinstance(item, Iterable) and not isinstance(item, (bytes, bytearray, Mapping)) and not within:
            for inner in item:
                take(inner, within=True)
        else:
            raise TypeError(
                f"input `{name}` takes images: paths of files or folders, Pillow images, arrays of bytes (uint8) of "
                f"any size, or lists of these, not {a_kind(item)}"
            )

    take(given, within=False)
    if len(kinds) > 1:
        raise TypeError(
            f"input `{name}` is given images of bytes and arrays of floating-point numbers together: give one of them"
        )
    return samples


def reader_of(path: Path, input: ImageInput, reading: Reading) -> Callable[[], np.ndarray]:
    """What reads the pixels of an image's file."""

    def read() -> np.ndarray:
        pixels = read_pixels(path, MODES[input.channels], reading.seen)
        return 255 - pixels if reading.invert else pixels

    return read


def _converter(image: Any, input: ImageInput, reading: Reading) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        pixels = as_pixels(image, MODES[input.channels])
        return 255 - pixels if reading.invert else pixels

    return read


def _number(samples: Samples) -> str:
    return str(len(samples.names))


def _check_channels(name: str, input: ImageInput) -> None:
    if input.channels not in MODES:
        raise DataError("E521", f"input `{name}` has {count(input.channels, 'channel')}; image files have 1, 3 or 4")


def _files(path: Path, reading: Reading) -> list[Path]:
    """A file itself, or the images in a folder; what is passed over there is noted. Raises `DataError`."""
    if not path.is_dir():
        return [path]
    own, deep = find_images(path, deep=False), find_images(path)
    deeper = len(deep.paths) - len(own.paths)
    if not own.paths:
        more = [f"the folders in it have {count(deeper, 'image')}"] if deeper else []
        raise DataError("E521", f"{path} has no images", notes=more, help=[f"files end in {USUAL}"])
    if deeper:
        own.passed["image|in the folders within it"] += deeper
    reading.notes.extend(own.notes(path))
    return own.paths


def pixels_of(array: np.ndarray, name: str, input: ImageInput, *, alone: bool = False) -> np.ndarray:
    """Images (N, H, W, C) with the input's channels, of an array of one or, unless `alone`, of several.

    Bytes are pictures: their channels are changed as those of files are, grey to colour and back. Floating-point
    numbers lie in `input.range`, and have the input's channels.
    """
    bytes_of = array.dtype == np.uint8
    if not bytes_of and not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"input `{name}` takes bytes (uint8, 0 to 255) or floating-point numbers from {input.range[0]:g} to "
            f"{input.range[1]:g}, and was given {array.dtype}{_AS_BYTES.get(array.dtype.kind, '')}"
        )
    images = _four_axes(array, name, input, alone)
    if 0 in images.shape[1:]:
        raise ValueError(f"input `{name}` was given images without pixels, {sizes(array.shape)}")
    channels = images.shape[-1]
    if not bytes_of:
        if channels != input.channels:
            raise ValueError(f"input `{name}` has {count(input.channels, 'channel')}, and was given {channels}")
        _check_range(images, name, input)
        return images.astype(np.float32, copy=False)
    if channels == input.channels:
        return images
    if input.channels not in MODES or channels not in MODES:
        raise ValueError(f"input `{name}` has {count(input.channels, 'channel')}, and was given {channels}")
    from PIL import Image

    flat = images[..., 0] if channels == 1 else images
    made = [as_pixels(Image.fromarray(np.ascontiguousarray(image)), MODES[input.channels]) for image in flat]
    return np.stack(made) if made else images[..., :1].repeat(input.channels, -1)


def _four_axes(array: np.ndarray, name: str, input: ImageInput, alone: bool) -> np.ndarray:
    shape = array.shape
    known = {*MODES, input.channels}
    said = sizes(shape)
    size = f"height, width, {input.channels}"
    if array.ndim == 2:
        return array[None, ..., None]
    if array.ndim == 3:
        if shape[-1] in known:
            return array[None]
        if shape[0] == input.channels != 1:
            raise ValueError(
                f"input `{name}` takes images ({size}), and was given {said}, with channels first: "
                "numpy.moveaxis(x, 0, -1) puts them last"
            )
        if input.channels == 1 and not alone and shape[-1] > max(MODES):
            return array[..., None]
    if array.ndim == 4 and not alone:
        if shape[-1] in known:
            return array
        if shape[1] in known:
            raise ValueError(
                f"input `{name}` takes images (number, {size}), and was given {said}, with channels first (NCHW): "
                "numpy.moveaxis(x, 1, -1) puts them last"
            )
    if array.ndim == 4 and alone:
        raise ValueError(
            f"a list for input `{name}` has an image in each place, ({size}), and was given {said}: a batch is given "
            "as it is, without a list around it"
        )
    raise ValueError(f"input `{name}` takes images ({size}) or a batch of them (number, {size}), and was given {said}")


def _check_range(images: np.ndarray, name: str, input: ImageInput) -> None:
    if not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"input `{name}` was given numbers that are not finite")
    if low >= input.range[0] and high <= input.range[1]:
        return
    raise ValueError(
        f"pixels for input `{name}` run from {low:.4g} to {high:.4g}, but `input.range` is {input.range[0]:g} to "
        f"{input.range[1]:g}: give bytes (uint8), or numbers before `mean` and `std` are applied; what is prepared "
        "already goes into `run.network(x)`"
    )


def fitted(pixels: np.ndarray, input: ImageInput, reading: Reading) -> Sample:
    """Pixels (height, width, channels) at the input's size."""
    way = plan((pixels.shape[0], pixels.shape[1]), input, reading.preparation)
    low = 0.0 if pixels.dtype == np.uint8 else input.range[0]
    return Sample(fitted_images(pixels[None], way, low)[0], way)


_AS_BYTES = {
    "i": ": `.astype('uint8')` makes bytes of numbers from 0 to 255",
    "u": ": `.astype('uint8')` makes bytes of numbers from 0 to 255",
    "b": ": `.astype('uint8') * 255` makes black and white of truths",
    "U": ", which is text: paths are given as they are, or in a list",
    "O": ": images of different sizes are given in a list",
}
"""What makes pixels of arrays of other kinds."""
