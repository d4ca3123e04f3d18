"""PyTorch's operators (ATen) as neutral operations; the shape of each value is in the graph."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from archspec.importing.operations import NotHere
from archspec.importing.torch.context import Context, Handler, Name, Node
from archspec.importing.torch.shapes import (
    blocks,
    cat,
    dropout,
    expand,
    pad,
    permute,
    reshaped,
    same,
    select,
    shuffle,
    slice_,
    split,
    to_type,
)
from archspec.importing.torch.windows import adaptive_pool, conv, pool, transposed_conv, upsample, window_mean
from archspec.weights.tensors import Tensor


def batch_norm(context: Context, node: Node) -> None:
    names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    arrays = context.arrays_of(node, names)
    if "mean" not in arrays or "var" not in arrays:
        raise NotHere("it has no running statistics: its results depend on the other samples")
    if node.given.get("training"):
        context.notes["batch normalisations of training are taken as they are in evaluation"] += 1
    momentum = node.given.get("momentum", 0.1)
    fields = {
        "epsilon": node.given.get("eps", 1e-5),
        "momentum": float(f"{1 - momentum:.9g}"),
        "scale": "scale" in arrays,
        "bias": "bias" in arrays,
    }
    context.emit(node, "batch_norm", fields, arrays=arrays)


def layer_norm(context: Context, node: Node) -> None:
    x = context.x(node)
    shape, own = context.shape(x), list(node.given.get("normalized_shape", []))
    rank = len(shape)
    arrays = context.arrays_of(node, {"scale": "weight", "bias": "bias"})
    fields: dict[str, Any] = {
        "epsilon": node.given.get("eps", 1e-5), "scale": "scale" in arrays, "bias": "bias" in arrays,
    }  # fmt: skip
    if own == list(shape[1:]) and len(own) > 1:
        fields["axes"] = "all"
    elif own == list(shape[-1:]):
        fields |= {} if rank == 2 else {"axis": rank - 1}
    else:
        raise NotHere(f"it goes over {own} of {list(shape)}")
    context.emit(node, "layer_norm", fields, arrays=arrays)


def group_norm(context: Context, node: Node) -> None:
    arrays = context.arrays_of(node, {"scale": "weight", "bias": "bias"})
    groups = node.given.get("num_groups", node.given.get("group"))
    fields = {
        "groups": groups, "epsilon": node.given.get("eps", 1e-5), "scale": "scale" in arrays, "bias": "bias" in arrays,
    }  # fmt: skip
    context.emit(node, "group_norm", fields, arrays=arrays)


def instance_norm(context: Context, node: Node) -> None:
    if not node.given.get("use_input_stats", True):
        raise NotHere("it uses running statistics")
    arrays = context.arrays_of(node, {"scale": "weight", "bias": "bias"})
    fields = {"epsilon": node.given.get("eps", 1e-5), "scale": "scale" in arrays, "bias": "bias" in arrays}
    context.emit(node, "instance_norm", fields, arrays=arrays)


def linear(context: Context, node: Node) -> None:
    x = context.x(node, "input")
    kernel = context.needed(node, "weight")
    arrays = {"kernel": kernel, **context.arrays_of(node, {"bias": "bias"})}
    rank = len(context.shape(x))
    fields = {"units": kernel.shape[0], "bias": "bias" in arrays, **({} if rank == 2 else {"axis": rank - 1})}
    context.emit(node, "dense", fields, inputs=[x], arrays=arrays)


def addmm(context: Context, node: Node) -> None:
    if node.given.get("beta", 1) != 1 or node.given.get("alpha", 1) != 1:
        raise NotHere("it has factors (alpha, beta)")
    kernel = context.needed(node, "mat2")
    arrays = {"kernel": kernel.turned, **context.arrays_of(node, {"bias": "self"})}
    fields = {"units": kernel.shape[1], "bias": True}
    context.emit(node, "dense", fields, inputs=[context.x(node, "mat1")], arrays=arrays)


def matmul(context: Context, node: Node) -> None:
    other = node.given.get("other", node.given.get("mat2"))
    kernel = context.held.get(other) if isinstance(other, Name) else None
    x = context.x(node)
    if kernel is None or len(kernel.shape) != 2:
        raise NotHere("it multiplies matrices that are no weights")
    rank = len(context.shape(x))
    fields = {"units": kernel.shape[1], "bias": False, **({} if rank == 2 else {"axis": rank - 1})}
    context.emit(node, "dense", fields, inputs=[x], arrays={"kernel": kernel.turned})


def plain(kind: str, **names: tuple[str, Any]) -> Handler:
    """A function with a kind of its own; fields by the names of arguments and what they are if left out."""

    def handle(context: Context, node: Node) -> None:
        fields = {field: node.given.get(name, usual) for field, (name, usual) in names.items()}
        context.emit(node, kind, {key: _decimal(value) for key, value in fields.items()})

    return handle


def _decimal(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def elu(context: Context, node: Node) -> None:
    if node.given.get("scale", 1) != 1 or node.given.get("input_scale", 1) != 1:
        raise NotHere("it has factors (scale, input_scale)")
    context.emit(node, "elu", {"alpha": float(node.given.get("alpha", 1.0))})


def softplus(context: Context, node: Node) -> None:
    # Above the threshold PyTorch takes x itself, which differs by less than e^−20.
    context.emit(node, "softplus", {"beta": float(node.given.get("beta", 1))})


def gelu(context: Context, node: Node) -> None:
    context.emit(node, "gelu", {"approximate": True} if node.given.get("approximate", "none") == "tanh" else {})


def prelu(context: Context, node: Node) -> None:
    slope = context.needed(node, "weight")
    shared = prod(slope.shape) == 1 and context.shape(context.x(node))[1] != 1
    own = slope.shaped((slope.size,))
    context.emit(node, "prelu", {"shared": True} if shared else {}, arrays={"slope": own})


def softmax(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        rank = len(context.shape(context.x(node)))
        axis = node.given.get("dim", -1) % rank
        context.emit(node, kind, {} if axis == 1 else {"axis": axis})

    return handle


def clamp(context: Context, node: Node) -> None:
    low, high = node.given.get("min", node.given.get("min_val")), node.given.get("max", node.given.get("max_val"))
    if "hardtanh" in node.op:
        low, high = (-1 if low is None else low), (1 if high is None else high)
    if any(isinstance(bound, Name) for bound in (low, high)):
        raise NotHere("its bounds are values")
    bounds = tuple(None if bound is None else float(bound) for bound in (low, high))
    kind = {(0.0, None): "relu", (0.0, 6.0): "relu6"}.get(bounds, "clip")  # type: ignore[arg-type]
    context.emit(node, kind, {"low": bounds[0], "high": bounds[1]} if kind == "clip" else {})


def joined(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        if node.given.get("alpha", 1) != 1:
            raise NotHere("it has a factor (alpha)")
        if node.given.get("rounding_mode"):
            raise NotHere(f"it rounds ({node.given['rounding_mode']})")
        given = [value for name, value in node.given.items() if name in ("self", "other", "exponent")]
        inputs = []
        for value in given:
            if isinstance(value, Name):
                inputs.append(context.taken(value))
            elif isinstance(value, int | float):
                name = f"{node.outputs[0]}/number"
                number = np.array(value, np.float32)
                context.constants[name] = Tensor.of(number)
                inputs.append(name)
        if len(inputs) != 2:
            raise NotHere("it does not take two values")
        if kind in ("maximum", "minimum") and any(name in context.constants for name in inputs):
            raise NotHere("one of its inputs is a constant")
        if kind == "minimum":
            raise NotHere("")
        context.emit(node, kind, inputs=inputs)

    return handle


def reversed_subtract(context: Context, node: Node) -> None:
    if node.given.get("alpha", 1) != 1:
        raise NotHere("it has a factor (alpha)")
    name = f"{node.outputs[0]}/number"
    context.constants[name] = Tensor.of(np.array(node.given.get("other"), np.float32))
    context.emit(node, "subtract", inputs=[name, context.x(node)])


def mean(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        rank = len(context.shape(context.x(node)))
        dims = node.given.get("dim")
        axes = sorted({axis % rank for axis in ([dims] if isinstance(dims, int) else dims or range(rank))})
        keep = bool(node.given.get("keepdim", False))
        if 0 in axes:
            raise NotHere("it goes over the samples of the batch")
        if axes == list(range(2, rank)) and rank in (3, 4) and kind in ("mean", "max"):
            name = "global_avg_pool" if kind == "mean" else "global_max_pool"
            context.emit(node, name, {"keep_dims": True} if keep else {})
        elif kind == "max":
            raise NotHere(f"it takes the largest over the axes {axes}")
        else:
            context.emit(node, kind, {"axes": axes, "keep": keep})

    return handle


def norm(context: Context, node: Node) -> None:
    if node.given.get("ord", node.given.get("p", 2)) != 2:
        raise NotHere("it is of another order than 2")
    mean("norm")(context, node)


def rsqrt(context: Context, node: Node) -> None:
    root = context.emit(node, "square_root", output=f"{node.outputs[0]}/root", shape=context.shape(node.outputs[0]))
    context.emit(node, "reciprocal", inputs=[root])


_UNARY = {
    "relu": "relu",
    "relu6": "relu6",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "mish": "mish",
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "sqrt": "square_root",
    "exp": "exponential",
    "log": "logarithm",
    "erf": "error_function",
    "neg": "negate",
    "reciprocal": "reciprocal",
    "abs": "absolute",
}
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("conv1d", "conv2d", "convolution"), conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), transposed_conv),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), batch_norm),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), layer_norm),
    **dict.fromkeys(("group_norm", "native_group_norm"), group_norm),
    "instance_norm": instance_norm,
    "linear": linear,
    "addmm": addmm,
    **dict.fromkeys(("matmul", "mm"), matmul),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool2d_with_indices"), pool("max_pool")),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), pool("avg_pool")),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"), adaptive_pool("avg")),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), adaptive_pool("max")),
    **{op: plain(kind) for op, kind in _UNARY.items()},
    "leaky_relu": plain("leaky_relu", slope=("negative_slope", 0.01)),
    "elu": elu,
    "gelu": gelu,
    "softplus": softplus,
    "prelu": prelu,
    **dict.fromkeys(("softmax", "_softmax"), softmax("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), softmax("log_softmax")),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "hardtanh"), clamp),
    "add": joined("add"),
    "sub": joined("subtract"),
    "rsub": reversed_subtract,
    "mul": joined("multiply"),
    "div": joined("divide"),
    "pow": joined("power"),
    "maximum": joined("maximum"),
    "minimum": joined("minimum"),
    **dict.fromkeys(("cat", "concat"), cat),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze"), reshaped),
    **dict.fromkeys(("permute", "transpose", "t", "movedim"), permute),
    **dict.fromkeys(("contiguous", "clone", "alias", "detach", "lift_fresh_copy", "identity"), same),
    **dict.fromkeys(("to", "_to_copy", "type_as"), to_type),
    **dict.fromkeys(("dropout", "feature_dropout"), dropout),
    "slice": slice_,
    "select": select,
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), split),
    "mean": mean("mean"),
    "sum": mean("sum"),
    "amax": mean("max"),
    **dict.fromkeys(("linalg_vector_norm", "norm"), norm),
    **dict.fromkeys(("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "reflection_pad1d"), pad),
    **dict.fromkeys(("upsample_nearest1d", "upsample_nearest2d"), upsample("nearest")),
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d"), upsample("bilinear")),
    "pixel_shuffle": blocks("depth_to_space"),
    "pixel_unshuffle": blocks("space_to_depth"),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), shuffle),
    **dict.fromkeys(("expand", "expand_as"), expand),
    "rsqrt": rsqrt,
    "avg_pool3d": window_mean,
}
"""What becomes of an operator, by its name without what tells apart how it is called."""
