"""`Resize` and `Upsample`: where pixels of the output lie decides, computed for the sizes at hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.onnx.context import Context, Handler
from archspec.importing.onnx.model import Node
from archspec.importing.operations import NotHere, Shape
from archspec.importing.resizing import fields_of

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
    return fields_of(shape[2:], out[2:], factor[2:], "nearest" if mode == "nearest" else "bilinear", how, rounding)


def _given(context: Context, node: Node, index: int, what: str) -> list[float]:
    """Numbers of an input that may be left out, or be there without any."""
    if not context.given(node, index):
        return []
    return [float(value) for value in context.numbers(node, index, what).reshape(-1)]


_RESIZE = {
    *("antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside"),
    *("extrapolation_value", "keep_aspect_ratio_policy", "mode", "nearest_mode", "scales"),
}
RESIZING: dict[str, tuple[Handler, set[str]]] = {
    "Resize": (resize, _RESIZE),
    "Upsample": (resize, _RESIZE),
}
"""What becomes of an operator, and the attributes that it may have."""
