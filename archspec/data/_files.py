"""What dataset kinds share: reading files, splitting."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from archspec.data._base import LABEL, RELATIVE
from archspec.data._columns import SIZE, as_array, taken
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, count
from archspec.images.limits import check_bytes

if TYPE_CHECKING:
    import numpy as np


def existing_folder(path: str) -> Path:
    """A dataset's folder. Raises `DataError` where there is none."""
    folder = Path(path)
    if not folder.is_dir():
        if folder.exists():
            raise DataError("E505", f"{folder} is a file, not a folder")
        raise DataError("E505", f"there is no folder {folder}", help=[RELATIVE])
    return folder


def check_alike(train: Split, test: Split) -> None:
    """Raises `DataError` where the images of two parts are of different shapes."""
    mine, theirs = (next(iter(split.inputs.values())).shape[1:] for split in (train, test))
    if mine != theirs:
        sizes = ["×".join(map(str, shape[:2])) for shape in (theirs, mine)]
        raise DataError("E507", f"{test.names[0]} is {sizes[0]}, but {train.names[0]} is {sizes[1]}", help=[SIZE])


def read_npz(path: Path, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a .npz file, those of names that are wanted or all. Never unpickles. Raises `DataError`.

    What an array unpacks to is known from its header before it is read.
    """
    import zipfile

    if not path.is_file():
        raise DataError("E505", f"there is no file {path}", help=[RELATIVE])
    try:
        with path.open("rb") as file:
            if file.read(6) == b"\x93NUMPY":
                raise DataError(
                    "E506",
                    f"{path} holds one array, as np.save writes it, and is not an .npz archive",
                    help=["np.savez(FILE, x=images, y=labels)"],
                )
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            arrays, unpacked = {}, 0
            for name, info in members.items():
                if not info.filename.endswith(".npy") or (wanted is not None and name not in wanted):
                    continue
                with archive.open(info) as member:
                    shape, fortran, dtype = _header(member, f"{name} in {path}")
                    size = math.prod(shape) * dtype.itemsize
                    if size > info.file_size:
                        raise DataError(
                            "E506",
                            f"{name} in {path} should be {_said(shape)} numbers of {dtype.itemsize} bytes, but the "
                            f"archive holds {count(info.file_size, 'byte')} of it",
                            help=["save it again"],
                        )
                    unpacked += size
                    check_bytes(str(path), unpacked, path.stat().st_size)
                    arrays[name] = _numbers(member, shape, fortran, dtype, f"{name} in {path}")
            return arrays
    except DataError:
        raise
    except MemoryError:
        raise DataError("E506", f"{path} cannot be read: there is not enough memory") from None
    except Exception as error:  # zipfile and what it unpacks with raise many kinds
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise DataError("E506", f"{path} is not a readable .npz file: {reason}") from None


def array_names(path: Path) -> list[str]:
    """The names of the arrays in a .npz file that was read before."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _header(file: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array in NumPy's format. Raises `DataError` for Python objects."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"{what} has the unknown version {version}")
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise DataError(
            "E506", f"{what} holds Python objects, which are not read", help=["save arrays of numbers of one shape"]
        )
    return shape, fortran, dtype


def _numbers(file: IO[bytes], shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any], what: str) -> np.ndarray:
    """The numbers behind a header, read piece by piece into the array."""
    import numpy as np

    made = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    start = 0
    while start < len(made):
        piece = file.read(min(2**24, len(made) - start))
        if not piece:
            raise DataError("E506", f"{what} is cut short: {start:,} of {len(made):,} bytes", help=["save it again"])
        made[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        start += len(piece)
    return made.view(dtype).reshape(shape, order="F" if fortran else "C")


def _said(shape: Sequence[int]) -> str:
    return "×".join(f"{size:,}" for size in shape) or "1"


def as_split(images: np.ndarray, labels: np.ndarray, name: str) -> Split:
    """Images as (N, H, W, C) uint8 or float32, labels as (N,) int32, or as (N, H, W) where they are of pixels.

    Raises `DataError`.
    """
    import numpy as np

    if images.ndim == 3:
        images = images[..., None]
    if channels_first(images):
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if labels.ndim == 4 and labels.shape[1] == 1 and labels.shape[-1] > 1:
        labels = labels[:, 0]
    if images.ndim == 4 and not len(images):
        raise DataError("E507", f"{name}: there are no images, but an array of {'×'.join(map(str, images.shape))}")
    if images.ndim != 4 or 0 in images.shape:
        shape = "×".join(map(str, images.shape))
        raise DataError("E507", f"{name}: images must be N×H×W or N×H×W×C, not {shape}")
    if images.dtype.kind == "f":
        images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise DataError("E507", f"{name}: some pixels are not finite numbers")
    elif images.dtype != np.uint8:
        raise DataError("E507", f"{name}: pixels must be uint8 or floating point, not {images.dtype}")
    if labels.ndim == 4 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.ndim == 2 and 1 in labels.shape:
        labels = labels.reshape(-1)
    if labels.ndim not in (1, 3) or labels.dtype.kind not in "iu":
        raise DataError(
            "E507",
            f"{name}: labels must be N or N×H×W whole numbers, not {labels.dtype} of {count(labels.ndim, 'axis')}",
        )
    if len(images) != len(labels):
        raise DataError("E507", f"{name}: {count(len(images), 'image')} but {count(len(labels), 'label')}")
    if labels.ndim == 3:
        if labels.shape != images.shape[:3]:
            sizes = ["×".join(map(str, shape)) for shape in (labels.shape, images.shape[:3])]
            raise DataError("E507", f"{name}: labels of pixels are {sizes[0]}, but the images {sizes[1]}")
        return Split.of(images, as_masks(labels, None, name))
    if labels.min() < 0 or labels.max() >= 2**20:
        raise DataError("E507", f"{name}: labels run from {labels.min()} to {labels.max()}; they count from 0")
    return Split.of(images, labels.astype(np.int32))


def channels_first(images: np.ndarray) -> bool:
    """Whether images are N×C×H×W: one, three or four of the second axis, and more of the last than images have."""
    return images.ndim == 4 and images.shape[1] in (1, 3, 4) and images.shape[3] > 4


def as_masks(labels: np.ndarray, ignore: int | None, name: str) -> np.ndarray:
    """Labels of pixels in the smallest signed type, −1 where they are below 0 or ignored. Raises `DataError`."""
    import numpy as np

    masks = labels.astype(np.int32)
    masks[masks < 0] = -1
    if ignore is not None:
        masks[masks == ignore] = -1
    if masks.max() >= 2**15:
        raise DataError("E507", f"{name}: the label {masks.max()} of a pixel is too large; labels count classes from 0")
    return masks.astype(np.int8 if masks.max() < 2**7 else np.int16)


def holdout(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Two splits, the second with this fraction of every class, chosen at random by the seed.

    Samples that were left out are chosen with the others, and are in neither: so they change nothing else, and what is
    held out is the same whether samples are left out before or after this.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    held: list[np.ndarray] = []
    classes = strata(split) if split.listed is None else split.listed.strata
    number = len(classes)
    for label in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == label))
        held.append(members[: round(fraction * len(members))])
    chosen = np.sort(np.concatenate(held))
    if 2 * len(chosen) < fraction * number:  # nearly each sample has a number of its own
        chosen = np.sort(generator.permutation(number)[: round(fraction * number)])
    rest = np.setdiff1d(np.arange(number), chosen)
    if split.listed is not None:
        read = split.listed.read
        places = np.cumsum(read) - 1
        chosen, rest = places[chosen[read[chosen]]], places[rest[read[rest]]]
    if not len(chosen) or not len(rest):
        part = "no sample to train on" if len(chosen) else "none of them to measure with"
        raise DataError(
            "E507",
            f"holding out {fraction:.3g} of {count(len(split), 'sample')} leaves {part}",
            help=["more samples", "or another share of them to hold out"],
        )
    return picked(split, rest), picked(split, chosen)


def strata(split: Split) -> np.ndarray:
    """The class (N,) of each sample, of all of which a share is held out; 0 where samples are of no classes.

    Labels of pixels put no image into a class, nor do several targets, or numbers that are no classes.
    """
    import numpy as np

    targets = list(split.targets.values())
    of_classes = len(targets) == 1 and targets[0].ndim == 1 and targets[0].dtype.kind == "i"
    return as_array(targets[0]) if of_classes else np.zeros(len(split), np.int32)


def picked(split: Split, places: np.ndarray) -> Split:
    """The samples at these places, or those where a mask is set."""
    import numpy as np

    places = np.flatnonzero(places) if places.dtype == bool else places
    names = tuple(split.names[place] for place in places) if split.names else ()
    inputs, targets = (
        {name: taken(values, places) for name, values in part.items()} for part in (split.inputs, split.targets)
    )
    return Split(inputs, targets, names)


def numbered(name: str, train: Split, validation: Split, test: Split | None = None) -> Data:
    """Data whose classes are known by their numbers."""
    data = Data(name, train, validation, {}, test=test)
    for part, split in data.parts.items():
        if train.images.shape[1:] != split.images.shape[1:]:
            sizes = ("×".join(map(str, own.images.shape[1:])) for own in (train, split))
            raise DataError(
                "E507", f"{name}: training images are {next(sizes)}, {data.whose(part)} images {next(sizes)}"
            )
    count = int(max(split.labels.max() for split in data.parts.values())) + 1
    return replace(data, classes={LABEL: tuple(map(str, range(count)))})
