"""TFLite's operators as neutral operations. Maps have their channels last, and kernels the filters first."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.formats.flatbuffers import Table
from archspec.importing.operations import NotHere
from archspec.importing.tflite.context import Context, Handler
from archspec.importing.tflite.model import Node
from archspec.importing.tflite.shapes import blocks, concat, pad, reshape, slice_, split, strided_slice, transpose
from archspec.importing.tflite.windows import bias_of, conv, depthwise_conv, pool, resize, transposed_conv
from archspec.weights.tensors import Tensor


def dense(context: Context, node: Node, options: Table) -> None:
    shape = context.tensor(node, 0).shape
    kernel = context.constant(node, 1, "matrix")
    if len(kernel.shape) != 2 or options.number(1, "i1"):
        raise NotHere("its matrix is laid out in a way of its own")
    units, features = kernel.shape
    arrays = {"kernel": kernel.changed((features, units), np.transpose)}
    fields = {"units": units, **bias_of(context, node, arrays, units)}
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


def dequantise(context: Context, node: Node, options: Table) -> None:
    """Halves that are kept as such, and are numbers all the same."""
    held = context.tensor(node, 0)
    tensor = context.held.get(node.inputs[0])
    if tensor is None or tensor.kind not in ("float16", "bfloat16"):
        raise NotHere("it is of a quantised network, whose whole numbers stand for others: import its float file")
    context.held[node.outputs[0]] = Tensor(held.shape, tensor.kind, tensor.load)


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
