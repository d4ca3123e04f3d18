"""A dataset's inputs in the form that a network takes: the same numbers, otherwise arranged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from archspec.data import MAX_CLASSES, Values, as_array, mapped, pieces
from archspec.diagnostics import count
from archspec.spec.inputs import Input, VectorInput
from archspec.spec.network import ImageInput

BRIGHT = 128
"""Pixels of rows are bytes where some are so bright; 0 to 16, as some scans have, are not."""
MANY = 12
"""So many features have their means and deviations written out."""


def adapted(splits: Sequence[Values], what: str, input: Input, notes: list[str]) -> list[Values]:
    """An input's values, of what is trained on and what is held out, as images, signals or vectors.

    Images N×H×W get an axis of one channel, which a signal loses, and a signal N×L gets. Signals N×C×L are turned, rows
    of as many numbers as an image has pixels become images, and whole numbers of signals and vectors floating-point
    ones; of these it is noted what. What does not fit is left as it is.
    """
    said: dict[str, None] = {}
    made = [_arranged(array, input, said) for array in splits]
    if isinstance(input, ImageInput):
        rows = any(array.ndim == 2 for array in splits)
        if rows and all(array.dtype.kind == "f" and _is_whole(array) for array in made):
            ends = [(part.min(), part.max()) for array in made for part in pieces(array)]
            if min(low for low, _ in ends) >= 0 and BRIGHT <= max(high for _, high in ends) <= 255:
                said["pixels from 0 to 255 are bytes"] = None
                made = [mapped(array, _as_bytes) for array in made]
    else:
        for array in made:
            if array.dtype != np.float32:
                said[f"{array.dtype} taken as floating-point numbers"] = None
        made = [mapped(array, _as_floats) for array in made]
    notes.extend(f"{what}: {words}" for words in said)
    return made


def one_less(labels: np.ndarray) -> np.ndarray:
    """Labels that count from 1, from 0; those that count for nothing do not either way."""
    made: np.ndarray = np.where(labels > 0, labels - 1, -1).astype(labels.dtype)
    return made


def _is_whole(array: Values) -> bool:
    return all(bool((part == np.rint(part)).all()) for part in pieces(array))


def _as_bytes(array: np.ndarray) -> np.ndarray:
    return array.astype(np.uint8)


def _as_floats(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32)


def _with_axis(array: np.ndarray) -> np.ndarray:
    return array[..., None]


def _without_axis(array: np.ndarray) -> np.ndarray:
    return array[..., 0]


def _turned(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(0, 2, 1))


def _shaped(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return array.reshape(-1, *shape)


def _arranged(array: Values, input: Input, said: dict[str, None]) -> Values:
    shape = input.type.shape
    if isinstance(input, ImageInput):
        if array.ndim == 3:
            return mapped(array, _with_axis)
        if array.ndim == 2 and array.shape[1] == int(np.prod(shape)) and array.shape[1:] != shape:
            said[f"rows of {array.shape[1]:,} numbers are images of {input.type}, row by row"] = None
            return mapped(array, partial(_shaped, shape=shape))
    elif len(shape) == 2:
        if array.ndim == 4 and array.shape[-1] == 1:
            array = mapped(array, _without_axis)
        if array.ndim == 2 and shape[1] == 1:
            array = mapped(array, _with_axis)
        if array.ndim == 3 and array.shape[1:] != shape and array.shape[:0:-1] == shape:
            said[f"N×C×L, {array.shape[1]}×{array.shape[2]:,}, and read as N×L×C"] = None
            array = mapped(array, _turned)
    elif array.ndim == 1:
        array = mapped(array, _with_axis)
    return array


def as_classes(
    splits: Sequence[np.ndarray], names: tuple[str, ...], what: str, notes: list[str]
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Targets of a task of classes as their numbers, where they are a 1 among zeros each, or numbers without fractions.

    With the classes' names. What is neither, or classes already, is left as it is.
    """
    if all(array.ndim == 2 and array.dtype.kind == "i" and array.shape[1] > 1 for array in splits):
        if all((array >= 0).all() and (array.sum(1) == 1).all() for array in splits):
            notes.append(f"{what}: a 1 among {splits[0].shape[1]} zeros and ones is taken as the number of its class")
            return [array.argmax(1).astype(np.int32) for array in splits], names
    elif all(array.ndim == 1 and array.dtype.kind == "f" for array in splits):
        known = np.concatenate([array[~np.isnan(array)] for array in splits])
        if known.size and known.min() >= 0 and known.max() < MAX_CLASSES and (known == np.rint(known)).all():
            notes.append(f"{what}: numbers without fractions are taken as the classes 0 to {int(known.max())}")
            made = [np.where(np.isnan(array), -1, array).astype(np.int32) for array in splits]
            return made, tuple(map(str, range(int(known.max()) + 1)))
    return list(splits), names


def as_positions(
    splits: Sequence[np.ndarray], names: tuple[str, ...], what: str, notes: list[str]
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Targets of an output (length, classes) as the number of a class at each position (N, L), and the classes' names.

    They may be such already, in whole numbers or floating-point ones without fractions, (N, L) or (N, L, 1), or a 1
    among zeros at each position (N, L, classes). Those below 0 and NaN become −1, which counts for nothing. `names` are
    kept where there are any. What is none of these, as shares of classes are, is left as it is.
    """
    classes = splits[0].shape[-1]
    made = [array[..., 0] if array.ndim == 3 and classes == 1 else array for array in splits]
    if made[0].ndim == 3:
        ones = all(((array == 0) | (array == 1)).all() and (array.sum(-1) == 1).all() for array in made)
        if not ones:
            return list(splits), names
        notes.append(f"{what}: a 1 among {classes} zeros and ones is taken as the number of a position's class")
        plain = tuple(map(str, range(classes)))
        return [array.argmax(-1).astype(np.int16) for array in made], names or plain
    if made[0].ndim != 2:
        return list(splits), names
    known = np.concatenate([array[~np.isnan(array)] if array.dtype.kind == "f" else array.ravel() for array in made])
    if (known != np.rint(known)).any() or known.max(initial=-1) >= MAX_CLASSES:
        return list(splits), names
    passed = sum(array.size for array in made) - int((known >= 0).sum())
    if passed:
        notes.append(
            f"{what}: {count(passed, 'position')} below 0 or NaN {'counts' if passed == 1 else 'count'} for nothing"
        )
    high = int(known.max(initial=0))
    if not names:
        names = tuple(map(str, range(high + 1)))
        notes.append(f"{what}: a class at each of {made[0].shape[1]:,} positions, 0 to {high}")
    with np.errstate(invalid="ignore"):  # what is not a number is not converted
        return [np.where(array >= 0, array, -1).astype(np.int16) for array in made], names


def unscaled_target(numbers: Values, what: str) -> list[str]:
    """A note where numbers to be told are far larger than those that a network gives at first, which are about 1."""
    total, mean, squares = 0, 0.0, 0.0
    for part in pieces(numbers):
        known = (part[~np.isnan(part)] if part.dtype.kind == "f" else part).astype(np.float64)
        if known.size:  # means and squares of two parts together (Chan et al. 1983)
            away = float(known.mean()) - mean
            squares += float(known.var()) * known.size + away**2 * total * known.size / (total + known.size)
            total += known.size
            mean += away * known.size / total
    if not total:
        return []
    deviation = (squares / total) ** 0.5
    if not 100 < max(abs(mean), deviation) < np.inf:
        return []
    unit = 10 ** round(np.log10(max(abs(mean), deviation)))
    return [
        f"{what}: numbers of {mean:,.0f} ± {deviation:,.0f}, where networks begin with about 0 ± 1; they learn faster "
        f"in larger units, such as divided by {unit:,}"
    ]


def unscaled(vectors: Values, what: str, input: Input) -> list[str]:
    """A note where features are of quite other sizes than networks learn well from, and nothing scales them."""
    if not isinstance(input, VectorInput) or input.mean is not None or input.std is not None:
        return []
    values = as_array(vectors).astype(np.float64)
    means, deviations = values.mean(0), values.std(0)
    far = int(((np.abs(means) > 10) | (deviations > 10)).sum())
    if not far:
        return []
    note = f"{what}: {count(far, 'feature')} of {vectors.shape[1]:,} {'has' if far == 1 else 'have'} numbers far from 1"
    if vectors.shape[1] > MANY:
        return [f"{note}; networks learn better where `mean` and `std` of the input scale them"]
    written = [
        ", ".join(f"{number:.4g}" for number in numbers) for numbers in (means, np.where(deviations > 0, deviations, 1))
    ]
    return [f"{note}; networks learn better with `mean: [{written[0]}]` and `std: [{written[1]}]` in the input"]
