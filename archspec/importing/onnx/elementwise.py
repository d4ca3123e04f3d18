"""Operators number by number, sums of axes, and products with matrices."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np

from archspec.diagnostics import count
from archspec.importing.onnx.context import Context, Handler, tensor_from
from archspec.importing.onnx.model import Node
from archspec.importing.operations import NotHere, Shape
from archspec.weights.tensors import Tensor


def same(context: Context, node: Node) -> None:
    """What changes nothing in evaluation."""
    context.alias(node)


def cast(context: Context, node: Node) -> None:
    if node.attributes.get("to") not in (1, 10, 11, 16):
        raise NotHere("it makes whole numbers of what is computed")
    context.shape(node)
    if node.attributes.get("to") != 1:
        context.notes[
            "casts to another precision are left out: imports compute in the precision that a run asks for"
        ] += 1
    context.alias(node)


def dropout(context: Context, node: Node) -> None:
    shape = context.loose(node)
    rate = node.attributes.get("ratio", 0.5)
    if context.given(node, 1):
        rate = float(context.numbers(node, 1, "ratio").reshape(-1)[0])
    if context.given(node, 2) and bool(context.numbers(node, 2, "training_mode").reshape(-1)[0]):
        context.notes["Dropout that is switched on for good is dropout of training here"] += 1
    if len(node.outputs) > 1 and node.outputs[1]:
        raise NotHere("its mask is used")
    fields = {"rate": float(str(np.float32(rate)))}
    context.emit(node, "dropout", fields, inputs=[context.taken(node.inputs[0])], shape=shape)


def joined(kind: str) -> Handler:
    """Sums, products and the like of two or more values or constants."""

    def handle(context: Context, node: Node) -> None:
        names = list(node.inputs)
        shapes = [context.shape(node, index) for index in range(len(names))]
        if len(names) == 2 and ("axis" in node.attributes or node.attributes.get("broadcast")):
            names[1], shapes[1] = _spread(context, node, shapes)
        try:
            out = np.broadcast_shapes(*shapes)
        except ValueError:
            raise NotHere(f"its inputs of {' and '.join(map(str, shapes))} do not fit together") from None
        inputs = [context.taken(name) for name in names]
        if len(inputs) == 1:
            context.alias(node)
            return
        constant = any(context.known[name].tensor is not None for name in names)
        if kind in ("average", "maximum", "minimum") and constant:
            raise NotHere("one of its inputs is a constant")
        if kind == "minimum":
            raise NotHere("")
        context.emit(node, kind, inputs=inputs, shape=tuple(out))

    return handle


def _spread(context: Context, node: Node, shapes: list[Shape]) -> tuple[str, Shape]:
    """A second input that begins at an axis of the first, as versions below 7 have it: its name and shape."""
    one, other = shapes
    tensor = context.constant(node, 1)
    if tensor is None:
        raise NotHere("it spreads a value over axes in the way of versions below 7")
    axis = node.attributes.get("axis", len(one) - len(other)) % max(1, len(one))
    shape = (*other, *(1 for _ in one[axis + len(other) :]))
    name = f"{node.outputs[0]}/spread"
    context.hold(name, tensor.shaped(shape))
    return name, shape


def unary(kind: str) -> Handler:
    """A function that is no layer by itself, and may be a part of one."""

    def handle(context: Context, node: Node) -> None:
        shape = context.loose(node)
        context.emit(node, kind, inputs=[context.taken(node.inputs[0])], shape=shape)

    return handle


def reduced(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        shape = context.shape(node)
        rank = len(shape)
        axes = node.attributes.get("axes")
        if axes is None and context.given(node, 1):
            axes = context.whole(node, 1, "axes")
        if not axes:
            if node.attributes.get("noop_with_empty_axes"):
                context.alias(node)
                return
            axes = list(range(rank))
        if any(not -rank <= axis < rank for axis in axes):
            raise NotHere(f"its axes are {axes[:16]}, and its input has {rank}")
        axes = sorted({axis % rank for axis in axes})
        if 0 in axes:
            raise NotHere("it goes over the samples of the batch")
        keep = bool(node.attributes.get("keepdims", 1))
        out = tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes)
        inputs = [context.taken(node.inputs[0])]
        if axes == list(range(2, rank)) and rank in (3, 4) and kind in _GLOBAL:
            context.emit(node, _GLOBAL[kind], {"keep_dims": True} if keep else {}, inputs=inputs, shape=out)
        elif kind == "max":
            raise NotHere(f"it takes the largest over the axes {axes}")
        else:
            context.emit(node, kind, {"axes": axes, "keep": keep}, inputs=inputs, shape=out)

    return handle


_GLOBAL = {"mean": "global_avg_pool", "max": "global_max_pool"}


def gemm(context: Context, node: Node) -> None:
    shape = context.shape(node)
    kernel = context.array(node, 1, "matrix")
    if len(shape) != 2 or len(kernel.shape) != 2 or node.attributes.get("transA"):
        raise NotHere("its first input is no row of features for each sample")
    if not node.attributes.get("transB"):
        kernel = kernel.turned
    if (alpha := node.attributes.get("alpha", 1.0)) != 1.0:
        kernel = kernel.changed(kernel.shape, partial(_times, alpha))
    units, features = kernel.shape
    if features != shape[1]:
        raise NotHere(f"its matrix is for {count(features, 'feature')}, and its input has {shape[1]}")
    arrays = {"kernel": kernel}
    if context.given(node, 2):
        bias = context.array(node, 2, "bias")
        if prod(bias.shape) not in (1, units) or (prod(bias.shape) != 1 and bias.shape[-1] != units):
            raise NotHere(f"its bias has the shape {list(bias.shape)} for {count(units, 'unit')}")
        beta = node.attributes.get("beta", 1.0)
        whole = prod(bias.shape) == units
        arrays["bias"] = bias.changed(
            (units,),
            lambda x: (x.reshape(units) if whole else np.broadcast_to(x.reshape(1), (units,))) * x.dtype.type(beta),
        )
    fields = {"units": units, "bias": "bias" in arrays}
    inputs = [context.taken(node.inputs[0])]
    context.emit(node, "dense", fields, inputs=inputs, shape=(shape[0], units), arrays=arrays)


def _times(factor: float, array: np.ndarray) -> np.ndarray:
    return np.asarray(array * array.dtype.type(factor))


def matmul(context: Context, node: Node) -> None:
    one, other = context.shape(node), context.shape(node, 1)
    inputs = [context.taken(name) for name in node.inputs]
    kernel = context.constant(node, 1)
    if kernel is not None and len(kernel.shape) == 2 and len(one) >= 2 and context.constant(node, 0) is None:
        features, units = kernel.shape
        if features != one[-1]:
            raise NotHere(f"its matrix is for {count(features, 'feature')}, and its input has {one[-1]}")
        arrays = {"kernel": kernel.changed((units, features), np.transpose)}
        fields = {"units": units, "bias": False, **({} if len(one) == 2 else {"axis": len(one) - 1})}
        out = (*one[:-1], units)
        context.emit(node, "dense", fields, inputs=inputs[:1], shape=out, arrays=arrays)
        return
    if len(one) < 2 or len(other) < 2 or one[-1] != other[-2]:
        raise NotHere(f"its inputs of {one} and {other} do not fit together")
    try:
        rest = np.broadcast_shapes(one[:-2], other[:-2])
    except ValueError:
        raise NotHere(f"its inputs of {one} and {other} do not fit together") from None
    context.emit(node, "matmul", inputs=inputs, shape=(*rest, one[-2], other[-1]))


def constant(context: Context, node: Node) -> None:
    attributes = node.attributes
    if isinstance(attributes.get("value"), Tensor):
        context.hold(node.outputs[0], attributes["value"])
        return
    for name, dtype in (("value_float", "f4"), ("value_floats", "f4"), ("value_int", "i8"), ("value_ints", "i8")):
        if name in attributes:
            context.hold(node.outputs[0], tensor_from(np.array(attributes[name], dtype)))
            return
    raise NotHere("it holds no numbers")


ELEMENTWISE: dict[str, tuple[Handler, set[str]]] = {
    "Constant": (constant, {"value", "value_float", "value_floats", "value_int", "value_ints"}),
    "Identity": (same, set()),
    "Cast": (cast, {"to", "saturate"}),
    "Dropout": (dropout, {"ratio", "seed"}),
    **{
        op: (joined(kind), {"axis", "broadcast"})
        for op, kind in {
            "Add": "add",
            "Sub": "subtract",
            "Mul": "multiply",
            "Div": "divide",
            "Pow": "power",
            "Sum": "add",
            "Mean": "average",
            "Max": "maximum",
            "Min": "minimum",
        }.items()
    },
    **{
        op: (unary(kind), set())
        for op, kind in {
            "Sqrt": "square_root",
            "Exp": "exponential",
            "Log": "logarithm",
            "Erf": "error_function",
            "Neg": "negate",
            "Reciprocal": "reciprocal",
            "Abs": "absolute",
        }.items()
    },
    **{
        op: (reduced(kind), {"axes", "keepdims", "noop_with_empty_axes"})
        for op, kind in {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceL2": "norm"}.items()
    },
    "Gemm": (gemm, {"alpha", "beta", "broadcast", "transA", "transB"}),
    "MatMul": (matmul, set()),
}
"""What becomes of an operator, and the attributes that it may have."""
