"""Arrays of files as inputs and targets: their axes and types, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.data._base import MAX_CLASSES
from archspec.data._columns import Values
from archspec.data._files import as_masks, channels_first
from archspec.diagnostics import DataError, count

if TYPE_CHECKING:
    import numpy as np


def shape_of(array: Values) -> str:
    """The shape of an array in words: N×28×28."""
    return "×".join(["N", *map(str, array.shape[1:])])


def as_float32(array: np.ndarray, name: str) -> np.ndarray:
    """Numbers in 32 bits. Raises `DataError` where one is too large for them."""
    import numpy as np

    beyond = np.abs(array) > np.finfo(np.float32).max if array.dtype.kind == "f" else np.zeros(1, bool)
    if beyond.any():
        number = int(beyond.sum())
        raise DataError(
            "E507",
            f"{name}: {count(number, 'number')} of {array.size:,} {'is' if number == 1 else 'are'} beyond 3.4e38, the "
            "most that 32 bits hold",
            help=["scale them"],
        )
    return array.astype(np.float32)


def as_input(array: np.ndarray, name: str, notes: list[str]) -> np.ndarray:
    """An input of a file as images (N, H, W, C), or as a vector of each sample (N, F); what was changed is noted.

    Three axes are N×H×W, images of one channel; where a network takes a signal N×L×C, the axis is taken off again.
    Raises `DataError`.
    """
    import numpy as np

    if not array.ndim or array.dtype.kind not in "fiub":
        raise DataError("E507", f"{name} are no numbers, but {array.dtype} of {count(array.ndim, 'axis')}")
    if array.ndim > 4 or 0 in array.shape:
        raise DataError(
            "E507", f"{name} is {'×'.join(map(str, array.shape))}, but inputs are N×H×W×C, N×H×W, N×L×C or N×F"
        )
    if channels_first(array):
        array = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
        notes.append(f"{name} is N×C×H×W and read as N×H×W×C")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).sum())
            raise DataError("E507", f"{name}: {count(bad, 'number')} of {array.size:,} are not finite")
    elif array.ndim > 2 and array.dtype != np.uint8 and array.min() >= 0 and 128 <= array.max() <= 255:
        notes.append(f"{name} are {array.dtype} from {array.min()} to {array.max()}, and taken as bytes")
        array = array.astype(np.uint8)
    elif array.dtype != np.uint8 and (array.ndim < 4 or array.max() < 128):
        notes.append(f"{name} are {array.dtype} up to {int(array.max())}, and taken as floating-point numbers")
        array = array.astype(np.float32)
    elif array.ndim < 3:
        notes.append(f"{name} are {array.dtype}, and taken as floating-point numbers")
        array = array.astype(np.float32)
    elif array.dtype != np.uint8:
        raise DataError("E507", f"{name}: pixels must be uint8 or floating point, not {array.dtype}")
    return array[..., None] if array.ndim in (1, 3) else array


class Target(NamedTuple):
    """A target, and how many classes it has; None where it has none."""

    array: np.ndarray
    classes: int | None


def as_target(array: np.ndarray, name: str, notes: list[str]) -> Target:
    """A target of a file: classes (N,), labels at once (N, K) of 0 and 1, maps of classes (N, H, W), or numbers.

    What (N, L) numbers mean, an output says: of one that has classes at positions, whole ones are their classes.

    Whole numbers below 0 count for nothing, but −1 and 1 are the classes 0 and 1, and whole numbers below −1 are
    numbers. Raises `DataError`.
    """
    import numpy as np

    if not array.ndim or array.ndim > 4 or array.dtype.kind not in "fiub" or 0 in array.shape:
        raise DataError(
            "E507",
            f"{name} is {array.dtype} of {'×'.join(map(str, array.shape)) or 'no axes'}, but targets are numbers, "
            "N, N×K, N×H×W or N×H×W×C",
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 4 and array.dtype.kind != "f":
        if array.shape[-1] == 1:
            array = array[..., 0]
        elif array.shape[1] == 1:
            array = array[:, 0]
    if array.dtype.kind == "f":
        unknown = int(np.isnan(array).sum())
        if unknown:
            notes.append(f"{name}: {count(unknown, 'number')} of {array.size:,} are NaN, and count for nothing")
        if np.isinf(array).any():
            raise DataError("E507", f"{name}: {int(np.isinf(array).sum()):,} of {array.size:,} numbers are infinite")
        if array.ndim == 2 and np.isin(array, (0, 1)).all():
            return Target(array.astype(np.int8), array.shape[1])
        return Target(as_float32(array, name), None)
    array = array.astype(np.int8) if array.dtype.kind == "b" else array
    low, high = int(array.min()), int(array.max())
    if array.ndim == 3:
        if low < 0:
            notes.append(f"{name}: {count(int((array < 0).sum()), 'number')} below 0 count for nothing")
        masks = as_masks(array, None, name)
        return Target(masks, max(high, 0) + 1)
    if array.ndim == 2 and low >= -1 and high <= 1:
        return Target(array.astype(np.int8), array.shape[1])
    if array.ndim == 1 and low == -1 and set(np.unique(array)) == {-1, 1}:
        notes.append(f"{name} is −1 and 1, which are taken as the classes 0 and 1")
        return Target((array > 0).astype(np.int32), 2)
    if array.ndim == 1 and low >= 0 and high < MAX_CLASSES:
        return Target(array.astype(np.int32), high + 1)
    if array.ndim == 1 and low == -1:
        raise DataError(
            "E507",
            f"{name}: labels run from {low} to {high}; they count from 0",
            help=["numbers that are no classes are floating-point ones, as `y.astype(float)` makes them"],
        )
    if (
        array.ndim != 2 or low < -1 or high >= MAX_CLASSES
    ):  # of others the task says whether they are classes by position
        notes.append(f"{name} are whole numbers from {low} to {high}, and taken as floating-point ones")
    return Target(array.astype(np.float32), None)


def check_lengths(arrays: Sequence[tuple[str, np.ndarray]]) -> None:
    """Raises `DataError` unless all arrays have as many samples."""
    (first, array), *rest = arrays
    for name, other in rest:
        if len(other) != len(array):
            raise DataError("E507", f"{first} has {count(len(array), 'sample')}, but {name} {len(other):,}")
