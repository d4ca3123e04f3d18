"""What each kind of layer is in Keras 3, where maps are (batch, height, width, channels) as here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from archspec.exporting.source.classes import Argument, Form
from archspec.exporting.source.forms import Context, Raw, kinds, on, one
from archspec.exporting.targets import Emitters
from archspec.graph import Graph, Node
from archspec.types import TensorType

Sides = tuple[tuple[int, int], ...]

form = Emitters("keras")
"""The functions of kinds: of the layer, its node and the graph around it."""


Way = Literal["none", "same", "zeros"]
"""How a border is made: not at all, by Keras's padding `same`, or as zeros, or −∞, before."""


class KerasContext(Context):
    """The graph that layers are part of, and what those have in common that stand in one place of a block: of all its
    uses one function is to be made, where one stride has another border than the next."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, channels_first=False)

    @cached_property
    def _sites(self) -> dict[tuple[str, str], Way]:
        found: dict[tuple[str, str], Way] = {}
        for node in self.graph.nodes:
            own = padding_of(node)
            if own is None:
                continue
            site, before = self._site(node), found.get(self._site(node), "none")
            if not any(map(any, own[-1])) and before != "same":
                found[site] = before
            else:
                found[site] = "same" if before != "zeros" and self._all_same(site) else "zeros"
        return found

    def _all_same(self, site: tuple[str, str]) -> bool:
        return all(_is_same(node) for node in self._members[site])

    @cached_property
    def _members(self) -> dict[tuple[str, str], list[Node]]:
        found: dict[tuple[str, str], list[Node]] = {}
        for node in self.graph.nodes:
            if padding_of(node) is not None:
                found.setdefault(self._site(node), []).append(node)
        return found

    def _site(self, node: Node) -> tuple[str, str]:
        """What nodes have in common that stand in one place of a block, or of repeated scopes."""
        scope, _, name = node.path.rpartition(".")
        block = self.graph.blocks.get(scope)
        return (block.kind if block is not None else re.sub(r"\d+", "", scope)), name if scope else node.path

    def way(self, node: Node) -> Way:
        """How the border of a layer is made."""
        return self._sites[self._site(node)]

    @cached_property
    def norm(self) -> tuple[float, float] | None:
        """Momentum and epsilon of batch normalisations, where there are several and they have the same."""
        layers: list[Any] = [node.layer for node in self.graph.nodes if node.kind == "batch_norm"]
        numbers = {(layer.momentum, layer.epsilon) for layer in layers}
        return numbers.pop() if len(layers) > 1 and len(numbers) == 1 else None


def padding_of(node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Sides] | None:
    """Window, stride, dilation and border of a layer that Keras has with padding; None for others."""
    if not node.input_types or not node.input_types[0].spatial:
        return None
    x, layer = node.input_types[0], node.layer
    own: Any = layer
    if node.kind in ("conv", "depthwise_conv"):
        return on(own.kernel, x), on(own.stride, x), on(own.dilation, x), tuple(own.padding(x))
    if node.kind in ("max_pool", "avg_pool"):
        window, stride, padding = own.laid(x)
        return tuple(window), tuple(stride), (1,) * len(window), not_cut(padding)
    return None


def not_cut(sides: Sequence[tuple[int, int]]) -> Sides:
    """Borders without what windows leave out at the end, which they leave out anyhow."""
    return tuple((before, max(0, after)) for before, after in sides)


def _is_same(node: Node) -> bool:
    """Whether a layer's border is that of `same`: as many windows as strides fit, the larger half behind."""
    found = padding_of(node)
    assert found is not None
    window, stride, dilation, sides = found
    for size, taps, step, spread, own in zip(node.input_types[0].spatial, window, stride, dilation, sides, strict=True):
        total = max((-(-size // step) - 1) * step + (taps - 1) * spread + 1 - size, 0)
        if own != (total // 2, total - total // 2):
            return False
    return True


def rank_of(x: TensorType) -> int:
    return max(1, len(x.spatial))


def setting(name: str, value: Any, sort: str = "") -> Argument:
    return Argument(name, value, name, sort or name)


def border(sides: Sides) -> Argument:
    """A border as `ZeroPadding2D` has it."""
    value: Any = sides if len(sides) == 2 else sides[0]
    if all(before == after for before, after in sides):
        value = one([before for before, _ in sides])
    return Argument("pad", value, "pad", "pad")


def padded(sides: Sides) -> Argument:
    """A border as `ops.pad` has it."""
    return Argument("pad", ((0, 0), *sides, (0, 0)), "pad", "sides")


def _filters(value: int) -> Argument:
    return Argument("", value, "filters", "channels")


@form(*kinds("conv", "depthwise_conv"))
def _conv(layer: Any, node: Node, context: KerasContext) -> Form:
    x, y = node.input_types[0], node.output
    found = padding_of(node)
    assert found is not None
    window, stride, dilation, sides = found
    depthwise = node.kind == "depthwise_conv"
    # Keras refuses strides of dilated convolutions: every so many of their results are the same.
    every = {*stride} != {1} and {*dilation} != {1}
    way = context.way(node)
    if every and way == "same":
        way = "zeros"
    arguments = [
        *([] if depthwise else [_filters(y.channels)]),
        Argument("", one(window), "kernel", "kernel"),
        Argument("strides", 1 if every else one(stride), "stride", "stride", 1),
        Argument("padding", "same" if way == "same" else "valid", "padding", "padding", "valid"),
    ]
    if depthwise:
        arguments.append(Argument("depth_multiplier", layer.multiplier, "multiplier", "multiplier", 1))
    arguments.append(Argument("dilation_rate", one(dilation), "dilation", "dilation", 1))
    if not depthwise:
        arguments.append(Argument("groups", layer.groups, "groups", "groups", 1))
    arguments.append(Argument("use_bias", layer.bias, "bias", "bias", True))
    use = f"{{self}}(layers.ZeroPadding{rank_of(x)}D({{pad}})({{0}}))" if way == "zeros" else "{self}({0})"
    if every:
        use += f"[:, {', '.join(f'::{step}' for step in stride)}]"
    name = f"layers.{'DepthwiseConv' if depthwise else 'Conv'}{rank_of(x)}D"
    return Form(use, name, tuple(arguments), (border(sides),) if way == "zeros" else ())


@form(*kinds("transposed_conv"))
def _transposed(layer: Any, node: Node, context: KerasContext) -> Form:
    if is_general(node):
        return _general(layer, node)
    x = node.input_types[0]
    crop = _crop_of(node)
    arguments = (
        _filters(node.output.channels),
        Argument("", one(on(layer.kernel, x)), "kernel", "kernel"),
        Argument("strides", one(on(layer.stride, x)), "stride", "stride", 1),
        Argument("use_bias", layer.bias, "bias", "bias", True),
    )
    make = f"layers.Conv{rank_of(x)}DTranspose"
    if not any(map(any, crop)):
        return Form("{self}({0})", make, arguments)
    cut = border(crop)._replace(name="crop", said="crop", sort="crop")
    return Form(f"layers.Cropping{rank_of(x)}D({{crop}})({{self}}({{0}}))", make, arguments, (cut,))


def _crop_of(node: Node) -> Sides:
    """What is cut off all that a transposed convolution's kernel writes; below 0 where the output goes beyond that."""
    x, layer = node.input_types[0], node.layer
    own: Any = layer
    lays = zip(x.spatial, on(own.kernel, x), on(own.stride, x), on(own.pad, x), node.output.spatial, strict=True)
    return tuple(
        (before, (have - 1) * step + max(taps, step) - before - size) for have, taps, step, (before, _), size in lays
    )


def is_general(node: Node) -> bool:
    """Whether a transposed convolution is one that Keras has no layer for."""
    layer: Any = node.layer
    spread = set(on(layer.dilation, node.input_types[0])) != {1}
    return layer.groups > 1 or spread or any(side < 0 for pair in _crop_of(node) for side in pair)


def _general(layer: Any, node: Node) -> Form:
    """A transposed convolution that Keras lacks: in groups, dilated, or reaching beyond what its kernel writes."""
    x, y = node.input_types[0], node.output
    arguments = (
        _filters(y.channels),
        Argument("", tuple(on(layer.kernel, x)), "kernel"),
        Argument("", tuple(on(layer.stride, x)), "stride", "strides"),
        Argument("", tuple(before for before, _ in on(layer.pad, x)), "before"),
        Argument("", y.spatial, "size"),
        Argument("", tuple(on(layer.dilation, x)), "dilation", "dilations"),
        Argument("groups", layer.groups, "groups", "groups", 1),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "TransposedConv", arguments, helpers=("TransposedConv",))


@form(*kinds("partial_conv"))
def _partial(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    arguments = (
        Argument("", layer.connections, "connections"),
        Argument("", on(layer.kernel, x), "kernel"),
        Argument("", on(layer.stride, x), "stride", "strides"),
        Argument("", tuple(layer.padding(x)), "pad", "sides"),
        Argument("", on(layer.dilation, x), "dilation", "dilations"),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "PartialConv", arguments, helpers=("PartialConv",))


@form(*kinds("locally_connected"))
def _local(layer: Any, node: Node, context: KerasContext) -> Form:
    x, y = node.input_types[0], node.output
    arguments = (
        _filters(y.channels),
        Argument("", y.spatial, "size"),
        Argument("", on(layer.kernel, x), "kernel"),
        Argument("", on(layer.stride, x), "stride", "strides"),
        Argument("", tuple(layer.padding(x)), "pad", "sides"),
        Argument("", on(layer.dilation, x), "dilation", "dilations"),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "LocallyConnected", arguments, helpers=("LocallyConnected",))


@form(*kinds("dense"))
def _dense(layer: Any, node: Node, context: KerasContext) -> Form:
    units = Argument("", layer.units, "units", "channels")
    return Form("{self}({0})", "layers.Dense", (units, Argument("use_bias", layer.bias, "bias", "bias", True)))


@form(*kinds("rbf"))
def _rbf(layer: Any, node: Node, context: KerasContext) -> Form:
    units = Argument("", layer.units, "units", "channels")
    return Form("{self}({0})", "RadialBasis", (units,), helpers=("RadialBasis",))


@form(*kinds("self_attention"))
def _attention(layer: Any, node: Node, context: KerasContext) -> Form:
    x, y = node.input_types[0], node.output
    width = layer.width or x.channels
    arguments = (
        Argument("", width, "width", "channels"),
        Argument("", layer.values or width, "values", "channels"),
        Argument("filters", y.channels if layer.project else None, "filters", "channels", None),
        Argument("heads", layer.heads, "heads", "heads", 1),
        Argument("scale", layer.scale, "scale", "scale", True),
        Argument("relative", layer.positions == "relative", "relative", "relative", False),
        Argument("bias", layer.bias, "bias", "bias", True),
    )
    return Form("{self}({0})", "SelfAttention", arguments, helpers=("SelfAttention",))


def _affine(layer: Any) -> tuple[Argument, ...]:
    return (
        Argument("epsilon", layer.epsilon, "epsilon", "epsilon", 1e-3),
        Argument("center", layer.bias, "center", "bias", True),
        Argument("scale", layer.scale, "scale", "scale", True),
    )


@form(*kinds("batch_norm"))
def _batch_norm(layer: Any, node: Node, context: KerasContext) -> Form:
    momentum = Argument("momentum", layer.momentum, "momentum", "momentum", 0.99)
    epsilon, *affine = _affine(layer)
    if context.norm is not None:
        return Form("{self}({0})", "batch_norm", tuple(affine), helpers=("batch_norm",))
    return Form("{self}({0})", "layers.BatchNormalization", (momentum, epsilon, *affine))


@form(*kinds("group_norm", "instance_norm"))
def _group_norm(layer: Any, node: Node, context: KerasContext) -> Form:
    groups = Argument("", -1 if node.kind == "instance_norm" else layer.groups, "groups", "groups")
    return Form("{self}({0})", "layers.GroupNormalization", (groups, *_affine(layer)))


@form(*kinds("layer_norm"))
def _layer_norm(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    every = layer.axes == "all" and not x.is_vector
    axis = tuple(range(1, len(x.shape) + 1)) if every else -1
    return Form(
        "{self}({0})", "layers.LayerNormalization", (Argument("axis", axis, "axis", "axis", -1), *_affine(layer))
    )


@form(*kinds("lrn"))
def _lrn(layer: Any, node: Node, context: KerasContext) -> Form:
    text, settings = "lrn({0}, {size}", [setting("size", layer.size)]
    for name, value, default in (("alpha", layer.alpha, 1e-4), ("beta", layer.beta, 0.75), ("k", layer.k, 1.0)):
        if value != default:
            text += f", {name}={{{name}}}"
            settings.append(setting(name, value))
    return Form(f"{text})", settings=tuple(settings), helpers=("lrn",))


@form(*kinds("layer_scale"))
def _layer_scale(layer: Any, node: Node, context: KerasContext) -> Form:
    return Form(
        "{self}({0})", "LayerScale", (Argument("", layer.initial, "initial", "initial"),), helpers=("LayerScale",)
    )


@form(*kinds("l2_normalise"))
def _l2(layer: Any, node: Node, context: KerasContext) -> Form:
    settings = (setting("epsilon", layer.epsilon),)
    return Form("l2_normalise({0}, {epsilon})", settings=settings, helpers=("l2_normalise",))


@form(*kinds("dropout", "spatial_dropout", "stochastic_depth"))
def _dropout(layer: Any, node: Node, context: KerasContext) -> Form:
    rate = Argument("", layer.rate, "rate", "rate")
    if node.kind == "stochastic_depth":
        mode = Argument("mode", layer.mode, "mode", "mode", "row")
        return Form("{self}({0})", "StochasticDepth", (rate, mode), helpers=("StochasticDepth",))
    x = node.input_types[0]
    spatial = node.kind == "spatial_dropout" and not x.is_vector
    return Form("{self}({0})", f"layers.SpatialDropout{rank_of(x)}D" if spatial else "layers.Dropout", (rate,))


@form(*kinds("prelu"))
def _prelu(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    axes = tuple(range(1, len(x.shape) + 1)) if layer.shared else tuple(range(1, len(x.shape)))
    start = Argument("alpha_initializer", Raw(f"keras.initializers.Constant({layer.slope!r})"), "slopes", "start")
    return Form("{self}({0})", "layers.PReLU", (start, Argument("shared_axes", axes or None, "axes", "axes", None)))


_PLAIN = {
    "identity": "{0}",
    "relu": "ops.relu({0})",
    "relu6": "ops.relu6({0})",
    "sigmoid": "ops.sigmoid({0})",
    "tanh": "ops.tanh({0})",
    "silu": "ops.silu({0})",
    "hard_sigmoid": "ops.hard_sigmoid({0})",
    "hard_swish": "ops.hard_silu({0})",
    "softmax": "ops.softmax({0})",
    "log_softmax": "ops.log_softmax({0})",
    "subtract": "{0} - {1}",
}


@form(*kinds(*_PLAIN))
def _plain(layer: Any, node: Node, context: KerasContext) -> Form:
    return Form(_PLAIN[node.kind], loose=node.kind == "subtract")


@form(*kinds("mish"))
def _mish(layer: Any, node: Node, context: KerasContext) -> Form:
    return Form("{self}({0})", "layers.Activation", (Argument("", "mish", "activation"),))


@form(*kinds("elu", "leaky_relu", "gelu", "softplus", "scaled_tanh", "scale"))
def _with_number(layer: Any, node: Node, context: KerasContext) -> Form:
    match node.kind:
        case "elu":
            return Form("ops.elu({0}, {alpha})", settings=(setting("alpha", layer.alpha),))
        case "leaky_relu":
            return Form("ops.leaky_relu({0}, {slope})", settings=(setting("slope", layer.slope),))
        case "gelu":
            return Form("ops.gelu({0})" if layer.approximate else "ops.gelu({0}, approximate=False)")
        case "softplus":
            if layer.beta == 1:
                return Form("ops.softplus({0})")
            scaled = "ops.softplus(layers.Rescaling({beta})({0})) / {beta}"
            return Form(scaled, settings=(setting("beta", layer.beta),), loose=True)
        case "scale":
            # A factor times a tensor is a sparse one to Keras, where code of custom layers is traced.
            return Form("{self}({0})", "layers.Rescaling", (Argument("", layer.factor, "factor", "factor"),))
    numbers = setting("amplitude", layer.amplitude), setting("slope", layer.slope)
    return Form("scaled_tanh({0}, {amplitude}, {slope})", settings=numbers, helpers=("scaled_tanh",))
