"""`Resize` and `Upsample`: where pixels of the output lie decides, computed for the sizes at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.onnx.context import Context, NotHere, Shape
from archspec.importing.onnx.model import Node

TOLERANCE = 1e-4
"""Of a pixel."""
MAX_AXIS = 2**20


def resize(context: Context, node: Node) -> None:
    shape = context.shape(node)
    rank = len(shape)
    attributes = node.attributes
    old = node.op == "Upsample" or context.model.opset < 11
    axes = [axis % rank for axis in attributes.get("axes", range(rank))]
    scales = _given(context, node, 1 if old else 2, "scales") or list(attributes.get("scales") or [])
    sizes = [] if old else _given(context, node, 3, "sizes")
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise NotHere(f"its keep_aspect_ratio_policy is {attributes['keep_aspect_ratio_policy']}")
    if not (scales or sizes) or len(scales or sizes) != len(axes):
        raise NotHere(f"it has {count(len(scales or sizes), 'size')} for {count(len(axes), 'axis')}")
    factor = [1.0] * rank
    out = list(shape)
    for axis, value in zip(axes, scales or sizes, strict=True):
        out[axis] = int(np.floor(shape[axis] * value + 1e-6)) if scales else int(value)
        factor[axis] = float(value) if scales else value / shape[axis]
    if out[:2] != list(shape[:2]) or rank not in (3, 4):
        raise NotHere(f"it changes samples or channels: {list(shape)} become {out}")
    if any(not 0 < size <= MAX_AXIS for size in out[2:]):
        raise NotHere(f"it makes {out[2:]} of {list(shape[2:])}")
    try:
        fields = _of(context, node, shape, tuple(out), factor, old)
    except NotHere as error:
        raise NotHere(str(error), tuple(out)) from None
    context.emit(node, "resize", fields, inputs=[context.taken(node.inputs[0])], shape=tuple(out))


def _of(context: Context, node: Node, shape: Shape, out: Shape, factor: list[float], old: bool) -> dict[str, Any]:
    attributes = node.attributes
    mode = attributes.get("mode", "nearest") or "nearest"
    if mode not in ("nearest", "linear", "bilinear"):
        raise NotHere(f"its mode is {mode}")
    if attributes.get("antialias"):
        raise NotHere("it smooths before it shrinks (antialias)")
    how = "asymmetric" if old else attributes.get("coordinate_transformation_mode", "half_pixel") or "half_pixel"
    rounding = "floor" if old else attributes.get("nearest_mode", "round_prefer_floor") or "round_prefer_floor"
    return _fields(shape, out, factor, "nearest" if mode == "nearest" else "bilinear", how, rounding)


def _given(context: Context, node: Node, index: int, what: str) -> list[float]:
    """Numbers of an input that may be left out, or be there without any."""
    if not context.given(node, index):
        return []
    return [float(value) for value in context.numbers(node, index, what).reshape(-1)]


def _fields(shape: Shape, out: Shape, factor: list[float], mode: str, how: str, rounding: str) -> dict[str, Any]:
    """The fields under which every pixel of ours lies where the operator has it. Raises `NotHere`."""
    corners = None
    for before, after, scale in zip(shape[2:], out[2:], factor[2:], strict=True):
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
    factors = [after / before for before, after in zip(shape[2:], out[2:], strict=True)]
    if all(value.is_integer() for value in factors):
        whole = [int(value) for value in factors]
        fields["factor"] = whole[0] if len(set(whole)) == 1 else whole
    else:
        fields["size"] = list(out[2:]) * (2 if len(out) == 3 else 1)
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


_RESIZE = {
    *("antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside"),
    *("extrapolation_value", "keep_aspect_ratio_policy", "mode", "nearest_mode", "scales"),
}
RESIZING: dict[str, tuple[Callable[[Context, Node], None], set[str]]] = {
    "Resize": (resize, _RESIZE),
    "Upsample": (resize, _RESIZE),
}
"""What becomes of an operator, and the attributes that it may have."""
