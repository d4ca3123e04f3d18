"""Operators that are functions of one number, and softmax."""

from __future__ import annotations

from math import prod

from archspec.importing.onnx.context import Context, Handler
from archspec.importing.onnx.model import Node
from archspec.importing.operations import NotHere


def plain(kind: str, **names: str) -> Handler:
    """An operator that is a kind of ours, its attributes by the fields that they are: `slope="alpha"`."""

    def handle(context: Context, node: Node) -> None:
        shape = context.loose(node)
        fields = {field: node.attributes[name] for field, name in names.items() if name in node.attributes}
        context.emit(node, kind, fields, inputs=[context.taken(node.inputs[0])], shape=shape)

    return handle


def leaky_relu(context: Context, node: Node) -> None:
    fields = {"slope": node.attributes.get("alpha", 0.01)}
    context.emit(node, "leaky_relu", fields, inputs=[context.taken(node.inputs[0])], shape=context.loose(node))


def elu(context: Context, node: Node) -> None:
    fields = {"alpha": node.attributes.get("alpha", 1.0)}
    context.emit(node, "elu", fields, inputs=[context.taken(node.inputs[0])], shape=context.loose(node))


def hard_sigmoid(context: Context, node: Node) -> None:
    """max(0, min(1, alpha·x + beta)); of ours alpha is 1/6 and beta 1/2."""
    shape = context.loose(node)
    alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    if abs(alpha - 1 / 6) > 1e-5 or beta != 0.5:
        raise NotHere(f"its slope is {alpha:.6g} and its middle {beta:.6g}, and ours 1/6 and 0.5")
    context.emit(node, "hard_sigmoid", inputs=[context.taken(node.inputs[0])], shape=shape)


def gelu(context: Context, node: Node) -> None:
    how = node.attributes.get("approximate", "none") or "none"
    if how not in ("none", "tanh"):
        raise NotHere(f"its approximation is {how}")
    fields = {"approximate": True} if how == "tanh" else {}
    context.emit(node, "gelu", fields, inputs=[context.taken(node.inputs[0])], shape=context.loose(node))


def swish(context: Context, node: Node) -> None:
    if node.attributes.get("alpha", 1.0) != 1.0:
        raise NotHere(f"its alpha is {node.attributes['alpha']:.6g}")
    context.emit(node, "silu", inputs=[context.taken(node.inputs[0])], shape=context.loose(node))


def prelu(context: Context, node: Node) -> None:
    shape = context.shape(node)
    slope = context.array(node, 1, "slope")
    sizes = (1,) * (len(shape) - len(slope.shape)) + slope.shape if len(slope.shape) <= len(shape) else slope.shape
    # Some exporters leave the axes behind the channels out.
    channels = shape[1] if len(shape) > 1 else 1
    own = prod(slope.shape)
    alone = all(size == 1 for axis, size in enumerate(sizes) if axis != 1) or slope.shape == (channels,) != (shape[-1],)
    if own not in (1, channels) or not (alone or own == 1):
        raise NotHere(f"its slopes have the shape {list(slope.shape)}: they are neither one nor one for each channel")
    fields = {"shared": True} if own == 1 else {}
    arrays = {"slope": slope.changed((own,), lambda x: x.reshape(own))}
    context.emit(node, "prelu", fields, inputs=[context.taken(node.inputs[0])], shape=shape, arrays=arrays)


def softmax(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        shape = context.shape(node)
        rank = len(shape)
        axis = node.attributes.get("axis", -1 if context.model.opset >= 13 else 1)
        if not -rank <= axis < rank:
            raise NotHere(f"its axis is {axis}, and its input has {rank}")
        axis %= rank
        if context.model.opset < 13 and prod(shape[axis + 1 :]) > 1:
            raise NotHere(f"it goes over all axes from {axis} on at once, as versions below 13 do")
        fields = {} if axis == 1 else {"axis": axis}
        context.emit(node, kind, fields, inputs=[context.taken(node.inputs[0])], shape=shape)

    return handle


def clip(context: Context, node: Node) -> None:
    shape = context.loose(node)
    low, high = node.attributes.get("min"), node.attributes.get("max")
    if context.given(node, 1):
        low = float(context.numbers(node, 1, "lower bound").reshape(-1)[0])
    if context.given(node, 2):
        high = float(context.numbers(node, 2, "upper bound").reshape(-1)[0])
    # The least and the largest number of 32 bits bound nothing.
    low = None if low is not None and low <= -3.4e38 else low
    high = None if high is not None and high >= 3.4e38 else high
    inputs = [context.taken(node.inputs[0])]
    if (low, high) == (None, None):
        context.alias(node)
    elif low == 0 and high is None:
        context.emit(node, "relu", inputs=inputs, shape=shape)
    elif low == 0 and high == 6:
        context.emit(node, "relu6", inputs=inputs, shape=shape)
    else:
        context.emit(node, "clip", {"low": low, "high": high}, inputs=inputs, shape=shape)


ACTIVATIONS: dict[str, tuple[Handler, set[str]]] = {
    **{
        op: (plain(kind), set())
        for op, kind in {
            "Relu": "relu",
            "Sigmoid": "sigmoid",
            "Tanh": "tanh",
            "HardSwish": "hard_swish",
            "Mish": "mish",
            "Softplus": "softplus",
        }.items()
    },
    "LeakyRelu": (leaky_relu, {"alpha"}),
    "Elu": (elu, {"alpha"}),
    "HardSigmoid": (hard_sigmoid, {"alpha", "beta"}),
    "Gelu": (gelu, {"approximate"}),
    "Swish": (swish, {"alpha"}),
    "PRelu": (prelu, set()),
    "Softmax": (softmax("softmax"), {"axis"}),
    "LogSoftmax": (softmax("log_softmax"), {"axis"}),
    "Clip": (clip, {"max", "min"}),
}
"""What becomes of an operator, and the attributes that it may have."""
