"""What the samples of data look like: sizes, colours, means, how many there are of each class."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from archspec.data import Column, Data, Split, Values
from archspec.diagnostics import DataError, count, listed
from archspec.images.files import bounded

HEADERS = 20_000
"""The headers of so many images are read; of more, those of some, evenly spread."""
MEANS = 256
"""Means are those of so many samples, evenly spread."""
LONG, NARROW = 16, 8
"""Arrays N×L×C of at least so many numbers in a row, and at most so many channels, are signals and no grey images."""
SWAPPED = (5, 6, 7, 8)
"""Values of EXIF's orientation with which height and width change places."""
ORIENTATION = 0x0112
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"}
"""Pillow's modes without colours."""
CLEAR = {"LA", "La", "PA", "RGBA", "RGBa"}
"""Those with transparency."""


class Sizes(NamedTuple):
    """Heights and widths of images: their medians, the smallest and the largest of each."""

    median: tuple[int, int]
    least: tuple[int, int]
    most: tuple[int, int]

    @property
    def same(self) -> bool:
        """Whether all are of one size."""
        return self.least == self.most

    def __str__(self) -> str:
        if self.same:
            return f"{_by(self.median)} for all"
        return f"{_by(self.least)} to {_by(self.most)}, in the middle {_by(self.median)}"


class Look(NamedTuple):
    """What is known of the samples. `form` is image, signal or vector; `shape` is that of one without images' channels.

    `grey` says of images that none has colours. `mean` and `std` are of channels or features, of images in 0 to 1.
    """

    form: str
    shape: tuple[int, ...]
    sizes: Sizes | None
    grey: bool
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    unreadable: int
    said: tuple[str, ...]


def look(data: Data) -> Look:
    """Looks at samples of data with one input and one target. Raises `DataError` for others."""
    for what, part in (("inputs", data.train.inputs), ("targets", data.train.targets)):
        if len(part) != 1:
            names = listed(part) or "none"
            raise DataError(
                "E507",
                f"{data.name} has {count(len(part), what[:-1])}: {names}; a spec is begun for data with one",
                help=["docs/language.md has networks with several inputs, and docs/training.md with several outputs"],
            )
    (values,) = data.train.inputs.values()
    if values.ndim == 4 and values.dtype.kind == "f" and not isinstance(values, Column):
        length, channels, last = values.shape[1:]
        if (
            last == 1 and channels <= NARROW and length >= LONG
        ):  # what an .npz has as N×L×C, a signal's network takes so
            mean, std = _moments(list(values[..., 0]))
            said = (
                f"samples of {length}×{channels} are taken for signals of {count(channels, 'channel')}, not for images"
            )
            return Look("signal", (length, channels), None, False, mean, std, 0, (said,))
    if values.ndim == 4:
        return _images(data, values)
    mean, std = _moments(_sampled(values))
    return Look("signal" if values.ndim == 3 else "vector", tuple(values.shape[1:]), None, False, mean, std, 0, ())


def _images(data: Data, values: Values) -> Look:
    splits = list(data.parts.values())
    total = sum(map(len, splits))
    files = [name for split in splits for name in split.names]
    said: list[str] = []
    unreadable = 0
    if isinstance(values, Column) and len(files) == total and all(map(os.path.isfile, files[:5])):
        headers, unreadable = _headers(files)
        if len(files) > HEADERS:
            said.append(f"sizes are of {HEADERS:,} of {count(len(files), 'image')}, evenly spread")
    elif isinstance(values, Column):
        headers = _read_ones(splits)
        if len(headers) < total:
            said.append(f"sizes are of {len(headers):,} of {count(total, 'image')}, evenly spread")
    else:
        height, width, channels = values.shape[1:]
        headers = [(height, width, "L" if channels == 1 else "RGB")] * total
    if not headers:
        raise DataError("E521", f"no image of {data.name} can be read")
    sizes = _sizes([(height, width) for height, width, _ in headers])
    modes = Counter(mode for *_, mode in headers)
    grey = all(mode in GREY for mode in modes)
    without, clear = (sum(modes[mode] for mode in known) for known in (GREY, CLEAR))
    if without and not grey:
        said.append(
            f"{without:,} of {count(len(headers), 'image')} {'is' if without == 1 else 'are'} grey, and read as colour"
        )
    if clear:
        said.append(f"{count(clear, 'image')} {'has' if clear == 1 else 'have'} transparency, which is laid on black")
    if unreadable:
        said.append(
            f"{count(unreadable, 'file')} cannot be read, and {'is' if unreadable == 1 else 'are'} to be left out"
        )
    samples = _sampled(values)
    mean, std = _moments(samples)
    if grey and mean is not None and std is not None:
        mean, std = mean[:1], std[:1]  # read in colour, each channel of a grey image is its grey
    elif samples and all((sample == sample[..., :1]).all() for sample in samples):
        said.append(
            f"the images are stored in colour, but {count(len(samples), 'image')} of them that were looked at "
            f"{'is' if len(samples) == 1 else 'are'} grey: `grey: true` with one channel reads them so"
        )
    return Look("image", sizes.median, sizes, grey, mean, std, unreadable, tuple(said))


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _spread(number: int, most: int) -> list[int]:
    """So many places out of a number, evenly spread; all where there are no more."""
    if number <= most:
        return list(range(number))
    return [place * number // most for place in range(most)]


def _headers(files: Sequence[str]) -> tuple[list[tuple[int, int, str]], int]:
    """Height, width and mode by files' headers, and how many have none that can be read."""
    from PIL import Image

    made: list[tuple[int, int, str]] = []
    wrong = 0
    with bounded():
        for place in _spread(len(files), HEADERS):
            try:
                with Image.open(files[place]) as image:
                    height, width = image.height, image.width
                    if image.format in ("JPEG", "TIFF", "MPO") and image.getexif().get(ORIENTATION) in SWAPPED:
                        height, width = width, height
                    mode = "RGBA" if image.mode == "P" and "transparency" in image.info else image.mode
                made.append((height, width, mode))
            except Exception:  # why, is told where all of them are read
                wrong += 1
    return made, wrong


def _read_ones(splits: Sequence[Split]) -> list[tuple[int, int, str]]:
    """Height, width and mode of some samples that are no files of their own."""
    made = []
    for split in splits:
        (values,) = split.inputs.values()
        assert isinstance(values, Column)
        read: Any = getattr(values.source, "original", values.source.read)
        for place in _spread(len(values), MEANS // len(splits)):
            own = place if values.places is None else int(values.places[place])
            try:
                height, width, channels = read(own, Counter()).shape
            except DataError:
                continue  # told of where all are read
            made.append((height, width, "L" if channels == 1 else "RGB"))
    return made


def _sizes(found: Sequence[tuple[int, int]]) -> Sizes:
    heights, widths = (sorted(size[axis] for size in found) for axis in (0, 1))
    middle = len(found) // 2
    return Sizes((heights[middle], widths[middle]), (heights[0], widths[0]), (heights[-1], widths[-1]))


def _sampled(values: Values) -> list[Any]:
    """Some samples, evenly spread, those left out that cannot be read."""
    made = []
    for place in _spread(len(values), MEANS if values.ndim == 4 else len(values)):
        try:
            made.append(values[place])
        except DataError:
            continue
    return made


def _moments(samples: Sequence[Any]) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and standard deviation of each channel or feature, rounded; of bytes as numbers from 0 to 1."""
    import numpy as np

    if not samples:
        return None, None
    array = np.stack(samples)
    array = array / 255 if array.dtype == np.uint8 else array.astype(np.float64)
    axes = tuple(range(array.ndim - 1))
    with np.errstate(invalid="ignore"):
        mean, std = np.nanmean(array, axes), np.nanstd(array, axes)
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        return None, None
    # What is the same in all samples is divided by nothing.
    std = np.where(std > 1e-6 * np.maximum(np.abs(mean), 1e-30), std, 1.0)
    return tuple(_rounded(x) for x in mean), tuple(_rounded(x) for x in std)


def _rounded(number: float) -> float:
    """Three digits that count."""
    if number == 0 or not math.isfinite(number):
        return 0.0
    return round(float(number), 2 - math.floor(math.log10(abs(number))))
