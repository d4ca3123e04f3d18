"""TFLite's operators whose windows slide over maps, and those that make maps larger."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.formats.flatbuffers import Table
from archspec.importing.operations import NotHere, Shape
from archspec.importing.resizing import fields_of
from archspec.importing.tflite.context import Context, Handler
from archspec.importing.tflite.model import Held, Node
from archspec.weights.tensors import Tensor


def _map(held: Held) -> Shape:
    if len(held.shape) != 4:
        raise NotHere(f"its input has {count(len(held.shape), 'axis')}; maps have four with the batch's")
    return held.shape


def _window(options: Table, stride: int, dilation: Sequence[tuple[int, int]] = ()) -> dict[str, Any]:
    """Fields that windows share: slots of the strides, width first, and those of the dilation if there are any."""
    fields: dict[str, Any] = {"stride": [options.number(stride + 1, "i4"), options.number(stride, "i4")]}
    spread = [options.number(slot, "i4", default) for slot, default in dilation]
    if any(step != 1 for step in spread):
        fields["dilation"] = spread[::-1]
    if options.number(0, "i1") == 0:
        fields["pad"] = "same_upper"
    return fields


def conv(context: Context, node: Node, options: Table) -> None:
    channels = _map(context.tensor(node, 0))[-1]
    kernel = context.constant(node, 1, "kernel")
    if len(kernel.shape) != 4 or channels % kernel.shape[3]:
        raise NotHere(f"its kernel is {list(kernel.shape)}, and its input has {count(channels, 'channel')}")
    filters, height, width, inner = kernel.shape
    arrays = {"kernel": kernel.changed((height, width, inner, filters), lambda x: x.transpose(1, 2, 3, 0))}
    fields = {"filters": filters, "kernel": [height, width], **_window(options, 1, ((4, 1), (5, 1)))}
    if inner != channels:
        fields["groups"] = channels // inner
    fused = options.number(3, "i1")
    context.emit(node, "conv", fields | bias_of(context, node, arrays, filters), arrays=arrays, fused=fused)


def bias_of(context: Context, node: Node, arrays: dict[str, Tensor], filters: int, place: int = 2) -> dict[str, Any]:
    if context.given(node, place):
        arrays["bias"] = context.constant(node, place, "bias")
        if prod(arrays["bias"].shape) != filters:
            raise NotHere(f"its bias has the shape {list(arrays['bias'].shape)} for {count(filters, 'filter')}")
    return {"bias": "bias" in arrays}


def depthwise_conv(context: Context, node: Node, options: Table) -> None:
    channels = _map(context.tensor(node, 0))[-1]
    kernel = context.constant(node, 1, "kernel")
    if len(kernel.shape) != 4 or kernel.shape[0] != 1 or kernel.shape[3] % channels:
        raise NotHere(f"its kernel is {list(kernel.shape)}, and its input has {count(channels, 'channel')}")
    _, height, width, filters = kernel.shape
    arrays = {"kernel": kernel.changed((height, width, 1, filters), lambda x: x.transpose(1, 2, 0, 3))}
    fields = {"kernel": [height, width], **_window(options, 1, ((5, 1), (6, 1)))}
    fields |= bias_of(context, node, arrays, filters)
    if filters != channels:
        fields["multiplier"] = filters // channels
    fused = options.number(4, "i1")
    if channels == 1:
        # Of one channel it is a plain one.
        fields = {"filters": filters, **{name: value for name, value in fields.items() if name != "multiplier"}}
        context.emit(node, "conv", fields, arrays=arrays, fused=fused)
        return
    context.emit(node, "depthwise_conv", fields, arrays=arrays, fused=fused)


def transposed_conv(context: Context, node: Node, options: Table) -> None:
    kernel = context.constant(node, 1, "kernel")
    x, out = _map(context.tensor(node, 2)), context.output(node)
    if len(kernel.shape) != 4 or kernel.shape[3] != x[3] or len(out) != 4 or out[3] != kernel.shape[0]:
        raise NotHere(f"its kernel is {list(kernel.shape)}, and its input has {count(x[3], 'channel')}")
    filters, height, width, inner = kernel.shape
    strides = [options.number(2, "i4"), options.number(1, "i4")]
    sides, extra = [], []
    for axis, taps in enumerate((height, width)):
        total = (x[axis + 1] - 1) * strides[axis] + taps - out[axis + 1]
        sides.append([max(0, total) // 2, max(0, total) - max(0, total) // 2])
        extra.append(max(0, -total))
    arrays = {"kernel": kernel.changed((height, width, inner, filters), lambda x: x.transpose(1, 2, 3, 0))}
    fields = {"filters": filters, "kernel": [height, width], "stride": strides, "pad": sides}
    if any(extra):
        fields["output_pad"] = extra
    fields |= bias_of(context, node, arrays, filters, 3)
    inputs = [context.taken(node.inputs[2])]
    context.emit(node, "transposed_conv", fields, inputs=inputs, arrays=arrays, fused=options.number(3, "i1"))


def pool(kind: str) -> Handler:
    def handle(context: Context, node: Node, options: Table) -> None:
        _map(context.tensor(node, 0))
        fields = {"window": [options.number(4, "i4"), options.number(3, "i4")], **_window(options, 1)}
        if kind == "avg_pool" and "pad" in fields:
            fields["count_pad"] = False
        context.emit(node, kind, fields, fused=options.number(5, "i1"))

    return handle


def resize(context: Context, node: Node, options: Table) -> None:
    shape, out = _map(context.tensor(node, 0)), context.output(node)
    bilinear = node.said == "RESIZE_BILINEAR"
    corners, half = (options.number(slot + (2 if bilinear else 0), "bool") for slot in (0, 1))
    factor = [after / before for before, after in zip(shape[1:3], out[1:3], strict=True)]
    how = "align_corners" if corners else "half_pixel" if half else "asymmetric"
    if not bilinear and half:
        # Of half pixels the nearest is floor((i + 0.5)·W1/W2) there, which no word of ONNX's says.
        for before, after in zip(shape[1:3], out[1:3], strict=True):
            own = np.floor((np.arange(after) + 0.5) * (before / after) + 1e-9)
            if not np.array_equal(own, np.floor(np.arange(after) * (before / after) + 1e-9)):
                raise NotHere(f"its pixels lie elsewhere than floor(i·{before}/{after})")
        how = "asymmetric"
    rounding = "round_prefer_ceil" if corners else "floor"
    fields = fields_of(shape[1:3], out[1:3], factor, "bilinear" if bilinear else "nearest", how, rounding)
    context.emit(node, "resize", fields)
