"""TFLite's operators as neutral operations. Maps have their channels last, and kernels the filters first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.formats.flatbuffers import Table
from archspec.importing.operations import NotHere, Shape
from archspec.importing.resizing import fields_of
from archspec.importing.tflite.context import Context
from archspec.importing.tflite.model import Held, Node
from archspec.weights.tensors import Tensor

Handler = Callable[[Context, Node, Table], None]


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
    context.emit(node, "conv", fields | _bias(context, node, arrays, filters), arrays=arrays, fused=fused)


def _bias(context: Context, node: Node, arrays: dict[str, Tensor], filters: int, place: int = 2) -> dict[str, Any]:
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
    fields |= _bias(context, node, arrays, filters)
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
    fields |= _bias(context, node, arrays, filters, 3)
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


def dense(context: Context, node: Node, options: Table) -> None:
    shape = context.tensor(node, 0).shape
    kernel = context.constant(node, 1, "matrix")
    if len(kernel.shape) != 2 or options.number(1, "i1"):
        raise NotHere("its matrix is laid out in a way of its own")
    units, features = kernel.shape
    arrays = {"kernel": kernel.changed((features, units), np.transpose)}
    fields = {"units": units, **_bias(context, node, arrays, units)}
    inputs = [context.taken(node.inputs[0])]
    if shape[-1] != features or (len(shape) > 2 and not options.number(2, "bool")):
        if prod(shape[1:]) != features:
            raise NotHere(f"its matrix is for {count(features, 'feature')}, and its input is {list(shape)}")
        flat = f"{context.names[node.outputs[0]]}/flat"
        inputs = [context.emit(node, "flatten", inputs=inputs, output=flat, shape=(shape[0], features))]
    context.emit(node, "dense", fields, inputs=inputs, arrays=arrays, fused=options.number(0, "i1"))


def matmul(context: Context, node: Node, options: Table) -> None:
    kernel = context.constant(node, 1, "matrix")
    if options.number(0, "bool") or len(kernel.shape) != 2:
        raise NotHere("it multiplies matrices that are no weights")
    if options.number(1, "bool"):
        kernel = kernel.turned
    fields = {"units": kernel.shape[1], "bias": False}
    context.emit(node, "dense", fields, arrays={"kernel": kernel})


def joined(kind: str, fused: int | None = 0) -> Handler:
    def handle(context: Context, node: Node, options: Table) -> None:
        inputs = [context.taken(number) for number in node.inputs]
        constant = any(number in context.held for number in node.inputs)
        if kind in ("maximum", "minimum") and constant:
            bound = _bound(context, node)
            if bound is None:
                raise NotHere("one of its inputs is a constant")
            (x,) = [context.taken(number) for number in node.inputs if number not in context.held]
            fields = {"low": bound, "high": None} if kind == "maximum" else {"low": None, "high": bound}
            plain = kind == "maximum" and bound == 0
            context.emit(node, "relu" if plain else "clip", {} if plain else fields, inputs=[x])
            return
        if kind == "minimum":
            raise NotHere("")
        function = 0 if fused is None else options.number(fused, "i1")
        context.emit(node, kind, inputs=inputs, fused=function)

    return handle


def _bound(context: Context, node: Node) -> float | None:
    """The only number of the input that is a constant."""
    for number in node.inputs:
        tensor = context.held.get(number)
        if tensor is not None and prod(tensor.shape) == 1:
            return float(str(np.float32(tensor.load().reshape(-1)[0])))
    return None


def plain(kind: str, **fields: Any) -> Handler:
    def handle(context: Context, node: Node, options: Table) -> None:
        context.emit(node, kind, fields)

    return handle


def leaky_relu(context: Context, node: Node, options: Table) -> None:
    context.emit(node, "leaky_relu", {"slope": options.real(0)})


def gelu(context: Context, node: Node, options: Table) -> None:
    context.emit(node, "gelu", {"approximate": True} if options.number(0, "bool") else {})


def softmax(context: Context, node: Node, options: Table) -> None:
    if options.real(0) != 1.0:
        raise NotHere(f"its beta is {options.real(0):g}")
    context.emit(node, "softmax")


def prelu(context: Context, node: Node, options: Table) -> None:
    slope = context.constant(node, 1, "slope")
    own, channels = prod(slope.shape), context.tensor(node, 0).shape[-1]
    if own not in (1, channels) or (own == channels and slope.shape[-1:] != (channels,)):
        raise NotHere(f"its slopes have the shape {list(slope.shape)}: they are neither one nor one for each channel")
    fields = {"shared": True} if own == 1 and channels != 1 else {}
    context.emit(node, "prelu", fields, arrays={"slope": slope.changed((own,), lambda x: x.reshape(own))})


def lrn(context: Context, node: Node, options: Table) -> None:
    # Of TensorFlow's sum alpha is a factor as it is; ours is divided by the size.
    size = 2 * options.number(0, "i4") + 1
    alpha = float(f"{options.real(2) * size:.9g}")
    context.emit(node, "lrn", {"size": size, "alpha": alpha, "beta": options.real(3), "k": options.real(1)})


def l2_normalise(context: Context, node: Node, options: Table) -> None:
    # The length that vectors are divided by is 1e-6 or more (reference/l2normalization.h).
    context.emit(node, "l2_normalise", {"epsilon": 1e-6}, fused=options.number(0, "i1"))


def reshape(context: Context, node: Node, options: Table) -> None:
    """Of the shapes that the file says, since the batch's may be open in what it has for the new one."""
    before, after = context.tensor(node, 0).shape, context.output(node)
    if prod(before) != prod(after) or not after or before[0] != after[0]:
        raise NotHere(f"it takes the batch's axis together with others: {list(before)} becomes {list(after)}")
    if before == after:
        context.alias[node.outputs[0]] = context.alias.get(node.inputs[0], node.inputs[0])
    elif len(after) == 2:
        context.emit(node, "flatten")
    else:
        context.emit(node, "reshape", {"shape": [0, *after[1:]]})


def same(context: Context, node: Node, options: Table) -> None:
    context.alias[node.outputs[0]] = context.alias.get(node.inputs[0], node.inputs[0])


def dequantise(context: Context, node: Node, options: Table) -> None:
    """Halves that are kept as such, and are numbers all the same."""
    held = context.tensor(node, 0)
    tensor = context.held.get(node.inputs[0])
    if tensor is None or tensor.kind not in ("float16", "bfloat16"):
        raise NotHere("it is of a quantised network, whose whole numbers stand for others: import its float file")
    context.held[node.outputs[0]] = Tensor(held.shape, tensor.kind, tensor.load)


def transpose(context: Context, node: Node, options: Table) -> None:
    axes = context.numbers(node, 1, "axes")
    if sorted(axes) != list(range(len(context.tensor(node, 0).shape))):
        raise NotHere(f"its axes are {axes[:16]}")
    context.emit(node, "transpose", {"axes": axes})


def concat(context: Context, node: Node, options: Table) -> None:
    rank = len(context.tensor(node, 0).shape)
    axis = options.number(0, "i4")
    axis += rank if axis < 0 else 0
    if any(number in context.held for number in node.inputs):
        raise NotHere("one of its inputs is a constant")
    fields = {} if axis == rank - 1 else {"axis": axis}
    inputs = [context.taken(number) for number in node.inputs]
    context.emit(node, "concat", fields, inputs=inputs, fused=options.number(1, "i1"))


def pad(context: Context, node: Node, options: Table) -> None:
    shape, numbers = context.tensor(node, 0).shape, context.numbers(node, 1, "paddings")
    if len(numbers) != 2 * len(shape) or any(number < 0 for number in numbers):
        raise NotHere(f"its paddings are {numbers[:16]}")
    sides = [[numbers[2 * axis], numbers[2 * axis + 1]] for axis in range(len(shape))]
    fields: dict[str, Any] = {"pad": sides}
    if node.said == "MIRROR_PAD":
        if options.number(0, "i1"):
            raise NotHere("it mirrors the edge too (SYMMETRIC)")
        fields["mode"] = "reflect"
    elif context.given(node, 2):
        fields["value"] = float(context.constant(node, 2, "value").load().reshape(-1)[0])
    context.emit(node, "pad", fields)


def split(context: Context, node: Node, options: Table) -> None:
    by_sizes = node.said == "SPLIT_V"
    value = 0 if by_sizes else 1
    shape = context.tensor(node, value).shape
    (axis,) = context.numbers(node, 2 if by_sizes else 0, "axis")[:1]
    axis += len(shape) if axis < 0 else 0
    if not 0 < axis < len(shape):
        raise NotHere(f"its axis is {axis}")
    parts = len(node.outputs)
    sizes = context.numbers(node, 1, "sizes") if by_sizes else [shape[axis] // parts] * parts
    if len(sizes) != parts or sum(sizes) != shape[axis] or any(size < 1 for size in sizes):
        raise NotHere(f"it splits {shape[axis]} into {sizes[:16]}")
    begin = 0
    for place, size in enumerate(sizes):
        ranges: list[Any] = [None] * len(shape)
        ranges[axis] = [begin, begin + size, 1]
        begin += size
        context.emit(node, "slice", {"ranges": ranges}, inputs=[context.taken(node.inputs[value])], place=place)


def slice_(context: Context, node: Node, options: Table) -> None:
    shape = context.tensor(node, 0).shape
    begins, sizes = context.numbers(node, 1, "beginning"), context.numbers(node, 2, "size")
    if not len(begins) == len(sizes) == len(shape):
        raise NotHere("its beginning and size are not of all axes")
    ranges = [
        [begin, own if size == -1 else begin + size, 1] for begin, size, own in zip(begins, sizes, shape, strict=True)
    ]
    _sliced(context, node, shape, ranges)


def strided_slice(context: Context, node: Node, options: Table) -> None:
    shape = context.tensor(node, 0).shape
    begin, end, steps = (context.numbers(node, place, "ranges") for place in (1, 2, 3))
    if not len(begin) == len(end) == len(steps) or len(begin) > len(shape) or any(step < 1 for step in steps):
        raise NotHere("its ranges are not of its axes, or go backwards")
    if any(options.number(slot, "i4") for slot in (2, 3, 4)):
        raise NotHere("it takes away axes, adds some, or leaves some out (masks)")
    first, last = options.number(0, "i4"), options.number(1, "i4")
    ranges = []
    for axis, size in enumerate(shape):
        if axis >= len(begin):
            ranges.append([0, size, 1])
            continue
        start = None if first >> axis & 1 else begin[axis]
        stop = None if last >> axis & 1 else end[axis]
        ranges.append(list(slice(start, stop, steps[axis]).indices(size)))
    _sliced(context, node, shape, ranges)


def _sliced(context: Context, node: Node, shape: Shape, ranges: list[list[int]]) -> None:
    kept = [None if own == [0, size, 1] else own for own, size in zip(ranges, shape, strict=True)]
    if kept[0] is not None:
        raise NotHere("it takes a part of the batch")
    if all(own is None for own in kept):
        same(context, node, node.options)  # type: ignore[arg-type]
    else:
        context.emit(node, "slice", {"ranges": kept})


def reduced(kind: str) -> Handler:
    def handle(context: Context, node: Node, options: Table) -> None:
        rank = len(context.tensor(node, 0).shape)
        axes = sorted({axis % rank for axis in context.numbers(node, 1, "axes")})
        keep = bool(options.number(0, "bool"))
        if 0 in axes or not axes:
            raise NotHere("it goes over the samples of the batch")
        if kind in ("mean", "max") and axes == list(range(1, rank - 1)) and rank in (3, 4):
            name = "global_avg_pool" if kind == "mean" else "global_max_pool"
            context.emit(node, name, {"keep_dims": True} if keep else {})
        elif kind == "max":
            raise NotHere(f"it takes the largest over the axes {axes}")
        else:
            context.emit(node, kind, {"axes": axes, "keep": keep})

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


def blocks(kind: str) -> Handler:
    def handle(context: Context, node: Node, options: Table) -> None:
        context.emit(node, kind, {"block": options.number(0, "i4"), "order": "tensorflow"})

    return handle


def rsqrt(context: Context, node: Node, options: Table) -> None:
    root = context.emit(node, "square_root", output=f"{context.names[node.outputs[0]]}/root")
    context.emit(node, "reciprocal", inputs=[root])


def square(context: Context, node: Node, options: Table) -> None:
    x = context.taken(node.inputs[0])
    context.emit(node, "multiply", inputs=[x, x])


def squared_difference(context: Context, node: Node, options: Table) -> None:
    inputs = [context.taken(number) for number in node.inputs]
    apart = context.emit(node, "subtract", inputs=inputs, output=f"{context.names[node.outputs[0]]}/difference")
    context.emit(node, "multiply", inputs=[apart, apart])


HANDLERS: dict[str, Handler] = {
    "ADD": joined("add"),
    "SUB": joined("subtract"),
    "MUL": joined("multiply"),
    "DIV": joined("divide"),
    "MAXIMUM": joined("maximum", None),
    "MINIMUM": joined("minimum", None),
    "POW": joined("power", None),
    "ADD_N": joined("add", None),
    "AVERAGE_POOL_2D": pool("avg_pool"),
    "MAX_POOL_2D": pool("max_pool"),
    "CONCATENATION": concat,
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise_conv,
    "TRANSPOSE_CONV": transposed_conv,
    "FULLY_CONNECTED": dense,
    "BATCH_MATMUL": matmul,
    "DEPTH_TO_SPACE": blocks("depth_to_space"),
    "SPACE_TO_DEPTH": blocks("space_to_depth"),
    "DEQUANTIZE": dequantise,
    "L2_NORMALIZATION": l2_normalise,
    "LOCAL_RESPONSE_NORMALIZATION": lrn,
    "LOGISTIC": plain("sigmoid"),
    "RELU": plain("relu"),
    "RELU6": plain("relu6"),
    "RELU_N1_TO_1": plain("clip", low=-1.0, high=1.0),
    "RELU_0_TO_1": plain("clip", low=0.0, high=1.0),
    "TANH": plain("tanh"),
    "ELU": plain("elu"),
    "HARD_SWISH": plain("hard_swish"),
    "LOG_SOFTMAX": plain("log_softmax"),
    "LEAKY_RELU": leaky_relu,
    "GELU": gelu,
    "SOFTMAX": softmax,
    "PRELU": prelu,
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "TRANSPOSE": transpose,
    "PAD": pad,
    "PADV2": pad,
    "MIRROR_PAD": pad,
    "SPLIT": split,
    "SPLIT_V": split,
    "SLICE": slice_,
    "STRIDED_SLICE": strided_slice,
    "MEAN": reduced("mean"),
    "SUM": reduced("sum"),
    "REDUCE_MAX": reduced("max"),
    "RESIZE_BILINEAR": resize,
    "RESIZE_NEAREST_NEIGHBOR": resize,
    "EXP": plain("exponential"),
    "LOG": plain("logarithm"),
    "SQRT": plain("square_root"),
    "NEG": plain("negate"),
    "ABS": plain("absolute"),
    "RSQRT": rsqrt,
    "SQUARE": square,
    "SQUARED_DIFFERENCE": squared_difference,
}
"""What becomes of an operator."""
