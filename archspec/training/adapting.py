"""A dataset's inputs in the form that a network takes: the same numbers, otherwise arranged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.diagnostics import count
from archspec.spec.inputs import Input, VectorInput
from archspec.spec.network import ImageInput

MANY = 12
"""So many features have their means and deviations written out."""


def adapted(splits: Sequence[np.ndarray], what: str, input: Input, notes: list[str]) -> list[np.ndarray]:
    """An input's arrays, of what is trained on and what is held out, as images, signals or vectors.

    Images N×H×W get an axis of one channel, which a signal loses, and a signal N×L gets. Signals N×C×L are turned, rows
    of as many numbers as an image has pixels become images, and whole numbers of signals and vectors floating-point
    ones; of these it is noted what. What does not fit is left as it is.
    """
    made, said = [], dict[str, None]()
    for array in splits:
        own = _arranged(array, input, said)
        if not isinstance(input, ImageInput) and own.dtype != np.float32:
            said[f"{own.dtype} taken as floating-point numbers"] = None
            own = own.astype(np.float32)
        made.append(own)
    notes.extend(f"{what}: {words}" for words in said)
    if isinstance(input, VectorInput) and made[0].ndim == 2:
        notes.extend(_unscaled(made[0], what, input))
    return made


def _arranged(array: np.ndarray, input: Input, said: dict[str, None]) -> np.ndarray:
    shape = input.type.shape
    if isinstance(input, ImageInput):
        if array.ndim == 3:
            return array[..., None]
        if array.ndim == 2 and array.shape[1] == int(np.prod(shape)) and array.shape[1:] != shape:
            said[f"rows of {array.shape[1]:,} numbers are images of {input.type}, row by row"] = None
            return _bytes(array.reshape(-1, *shape), said)
    elif len(shape) == 2:
        if array.ndim == 4 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim == 2 and shape[1] == 1:
            array = array[..., None]
        if array.ndim == 3 and array.shape[1:] != shape and array.shape[:0:-1] == shape:
            said[f"N×C×L, {array.shape[1]}×{array.shape[2]:,}, and read as N×L×C"] = None
            array = np.ascontiguousarray(array.transpose(0, 2, 1))
    elif array.ndim == 1:
        array = array[:, None]
    return array


def _bytes(images: np.ndarray, said: dict[str, None]) -> np.ndarray:
    """Whole numbers from 0 to 255, of which some are above 1, as bytes."""
    if images.dtype == np.uint8 or images.min() < 0 or not 1 < images.max() <= 255 or (images != np.rint(images)).any():
        return images
    said["pixels from 0 to 255 are bytes"] = None
    return images.astype(np.uint8)


def _unscaled(vectors: np.ndarray, what: str, input: VectorInput) -> list[str]:
    """A note where features are of quite other sizes than networks learn well from, and nothing scales them."""
    if input.mean is not None or input.std is not None:
        return []
    values = vectors.astype(np.float64)
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
