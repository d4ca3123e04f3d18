"""What each kind of layer with arrays or random numbers is in Flax: maps are (batch, height, width, channels)."""

from __future__ import annotations

from typing import Any

from archspec.exporting.source.classes import Argument, Form
from archspec.exporting.source.forms import Context, Raw, channels, kinds, on, one
from archspec.exporting.targets import Emitters
from archspec.graph import Node
from archspec.types import TensorType

form = Emitters("flax")
"""The functions of kinds: of the layer, its node and the graph around it."""

RNGS = Argument("rngs", Raw("rngs"), "rngs")
CALLED = "{self}({0})"


def all_axes(values: Any, x: TensorType, name: str, said: str, default: Any = ...) -> Argument:
    """Numbers of axes as a tuple; one number stands for all of them among a class's arguments."""
    own = on(values, x)
    style = "({0}, {0})" if x.is_map else "({0},)"
    usual = Argument(name, one(own), said, said, style=style)
    return usual if default is ... else usual._replace(default=default)


def _sides(sides: tuple[tuple[int, int], ...]) -> Any:
    """Padding in the shortest way that Flax reads alike."""
    if all(pair == (sides[0][0],) * 2 for pair in sides):
        return sides[0][0]
    return sides


@form(*kinds("conv", "depthwise_conv"))
def _conv(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    depthwise = node.kind == "depthwise_conv"
    groups = x.channels if depthwise else layer.groups
    arguments = (
        channels(x.channels, "in_channels"),
        channels(y.channels, "filters"),
        all_axes(layer.kernel, x, "", "kernel"),
        Argument("strides", one(on(layer.stride, x)), "stride", "stride", 1),
        Argument("padding", _sides(layer.padding(x)), "pad", "pad"),
        Argument("kernel_dilation", one(on(layer.dilation, x)), "dilation", "dilation", 1),
        Argument("feature_group_count", groups, "groups", "channels" if depthwise else "groups", 1),
        Argument("use_bias", layer.bias, "bias", "bias", True),
        RNGS,
    )
    return Form(CALLED, "nnx.Conv", arguments)


@form(*kinds("transposed_conv"))
def _transposed(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    plain = layer.groups == 1 and set(on(layer.dilation, x)) == {1}
    more = (
        ()
        if plain
        else (
            Argument("dilation", on(layer.dilation, x), "dilation"),
            Argument("groups", layer.groups, "groups", "groups", 1),
        )
    )
    arguments = (
        channels(x.channels, "in_channels"),
        channels(y.channels, "filters"),
        all_axes(layer.kernel, x, "", "kernel"),
        all_axes(layer.stride, x, "strides", "stride"),
        all_axes([before for before, _ in layer.pad], x, "padding", "pad"),
        Argument("size", y.spatial, "size", "size"),
        *more,
        Argument("use_bias", layer.bias, "bias", "bias", True),
        RNGS,
    )
    name = "TransposedConv" if plain else "DilatedTransposedConv"
    return Form(CALLED, name, arguments, helpers=(name,))


@form(*kinds("partial_conv", "locally_connected"))
def _own_conv(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    partial = node.kind == "partial_conv"
    first = (
        (Argument("", layer.connections, "connections"),)
        if partial
        else (channels(y.channels, "filters"), Argument("", y.spatial, "size"))
    )
    arguments = (
        channels(x.channels, "in_channels"),
        *first,
        Argument("", on(layer.kernel, x), "kernel"),
        Argument("strides", on(layer.stride, x), "stride"),
        Argument("padding", layer.padding(x), "pad", "sides"),
        Argument("dilation", on(layer.dilation, x), "dilation"),
        Argument("use_bias", layer.bias, "bias", "bias", True),
        RNGS,
    )
    name = "PartialConv" if partial else "LocallyConnected"
    return Form(CALLED, name, arguments, helpers=(name,))


@form(*kinds("dense"))
def _dense(layer: Any, node: Node, context: Context) -> Form:
    arguments = (
        channels(node.input_types[0].channels, "in_features"),
        channels(layer.units, "units"),
        Argument("use_bias", layer.bias, "bias", "bias", True),
        RNGS,
    )
    return Form(CALLED, "nnx.Linear", arguments)


@form(*kinds("rbf"))
def _rbf(layer: Any, node: Node, context: Context) -> Form:
    arguments = (channels(node.input_types[0].channels, "in_features"), channels(layer.units, "units"))
    return Form(CALLED, "RadialBasis", arguments, helpers=("RadialBasis",))


@form(*kinds("self_attention"))
def _attention(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    width = layer.width or x.channels
    arguments = (
        channels(x.channels, "in_channels"),
        channels(width, "width"),
        channels(layer.values or width, "values"),
        Argument("filters", y.channels if layer.project else None, "filters", "channels", None),
        Argument("heads", layer.heads, "heads", "heads", 1),
        Argument("scale", layer.scale, "scale", "scale", True),
        Argument("sizes", x.spatial if layer.positions == "relative" else (), "sizes", "sizes", ()),
        Argument("use_bias", layer.bias, "bias", "bias", True),
        RNGS,
    )
    return Form(CALLED, "SelfAttention", arguments, helpers=("SelfAttention",))


def _parts(layer: Any, epsilon: float) -> tuple[Argument, ...]:
    return (
        Argument("epsilon", layer.epsilon, "epsilon", "epsilon", epsilon),
        Argument("use_scale", layer.scale, "scale", "scale", True),
        Argument("use_bias", layer.bias, "bias", "bias", True),
    )


@form(*kinds("batch_norm"))
def _batch_norm(layer: Any, node: Node, context: Context) -> Form:
    momentum = Argument("momentum", layer.momentum, "momentum", "momentum", 0.99)
    size = channels(node.input_types[0].channels, "channels")
    return Form(CALLED, "nnx.BatchNorm", (size, momentum, *_parts(layer, 1e-5), RNGS))


_EXACT = Argument("use_fast_variance", False, "fast", "fast")
"""Means of (x − μ)², as here: E[x²] − μ² loses digits where means are large."""


@form(*kinds("group_norm", "instance_norm"))
def _group_norm(layer: Any, node: Node, context: Context) -> Form:
    size = node.input_types[0].channels
    groups = Argument("num_groups", layer.groups if node.kind == "group_norm" else size, "groups", "groups")
    if node.kind == "instance_norm":
        groups = groups._replace(sort="channels", said="channels")
    return Form(CALLED, "nnx.GroupNorm", (channels(size, "channels"), groups, *_parts(layer, 1e-6), _EXACT, RNGS))


@form(*kinds("layer_norm"))
def _layer_norm(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    if layer.axes == "all" and not x.is_vector:
        shape = Argument("", x.shape, "shape")
        return Form(CALLED, "LayerNorm", (shape, *_parts(layer, 1e-5)), helpers=("LayerNorm",))
    return Form(CALLED, "nnx.LayerNorm", (channels(x.channels, "channels"), *_parts(layer, 1e-6), _EXACT, RNGS))


@form(*kinds("layer_scale"))
def _layer_scale(layer: Any, node: Node, context: Context) -> Form:
    size = channels(node.input_types[0].channels, "channels")
    arguments = (size, Argument("", layer.initial, "initial", "initial"))
    return Form(CALLED, "LayerScale", arguments, helpers=("LayerScale",))


@form(*kinds("prelu"))
def _prelu(layer: Any, node: Node, context: Context) -> Form:
    size = 1 if layer.shared else node.input_types[0].channels
    count = Argument("", size, "channels", "slopes" if layer.shared else "channels")
    return Form(CALLED, "PReLU", (count, Argument("initial", layer.slope, "slope", "slope", 0.25)), helpers=("PReLU",))


@form(*kinds("subsample"))
def _subsample(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    window, stride, padding = layer.laid(x)
    arguments = (
        channels(x.channels, "channels"),
        Argument("", window, "window"),
        Argument("strides", stride, "stride", "strides"),
        Argument("padding", padding, "pad", "sides"),
        Argument("area", layer.area(x), "area", "area"),
    )
    return Form(CALLED, "Subsample", arguments, helpers=("Subsample",))


@form(*kinds("dropout", "spatial_dropout", "stochastic_depth"))
def _dropout(layer: Any, node: Node, context: Context) -> Form:
    axes = tuple(range(1, len(node.output.shape) + 1))
    whole: tuple[int, ...] = ()
    if node.kind == "spatial_dropout":
        whole = axes[:-1]
    elif node.kind == "stochastic_depth":
        whole = axes if layer.mode == "row" else (0, *axes)
    dims = Argument("broadcast_dims", whole, "broadcast_dims", "dims", ())
    return Form(CALLED, "nnx.Dropout", (Argument("", layer.rate, "rate", "rate"), dims, RNGS))
