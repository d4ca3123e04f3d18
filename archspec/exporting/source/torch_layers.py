"""What each kind of layer with arrays is in PyTorch, where maps are (batch, channels, height, width)."""

from __future__ import annotations

from typing import Any

from archspec.exporting.source.classes import Argument, Form
from archspec.exporting.source.forms import Context, channels, is_even, kinds, on, one, sliced
from archspec.exporting.targets import Emitters
from archspec.graph import Node
from archspec.types import TensorType

form = Emitters("torch")
"""The functions of kinds: of the layer, its node and the graph around it."""


def rank_of(x: TensorType) -> int:
    """1 for signals and vectors, 2 for maps, as PyTorch's names of layers have it."""
    return max(1, len(x.spatial))


def padded(sides: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """Sides as `F.pad` has them: the last axis first."""
    return tuple(side for pair in reversed(sides) for side in pair)


def pad_argument(sides: tuple[tuple[int, int], ...]) -> Argument:
    return Argument("pad", padded(sides), "pad", "sides")


def _of_window(layer: Any, x: TensorType) -> tuple[Argument, ...]:
    return (
        Argument("", one(on(layer.kernel, x)), "kernel", "kernel"),
        Argument("stride", one(on(layer.stride, x)), "stride", "stride", 1),
    )


@form(*kinds("conv", "depthwise_conv"))
def _conv(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    sides = layer.padding(x)
    depthwise = node.kind == "depthwise_conv"
    groups = x.channels if depthwise else layer.groups
    even = is_even(sides)
    return Form(
        "{self}({0})" if even else "{self}(F.pad({0}, {pad}))",
        f"nn.Conv{rank_of(x)}d",
        (
            channels(x.channels, "in_channels"),
            channels(y.channels, "filters"),
            *_of_window(layer, x),
            Argument("padding", one([before for before, _ in sides]) if even else 0, "pad", "pad", 0),
            Argument("dilation", one(on(layer.dilation, x)), "dilation", "dilation", 1),
            Argument("groups", groups, "groups", "channels" if depthwise else "groups", 1),
            Argument("bias", layer.bias, "bias", "bias", True),
        ),
        () if even else (pad_argument(sides),),
    )


@form(*kinds("transposed_conv"))
def _transposed(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    sides = on(layer.pad, x)
    even = is_even(sides)
    use = "{self}({0})"
    if not even:
        cuts = (sliced(before, before + size) for (before, _), size in zip(sides, y.spatial, strict=True))
        use += f"[:, :, {', '.join(cuts)}]"
    return Form(
        use,
        f"nn.ConvTranspose{rank_of(x)}d",
        (
            channels(x.channels, "in_channels"),
            channels(y.channels, "filters"),
            *_of_window(layer, x),
            Argument("padding", one([before for before, _ in sides]) if even else 0, "pad", "pad", 0),
            Argument("output_padding", one(on(layer.output_pad, x)), "output_pad", "pad", 0),
            Argument("groups", layer.groups, "groups", "groups", 1),
            Argument("bias", layer.bias, "bias", "bias", True),
            Argument("dilation", one(on(layer.dilation, x)), "dilation", "dilation", 1),
        ),
    )


@form(*kinds("partial_conv"))
def _partial(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    arguments = (
        channels(x.channels, "in_channels"),
        Argument("", layer.connections, "connections"),
        Argument("", on(layer.kernel, x), "kernel"),
        Argument("stride", on(layer.stride, x), "stride"),
        Argument("padding", padded(layer.padding(x)), "pad", "sides"),
        Argument("dilation", on(layer.dilation, x), "dilation"),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "PartialConv", arguments, helpers=("PartialConv",))


@form(*kinds("locally_connected"))
def _local(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    arguments = (
        channels(x.channels, "in_channels"),
        channels(y.channels, "filters"),
        Argument("", y.spatial, "size"),
        Argument("", on(layer.kernel, x), "kernel"),
        Argument("stride", on(layer.stride, x), "stride"),
        Argument("padding", padded(layer.padding(x)), "pad", "sides"),
        Argument("dilation", on(layer.dilation, x), "dilation"),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "LocallyConnected", arguments, helpers=("LocallyConnected",))


@form(*kinds("dense"))
def _dense(layer: Any, node: Node, context: Context) -> Form:
    arguments = (
        channels(node.input_types[0].channels, "in_features"),
        channels(layer.units, "units"),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "nn.Linear", arguments)


@form(*kinds("rbf"))
def _rbf(layer: Any, node: Node, context: Context) -> Form:
    arguments = (channels(node.input_types[0].channels, "in_features"), channels(layer.units, "units"))
    return Form("{self}({0})", "RadialBasis", arguments, helpers=("RadialBasis",))


@form(*kinds("self_attention"))
def _attention(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    width = layer.width or x.channels
    sizes = x.spatial if layer.positions == "relative" else ()
    arguments = (
        channels(x.channels, "in_channels"),
        channels(width, "width"),
        channels(layer.values or width, "values"),
        Argument("filters", y.channels if layer.project else None, "filters", "channels", None),
        Argument("heads", layer.heads, "heads", "heads", 1),
        Argument("scale", layer.scale, "scale", "scale", True),
        Argument("sizes", sizes, "sizes", "sizes", ()),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "SelfAttention", arguments, helpers=("SelfAttention",))


def _lacking(layer: Any, make: str) -> str:
    """What makes a normalisation that may have factors or summands alone."""
    if layer.scale and not layer.bias:
        return f'without("bias", {make}({{}}))'
    return f'without("weight", {make}({{}}))' if layer.bias and not layer.scale else make


@form(*kinds("batch_norm"))
def _batch_norm(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    arguments = (
        channels(x.channels, "channels"),
        Argument("eps", layer.epsilon, "epsilon", "epsilon", 1e-5),
        Argument("momentum", round(1 - layer.momentum, 12), "momentum", "momentum", 0.1),
        Argument("affine", layer.scale or layer.bias, "affine", "affine", True),
    )
    helpers = ("without",) if layer.scale != layer.bias else ()
    return Form("{self}({0})", _lacking(layer, f"nn.BatchNorm{rank_of(x)}d"), arguments, helpers=helpers)


@form(*kinds("group_norm", "instance_norm"))
def _group_norm(layer: Any, node: Node, context: Context) -> Form:
    size = node.input_types[0].channels
    of_each = node.kind == "instance_norm"
    groups = channels(size, "channels") if of_each else Argument("", layer.groups, "groups", "groups")
    arguments = (
        groups,
        channels(size, "channels"),
        Argument("eps", layer.epsilon, "epsilon", "epsilon", 1e-5),
        Argument("affine", layer.scale or layer.bias, "affine", "affine", True),
    )
    helpers = ("without",) if layer.scale != layer.bias else ()
    return Form("{self}({0})", _lacking(layer, "nn.GroupNorm"), arguments, helpers=helpers)


@form(*kinds("layer_norm"))
def _layer_norm(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    every = layer.axes == "all" and not x.is_vector
    shape = Argument("", (x.channels, *x.spatial), "shape") if every else channels(x.channels, "channels")
    make = "nn.LayerNorm" if every or x.is_vector else "ChannelNorm"
    affine = layer.scale or layer.bias
    arguments = (
        shape,
        Argument("eps", layer.epsilon, "epsilon", "epsilon", 1e-5),
        Argument("elementwise_affine", affine, "affine", "affine", True),
        Argument("bias", layer.bias or not affine, "bias", "bias", True),
    )
    made = f'without("weight", {make}({{}}))' if layer.bias and not layer.scale else make
    helpers = (("ChannelNorm",) if make == "ChannelNorm" else ()) + (("without",) if made != make else ())
    return Form("{self}({0})", made, arguments, helpers=helpers)


@form(*kinds("lrn"))
def _lrn(layer: Any, node: Node, context: Context) -> Form:
    arguments = (
        Argument("", layer.size, "size", "size"),
        Argument("alpha", layer.alpha, "alpha", "alpha", 1e-4),
        Argument("beta", layer.beta, "beta", "beta", 0.75),
        Argument("k", layer.k, "k", "k", 1.0),
    )
    return Form("{self}({0})", "nn.LocalResponseNorm", arguments)


@form(*kinds("layer_scale"))
def _layer_scale(layer: Any, node: Node, context: Context) -> Form:
    arguments = (
        channels(node.input_types[0].channels, "channels"),
        Argument("", layer.initial, "initial", "initial"),
    )
    return Form("{self}({0})", "LayerScale", arguments, helpers=("LayerScale",))


@form(*kinds("l2_normalise"))
def _l2(layer: Any, node: Node, context: Context) -> Form:
    return Form("F.normalize({0}, dim=1, eps={epsilon})", settings=(setting("epsilon", layer.epsilon),))


def setting(name: str, value: Any, sort: str = "") -> Argument:
    return Argument(name, value, name, sort or name)


@form(*kinds("dropout", "spatial_dropout", "stochastic_depth"))
def _dropout(layer: Any, node: Node, context: Context) -> Form:
    rate = Argument("", layer.rate, "rate", "rate")
    if node.kind == "stochastic_depth":
        mode = Argument("mode", layer.mode, "mode", "mode", "row")
        return Form("{self}({0})", "StochasticDepth", (rate, mode), helpers=("StochasticDepth",))
    if node.kind == "dropout":
        return Form("{self}({0})", "nn.Dropout", (rate,))
    return Form("{self}({0})", f"nn.Dropout{rank_of(node.input_types[0])}d", (rate,))


@form(*kinds("prelu"))
def _prelu(layer: Any, node: Node, context: Context) -> Form:
    size = 1 if layer.shared else node.input_types[0].channels
    count = Argument("", size, "channels", "slopes" if layer.shared else "channels", 1)
    return Form("{self}({0})", "nn.PReLU", (count, Argument("init", layer.slope, "slope", "slope", 0.25)))
