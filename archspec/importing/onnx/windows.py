"""Operators with windows: convolutions, plain and transposed, and poolings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from archspec.diagnostics import count
from archspec.importing.onnx.context import Context, Handler
from archspec.importing.onnx.model import Node
from archspec.importing.operations import NotHere, Shape
from archspec.weights.tensors import Tensor

Sides = list[list[int]]

MAX_AXIS = 2**31


class Laid:
    """A window's fields on each axis of a value's places, as an operator has them."""

    def __init__(self, node: Node, shape: Shape, kernel: Sequence[int]) -> None:
        self.sizes = shape[2:]
        axes = len(self.sizes)
        if axes not in (1, 2):
            raise NotHere(f"it works on {count(axes, 'axis')} beside the channels; maps have two and signals one")
        self.kernel = list(kernel)
        self.stride = node.attributes.get("strides") or [1] * axes
        self.dilation = node.attributes.get("dilations") or [1] * axes
        pads = node.attributes.get("pads") or [0] * (2 * axes)
        self.auto = node.attributes.get("auto_pad", "NOTSET") or "NOTSET"
        if {len(self.kernel), len(self.stride), len(self.dilation)} != {axes} or len(pads) != 2 * axes:
            raise NotHere(f"its kernel, strides, dilations and pads are not of {count(axes, 'axis')}")
        if any(not 0 < value < MAX_AXIS for value in (*self.kernel, *self.stride, *self.dilation)):
            raise NotHere("its kernel, strides or dilations are below 1")
        self.ceil = bool(node.attributes.get("ceil_mode", 0))
        self.pads: Sides = [[pads[axis], pads[axis + axes]] for axis in range(axes)]
        if self.auto == "VALID":
            self.pads = [[0, 0] for _ in range(axes)]
        elif self.auto in ("SAME_UPPER", "SAME_LOWER"):
            along = zip(self.sizes, self.kernel, self.stride, self.dilation, strict=True)
            self.pads = [self._same(*axis) for axis in along]
            self.ceil = False
        elif self.auto != "NOTSET":
            raise NotHere(f"its auto_pad is {self.auto}")
        if any(side < 0 for sides in self.pads for side in sides):
            raise NotHere(f"its padding is below 0: {pads}")

    def _same(self, size: int, kernel: int, stride: int, dilation: int) -> list[int]:
        total = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
        small, large = total // 2, total - total // 2
        return [small, large] if self.auto == "SAME_UPPER" else [large, small]

    @property
    def pad(self) -> Any:
        """The field: `same_upper` where the operator leaves padding to the size, which fits others too."""
        uneven = any(before != after for before, after in self.pads) or any(step > 1 for step in self.stride)
        return "same_upper" if self.auto == "SAME_UPPER" and uneven else self.pads

    def outputs(self) -> tuple[int, ...]:
        """How many windows there are on each axis."""
        counts = []
        for size, kernel, stride, dilation, (before, after) in zip(
            self.sizes, self.kernel, self.stride, self.dilation, self.pads, strict=True
        ):
            room = size + before + after - (kernel - 1) * dilation - 1
            number = (-(-room // stride) if self.ceil else room // stride) + 1
            # A window that would begin beyond the input and what is before it is dropped.
            counts.append(number - (self.ceil and number > 1 and (number - 1) * stride >= size + before))
        return tuple(counts)

    def fields(self, size: str) -> dict[str, Any]:
        """Fields that convolutions and poolings share, the window's size by the name that the kind has for it."""
        fields: dict[str, Any] = {size: self.pair(self.kernel), "stride": self.pair(self.stride), "pad": self.pad}
        if any(step != 1 for step in self.dilation):
            fields["dilation"] = self.pair(self.dilation)
        return fields

    @staticmethod
    def pair(values: Sequence[int]) -> list[int]:
        """Numbers for height and width: of a signal the one twice."""
        return list(values) * (2 if len(values) == 1 else 1)


def conv(context: Context, node: Node) -> None:
    shape = context.shape(node)
    kernel = context.array(node, 1, "kernel")
    if len(kernel.shape) != len(shape):
        raise NotHere(f"its kernel has {count(len(kernel.shape), 'axis')} and its input {len(shape)}")
    filters, inner, *taps = kernel.shape
    groups = node.attributes.get("group", 1)
    laid = Laid(node, shape, taps)
    if node.attributes.get("kernel_shape", taps) != taps:
        raise NotHere(f"its kernel is {taps}, and its kernel_shape {node.attributes['kernel_shape']}")
    if groups < 1 or shape[1] != inner * groups or filters % groups:
        raise NotHere(f"its kernel is for {count(inner * groups, 'channel')}, and its input has {shape[1]}")
    arrays = _arrays(context, node, kernel, filters)
    fields = {**laid.fields("kernel"), "bias": "bias" in arrays}
    inputs = [context.taken(node.inputs[0])]
    out = (shape[0], filters, *laid.outputs())
    if groups > 1 and groups == shape[1]:
        if filters != groups:
            fields["multiplier"] = filters // groups
        context.emit(node, "depthwise_conv", fields, inputs=inputs, shape=out, arrays=arrays)
        return
    fields["filters"] = filters
    if groups > 1:
        fields["groups"] = groups
    context.emit(node, "conv", fields, inputs=inputs, shape=out, arrays=arrays)


def _arrays(context: Context, node: Node, kernel: Tensor, filters: int) -> dict[str, Tensor]:
    arrays = {"kernel": kernel}
    if context.given(node, 2):
        arrays["bias"] = context.array(node, 2, "bias")
        if arrays["bias"].shape != (filters,):
            raise NotHere(f"its bias has the shape {list(arrays['bias'].shape)} for {count(filters, 'filter')}")
    return arrays


def transposed_conv(context: Context, node: Node) -> None:
    shape = context.shape(node)
    kernel = context.array(node, 1, "kernel")
    if len(kernel.shape) != len(shape):
        raise NotHere(f"its kernel has {count(len(kernel.shape), 'axis')} and its input {len(shape)}")
    inner, each, *taps = kernel.shape
    groups = node.attributes.get("group", 1)
    filters = each * groups
    if inner != shape[1] or groups < 1 or inner % groups:
        raise NotHere(f"its kernel is for {count(inner, 'channel')}, and its input has {shape[1]}")
    automatic = node.attributes.get("auto_pad", "NOTSET") or "NOTSET"
    plain = {key: value for key, value in node.attributes.items() if key != "auto_pad"}
    laid = Laid(replace(node, attributes=plain), shape, taps)
    extra = list(node.attributes.get("output_padding") or [0] * len(taps))
    wanted = node.attributes.get("output_shape")
    if len(extra) != len(taps) or (wanted is not None and len(wanted) < len(taps)):
        raise NotHere(f"its output_padding or output_shape is not of {count(len(taps), 'axis')}")
    if automatic not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise NotHere(f"its auto_pad is {automatic}")
    if wanted is not None or automatic.startswith("SAME"):
        _by_output(laid, extra, list(wanted)[-len(taps) :] if wanted else None, automatic)
    spatial = tuple(
        (size - 1) * stride + (taps_ - 1) * dilation + 1 + more - before - after
        for size, stride, taps_, dilation, more, (before, after) in zip(
            laid.sizes, laid.stride, laid.kernel, laid.dilation, extra, laid.pads, strict=True
        )
    )
    arrays = _arrays(context, node, kernel, filters)
    fields = {**laid.fields("kernel"), "filters": filters, "bias": "bias" in arrays}
    if any(extra):
        fields["output_pad"] = Laid.pair(extra)
    if groups > 1:
        fields["groups"] = groups
    inputs, out = [context.taken(node.inputs[0])], (shape[0], filters, *spatial)
    context.emit(node, "transposed_conv", fields, inputs=inputs, shape=out, arrays=arrays)


def _by_output(laid: Laid, extra: list[int], wanted: list[int] | None, automatic: str) -> None:
    """What is taken away on the sides so that the output has the size that is asked for."""
    for axis, (size, stride) in enumerate(zip(laid.sizes, laid.stride, strict=True)):
        whole = (size - 1) * stride + (laid.kernel[axis] - 1) * laid.dilation[axis] + 1 + extra[axis]
        total = whole - (wanted[axis] if wanted else size * stride)
        if total < 0:
            # Where the output is larger than all windows reach, zeros come at its end.
            extra[axis] += -total
            total = 0
        # As ONNX has it, the odd pixel is taken at the end for SAME_UPPER, and at the beginning otherwise.
        small, large = total // 2, total - total // 2
        laid.pads[axis] = [small, large] if automatic == "SAME_UPPER" else [large, small]


def max_pool(context: Context, node: Node) -> None:
    shape = context.shape(node)
    if node.attributes.get("storage_order"):
        raise NotHere("its indices run down columns (storage_order)")
    laid = Laid(node, shape, node.attributes.get("kernel_shape", []))
    fields = laid.fields("window")
    if laid.ceil:
        fields["rounding"] = "ceil"
    out = (*shape[:2], *laid.outputs())
    context.emit(node, "max_pool", fields, inputs=[context.taken(node.inputs[0])], shape=out)
    if len(node.outputs) > 1 and node.outputs[1]:
        context.pooled[node.outputs[1]] = (node.outputs[0], shape)


def avg_pool(context: Context, node: Node) -> None:
    shape = context.shape(node)
    laid = Laid(node, shape, node.attributes.get("kernel_shape", []))
    if any(step != 1 for step in laid.dilation):
        raise NotHere("its taps lie apart (dilations)")
    fields = laid.fields("window")
    if laid.ceil:
        fields["rounding"] = "ceil"
    if any(side for sides in laid.pads for side in sides):
        fields["count_pad"] = bool(node.attributes.get("count_include_pad", 0))
    out = (*shape[:2], *laid.outputs())
    context.emit(node, "avg_pool", fields, inputs=[context.taken(node.inputs[0])], shape=out)


def global_pool(kind: str) -> Callable[[Context, Node], None]:
    """`GlobalAveragePool` and `GlobalMaxPool`, which keep axes of one element."""

    def pool(context: Context, node: Node) -> None:
        shape = context.shape(node)
        if len(shape) not in (3, 4):
            raise NotHere(
                f"its input has {count(len(shape), 'axis')}; maps have four with the batch's and signals three"
            )
        out = (*shape[:2], *(1 for _ in shape[2:]))
        context.emit(node, kind, {"keep_dims": True}, inputs=[context.taken(node.inputs[0])], shape=out)

    return pool


def lrn(context: Context, node: Node) -> None:
    shape = context.shape(node)
    size = node.attributes.get("size", 0)
    if size < 1:
        raise NotHere(f"its size is {size}")
    if size % 2 == 0:
        raise NotHere("its window has an even size, and reaches one channel further on the other side than ours", shape)
    fields = {
        "size": size,
        "alpha": node.attributes.get("alpha", 1e-4),
        "beta": node.attributes.get("beta", 0.75),
        "k": node.attributes.get("bias", 1.0),
    }
    context.emit(node, "lrn", fields, inputs=[context.taken(node.inputs[0])], shape=shape)


def max_unpool(context: Context, node: Node) -> None:
    shape = context.shape(node)
    pooled = context.pooled.get(node.inputs[1] if context.given(node, 1) else "")
    if pooled is None:
        raise NotHere("its indices are not those of a MaxPool")
    source, whole = pooled
    if context.given(node, 2) and context.whole(node, 2, "output_shape") != list(whole):
        raise NotHere("its output_shape is not the shape that the MaxPool took")
    if not context.given(node, 2) and tuple(_unpooled(node, shape)) != whole[2:]:
        raise NotHere("it gives another size than the MaxPool took")
    fields = {"indices": source}
    context.emit(node, "max_unpool", fields, inputs=[context.taken(node.inputs[0])], shape=whole)


def _unpooled(node: Node, shape: Shape) -> list[int]:
    """The size of `MaxUnpool`'s output where it is left to the window."""
    taps = node.attributes.get("kernel_shape", [])
    stride = node.attributes.get("strides") or [1] * len(taps)
    pads = node.attributes.get("pads") or [0] * (2 * len(taps))
    axes = range(min(len(taps), len(shape) - 2, len(stride), len(pads) // 2))
    return [(shape[2 + a] - 1) * stride[a] - pads[a] - pads[a + len(taps)] + taps[a] for a in axes]


WINDOWS: dict[str, tuple[Handler, set[str]]] = {
    "Conv": (conv, {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}),
    "ConvTranspose": (
        transposed_conv,
        {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"},
    ),
    "MaxPool": (max_pool, {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"}),
    "AveragePool": (
        avg_pool,
        {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"},
    ),
    "GlobalAveragePool": (global_pool("global_avg_pool"), set()),
    "GlobalMaxPool": (global_pool("global_max_pool"), set()),
    "LRN": (lrn, {"alpha", "beta", "bias", "size"}),
    "MaxUnpool": (max_unpool, {"kernel_shape", "pads", "strides"}),
}
"""What becomes of an operator, and the attributes that it may have."""
