"""Arrays and pictures as text inside a page, and how many bytes they take there."""

from __future__ import annotations

import zlib
from base64 import b64encode
from io import BytesIO
from math import ceil, sqrt
from typing import Any

import numpy as np

CUT = 99.5
"""Of a map's magnitudes the percentile that is shown as the strongest, so that a few pixels do not hide the rest."""

MANY = 400
"""Places from which on a map is cut off there."""


def floats(array: np.ndarray) -> str:
    """Numbers of 32 bits, little-endian, deflated (zlib), in base64."""
    data = np.ascontiguousarray(array, "<f4").tobytes()
    return b64encode(zlib.compress(data, 6)).decode()


def few(array: np.ndarray) -> str:
    """Numbers of 32 bits, little-endian, in base64."""
    return b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def png(array: np.ndarray) -> str:
    """The address of a picture: bytes (height, width), (height, width, 1) or (height, width, 3 or 4).

    Of other numbers of channels the first is shown.
    """
    from PIL import Image

    if array.ndim == 3 and array.shape[-1] not in (3, 4):
        array = array[..., 0]
    data = BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(data, "PNG", optimize=array.size < 100_000)
    return f"data:image/png;base64,{b64encode(data.getvalue()).decode()}"


def sheet(array: np.ndarray) -> dict[str, Any]:
    """All channels of a node's output side by side in one grey picture, each from its least to its largest number.

    A map (H, W, C) has tiles of H×W, a signal (L, C) rows of L, a vector (F,) single pixels. `low` and `high` are the
    bounds of the channels, by which a byte b stands for low + b/255·(high − low).
    """
    array = np.asarray(array, np.float32)
    *spatial, channels = array.shape
    height, width = ([1] * (2 - len(spatial)) + list(spatial))[:2]
    tiles = array.reshape(height, width, channels)
    low, high = tiles.min((0, 1)), tiles.max((0, 1))
    span = np.where(high > low, high.astype(np.float64) - low, 1)
    grey = np.rint((tiles - low) / span * 255).astype(np.uint8)
    columns = min(channels, max(1, ceil(sqrt(channels * height / width))))
    rows = -(-channels // columns)
    whole = np.zeros((rows * columns, height, width), np.uint8)
    whole[:channels] = grey.transpose(2, 0, 1)
    laid = whole.reshape(rows, columns, height, width).transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    return {
        "png": png(laid),
        "columns": columns,
        "height": height,
        "width": width,
        "channels": channels,
        "low": few(low),
        "high": few(high),
    }


def shrunk(array: np.ndarray, factor: int) -> np.ndarray:
    """Maps (…, C) whose places are the means of as many along each axis; the last ones of fewer."""
    array = np.asarray(array, np.float32)
    for axis in range(array.ndim - 1):
        starts = np.arange(0, array.shape[axis], factor)
        counts = np.minimum(starts + factor, array.shape[axis]) - starts
        sums = np.add.reduceat(array, starts, axis, dtype=np.float64)
        array = (sums / counts.reshape([-1 if own == axis else 1 for own in range(array.ndim)])).astype(np.float32)
    return array


def signed(array: np.ndarray) -> dict[str, Any]:
    """A map as a grey picture of its numbers, cut off beyond a percentile of their magnitudes.

    With numbers below 0, byte 128 is 0 and `most` lies at 1 and 255; without, 0 is 0 and `most` is 255. `over` is how
    many places lie beyond.
    """
    array = np.nan_to_num(np.asarray(array, np.float64))
    if array.ndim == 1:
        array = array[None]
    magnitude = np.abs(array)
    cut = float(np.percentile(magnitude, CUT)) if magnitude.size >= MANY else 0.0
    most = cut or float(magnitude.max())
    both = bool((array < 0).any())
    scaled = np.clip(array / (most or 1), -1, 1)
    grey = np.rint(128 + 127 * scaled if both else 255 * scaled).astype(np.uint8)
    return {
        "png": png(grey),
        "height": array.shape[0],
        "width": array.shape[1],
        "signed": both,
        "most": most,
        "largest": float(magnitude.max()),
        "over": int((magnitude > most).sum()),
    }


def size_of(value: Any) -> int:
    """About how many bytes a value takes as JSON."""
    if isinstance(value, str):
        return len(value) + 3
    if isinstance(value, dict):
        return 2 + sum(len(str(name)) + 4 + size_of(own) for name, own in value.items())
    if isinstance(value, (list, tuple)):
        return 2 + sum(map(size_of, value))
    return 12
