"""Signals and vectors as samples: arrays, lists of numbers, files of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archspec.inference.archives import read_array
from archspec.inference.given import Reading, Sample, Samples, a_kind, as_array, sizes
from archspec.spec.inputs import Input


def numeric(given: Any, name: str, input: Input, reading: Reading) -> Samples:
    """Samples of a signal or a vector: arrays of one or of several, lists of numbers, files."""
    samples, shape = Samples([], []), input.type.shape

    def add(called: str, array: np.ndarray) -> None:
        samples.names.append(called)
        samples.reads.append(lambda: Sample(array))

    def take(item: Any, *, within: bool) -> None:
        if isinstance(item, (str, os.PathLike)):
            path = Path(item)
            batch = numbers_of(read_array(path, name, input, reading), name, shape)
            for place, array in enumerate(batch):
                add(str(path) if len(batch) == 1 else f"{path}[{place}]", array)
            return
        if isinstance(item, (list, tuple)) and not within and any(_is_whole(inner) for inner in item):
            for inner in item:
                take(inner, within=True)
            return
        if not hasattr(item, "dtype") and not isinstance(item, (list, tuple)):
            raise TypeError(f"input `{name}` takes numbers {_shape(shape)}, not {a_kind(item)}")
        for array in numbers_of(as_array(item), name, shape):
            add(str(len(samples.names)), array)

    take(given, within=False)
    return samples


def _is_whole(item: Any) -> bool:
    return isinstance(item, (str, os.PathLike)) or hasattr(item, "dtype")


def numbers_of(array: np.ndarray, name: str, shape: Sequence[int]) -> np.ndarray:
    """Signals (N, L, C) or vectors (N, F) of an array of one or of several. Raises `TypeError` and `ValueError`."""
    shape = tuple(shape)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"input `{name}` takes numbers {_shape(shape)}, and was given {array.dtype}")
    array = array.astype(np.float32)
    if array.shape == shape:
        return array[None]
    if array.shape[1:] == shape:
        return array
    if shape[-1] == 1 and len(shape) > 1:
        if array.shape == shape[:-1]:
            return array[None, ..., None]
        if array.shape[1:] == shape[:-1]:
            return array[..., None]
    said = sizes(array.shape)
    turned = len(shape) > 1 and array.shape[-2:] == shape[::-1]
    raise ValueError(
        f"input `{name}` takes numbers {_shape(shape)}, or several such with the number first, and was given {said}"
        + (", with channels first: numpy.moveaxis(x, -2, -1) puts them last" if turned else "")
    )


def _shape(shape: Sequence[int]) -> str:
    words = ("length", "channels") if len(shape) > 1 else ("features",)
    return f"({', '.join(f'{word} {size}' for word, size in zip(words, shape, strict=True))})"
