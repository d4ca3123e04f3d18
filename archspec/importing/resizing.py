"""Where pixels of a resized map lie, in other tools' ways and in ours, computed for the sizes at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archspec.importing.operations import NotHere

TOLERANCE = 1e-4
"""Of a pixel."""


def fields_of(
    sizes: Sequence[int], out: Sequence[int], factor: Sequence[float], mode: str, how: str, rounding: str
) -> dict[str, Any]:
    """The fields of a `resize` whose every pixel lies where an operator has it. Raises `NotHere` where there are none.

    `mode` is ours; `how` and `rounding` are ONNX's words for the places of pixels, and for which is the nearest.
    """
    corners = None
    for before, after, scale in zip(sizes, out, factor, strict=True):
        places = _places(before, after, scale, how)
        if mode == "nearest":
            own = np.floor(np.arange(after) * (before / after) + 1e-9)
            if not np.array_equal(np.clip(_rounded(places, rounding), 0, before - 1), np.minimum(own, before - 1)):
                raise NotHere(f"its pixels lie elsewhere ({how}, {rounding}) than floor(i·{before}/{after})")
            continue
        places = np.clip(places, 0, before - 1)
        fits = []
        for aligned in (False, True):
            if aligned:
                own = np.arange(after) * ((before - 1) / max(1, after - 1))
            else:
                own = np.clip((np.arange(after) + 0.5) * (before / after) - 0.5, 0, before - 1)
            if np.abs(own - places).max() <= TOLERANCE:
                fits.append(aligned)
        corners = set(fits) if corners is None else corners & set(fits)
        if not corners:
            raise NotHere(f"its pixels lie elsewhere ({how}) than bilinear ones here, from {before} to {after}")
    fields: dict[str, Any] = {"mode": mode}
    factors = [after / before for before, after in zip(sizes, out, strict=True)]
    if all(value.is_integer() for value in factors):
        whole = [int(value) for value in factors]
        fields["factor"] = whole[0] if len(set(whole)) == 1 else whole
    else:
        fields["size"] = list(out) * (2 if len(out) == 1 else 1)
    if corners is not None and False not in corners:
        fields["align_corners"] = True
    return fields


def _places(before: int, after: int, scale: float, how: str) -> np.ndarray:
    """Where an operator takes each pixel of its output from."""
    i = np.arange(after, dtype=np.float64)
    if how == "half_pixel" or (how == "pytorch_half_pixel" and after > 1):
        return (i + 0.5) / scale - 0.5
    if how == "pytorch_half_pixel":
        return np.zeros(1)
    if how == "half_pixel_symmetric":
        whole = before * scale
        return before / 2 * (1 - after / whole) + (i + 0.5) / scale - 0.5
    if how == "align_corners":
        return i * ((before - 1) / max(1, after - 1))
    if how == "asymmetric":
        return i / scale
    raise NotHere(f"its coordinate_transformation_mode is {how}")


def _rounded(places: np.ndarray, rounding: str) -> np.ndarray:
    if rounding == "floor":
        return np.floor(places + 1e-9)
    if rounding == "ceil":
        return np.ceil(places - 1e-9)
    if rounding == "round_prefer_floor":
        return np.ceil(places - 0.5 - 1e-9)
    if rounding == "round_prefer_ceil":
        return np.floor(places + 0.5 + 1e-9)
    raise NotHere(f"its nearest_mode is {rounding}")
