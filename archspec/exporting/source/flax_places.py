"""Poolings, activations, joins and what changes shapes, in Flax and JAX."""

from __future__ import annotations

from typing import Any

from archspec.exporting.source.classes import Argument, Form
from archspec.exporting.source.flax_layers import form
from archspec.exporting.source.forms import Context, joined, kinds, on, sliced
from archspec.graph import Node

FORMS = form
"""The functions of all kinds: those of `flax_layers.py` and of this file."""

PLAIN = {
    "identity": "{0}",
    "relu": "nnx.relu({0})",
    "relu6": "nnx.relu6({0})",
    "sigmoid": "nnx.sigmoid({0})",
    "tanh": "jnp.tanh({0})",
    "silu": "nnx.silu({0})",
    "mish": "jax.nn.mish({0})",
    "hard_sigmoid": "nnx.hard_sigmoid({0})",
    "hard_swish": "nnx.hard_swish({0})",
    "softmax": "nnx.softmax({0})",
    "log_softmax": "nnx.log_softmax({0})",
    "subtract": "{0} - {1}",
}


def _setting(name: str, value: Any, sort: str = "") -> Argument:
    return Argument(name, value, name, sort or name)


@form(*kinds(*PLAIN))
def _plain(layer: Any, node: Node, context: Context) -> Form:
    return Form(PLAIN[node.kind], loose=node.kind == "subtract")


@form(*kinds("elu", "leaky_relu", "gelu", "softplus", "scaled_tanh", "scale"))
def _with_number(layer: Any, node: Node, context: Context) -> Form:
    match node.kind:
        case "elu":
            return Form("nnx.elu({0}, {alpha})", settings=(_setting("alpha", layer.alpha),))
        case "leaky_relu":
            return Form("nnx.leaky_relu({0}, {slope})", settings=(_setting("slope", layer.slope),))
        case "gelu":
            return Form(f"nnx.gelu({{0}}, approximate={layer.approximate})")
        case "softplus" if layer.beta == 1:
            return Form("nnx.softplus({0})")
        case "softplus":
            return Form("nnx.softplus({beta} * {0}) / {beta}", settings=(_setting("beta", layer.beta),), loose=True)
        case "scale":
            return Form("{0} * {factor}", settings=(_setting("factor", layer.factor),), loose=True)
    numbers = _setting("amplitude", layer.amplitude), _setting("slope", layer.slope)
    return Form("{amplitude} * jnp.tanh({slope} * {0})", settings=numbers, loose=True)


@form(*kinds("add", "average", "multiply", "maximum", "concat"))
def _join(layer: Any, node: Node, context: Context) -> Form:
    return joined(node, "jnp.maximum", "jnp.concatenate([{}], axis=-1)")


@form(*kinds("lrn"))
def _lrn(layer: Any, node: Node, context: Context) -> Form:
    names = ("size", "alpha", "beta", "k")
    settings = tuple(_setting(name, getattr(layer, name)) for name in names)
    return Form("lrn({0}, size={size}, alpha={alpha}, beta={beta}, k={k})", settings=settings, helpers=("lrn",))


@form(*kinds("l2_normalise"))
def _l2(layer: Any, node: Node, context: Context) -> Form:
    settings = (_setting("epsilon", layer.epsilon),)
    return Form("l2_normalise({0}, {epsilon})", settings=settings, helpers=("l2_normalise",))


@form(*kinds("channel_shuffle"))
def _shuffle(layer: Any, node: Node, context: Context) -> Form:
    groups = (_setting("groups", layer.groups),)
    return Form("channel_shuffle({0}, {groups})", settings=groups, helpers=("channel_shuffle",))


def _window(layer: Any, node: Node) -> tuple[str, tuple[Argument, ...]]:
    """The arguments of a pooling, as text and settings."""
    window, stride, padding = layer.laid(node.input_types[0])
    text = "{0}, {window}, strides={stride}"
    settings = [Argument("window", window, "window", "window"), Argument("stride", stride, "stride", "strides")]
    if any(map(any, padding)):
        text += ", padding={padding}"
        settings.append(Argument("padding", padding, "pad", "sides"))
    return text, tuple(settings)


@form(*kinds("max_pool"))
def _max_pool(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    window, stride, padding = layer.laid(x)
    dilation = on(layer.dilation, x)
    settings = (
        Argument("window", window, "window", "window"),
        Argument("stride", stride, "stride", "strides"),
        Argument("padding", padding, "pad", "sides"),
        Argument("dilation", dilation, "dilation", "dilations"),
    )
    if context.gives_indices(node):
        text = "max_pool_with_indices({0}, {window}, {stride}, {padding}, {dilation})"
        text += "" if context.gives_values(node) else "[1]"
        return Form(text, settings=settings, helpers=("max_pool_with_indices",))
    if set(dilation) != {1}:
        text = "dilated_max_pool({0}, {window}, {stride}, {padding}, {dilation})"
        return Form(text, settings=settings, helpers=("dilated_max_pool",))
    text, few = _window(layer, node)
    return Form(f"nnx.max_pool({text})", settings=few)


@form(*kinds("max_unpool"))
def _max_unpool(layer: Any, node: Node, context: Context) -> Form:
    size = (Argument("size", node.output.spatial, "size", "size"),)
    return Form("max_unpool({0}, {1}, {size})", settings=size, helpers=("max_unpool",))


@form(*kinds("avg_pool"))
def _avg_pool(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    counts = layer.divisors(x)
    text, settings = _window(layer, node)
    if all(set(own) == {size} for own, size in zip(counts, layer.laid(x).window, strict=True)):
        return Form(f"nnx.avg_pool({text})", settings=settings)
    padding = Argument("padding", layer.laid(x).padding, "pad", "sides")
    counted = tuple((fit.before, fit.after) if layer.count_pad else (0, 0) for fit in layer.fit(x))
    more = (*settings[:2], padding, Argument("counted", counted, "counted", "sides"))
    text = "counted_avg_pool({0}, {window}, {stride}, {padding}, counted={counted})"
    return Form(text, settings=more, helpers=("counted_avg_pool",))


@form(*kinds("adaptive_avg_pool", "adaptive_max_pool"))
def _adaptive(layer: Any, node: Node, context: Context) -> Form:
    size = (Argument("size", node.output.spatial, "size", "size"),)
    return Form(f"{node.kind}({{0}}, {{size}})", settings=size, helpers=(node.kind,))


@form(*kinds("global_avg_pool", "global_max_pool"))
def _global(layer: Any, node: Node, context: Context) -> Form:
    way = "mean" if node.kind == "global_avg_pool" else "max"
    axes = "1" if node.input_types[0].is_signal else "(1, 2)"
    return Form(f"jnp.{way}({{0}}, axis={axes}{', keepdims=True' if layer.keep_dims else ''})")


@form(*kinds("flatten"))
def _flatten(layer: Any, node: Node, context: Context) -> Form:
    return Form("{0}" if node.input_types[0].is_vector else "{0}.reshape({0}.shape[0], -1)")


@form(*kinds("reshape"))
def _reshape(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    if layer.order == "channels_last":
        return Form(f"{{0}}.reshape(-1, {', '.join(map(str, y.shape))})")
    turned = "{0}" if x.is_vector else "jnp.moveaxis({0}, -1, 1)"
    text = f"{turned}.reshape(-1, {', '.join(map(str, (y.channels, *y.spatial)))})"
    return Form(text if y.is_vector else f"jnp.moveaxis({text}, 1, -1)")


@form(*kinds("pad"))
def _pad(layer: Any, node: Node, context: Context) -> Form:
    sides = ((0, 0), *on(layer.sides, node.input_types[0]), (0, 0))
    settings = (Argument("pad", sides, "pad", "all_sides"),)
    if layer.mode != "constant":
        return Form(f'jnp.pad({{0}}, {{pad}}, mode="{layer.mode}")', settings=settings)
    more = f", constant_values={layer.value}" if layer.value else ""
    return Form(f"jnp.pad({{0}}, {{pad}}{more})", settings=settings)


@form(*kinds("pad_channels"))
def _pad_channels(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    steps = [":" if step == 1 else f"::{step}" for step in on(layer.stride, x)]
    taken = "{0}" if set(steps) == {":"} else f"{{0}}[:, {', '.join(steps)}]"
    sides = (*((0, 0) for _ in x.shape), (0, layer.channels - x.channels))
    return Form(f"jnp.pad({taken}, {{pad}})", settings=(Argument("pad", sides, "pad", "all_sides"),))


@form(*kinds("crop"))
def _crop(layer: Any, node: Node, context: Context) -> Form:
    sides = layer.taken(*node.input_types)
    first = Argument("first", (*(before for before, _ in sides), 0), "first", "first")
    size = Argument("size", node.output.shape, "size", "shape")
    return Form("crop({0}, {first}, {size})", settings=(first, size), helpers=("crop",))


@form(*kinds("slice"))
def _slice(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    sizes = zip(layer.places(x), x.shape, strict=True)
    cuts = [sliced(place.start, place.stop, place.step, size) for place, size in sizes]
    return Form(f"{{0}}[:, {', '.join(cuts)}]")


@form(*kinds("resize"))
def _resize(layer: Any, node: Node, context: Context) -> Form:
    size = (Argument("size", node.output.spatial, "size", "size"),)
    if layer.mode == "nearest":
        return Form("nearest({0}, {size})", settings=size, helpers=("nearest",))
    corners = ", align_corners=True" if layer.align_corners else ""
    return Form(f"resize({{0}}, {{size}}{corners})", settings=size, helpers=("resize",))


@form(*kinds("unpool"))
def _unpool(layer: Any, node: Node, context: Context) -> Form:
    factor = on(layer.factor, node.input_types[0])
    if layer.mode != "nearest":
        return Form("bed_of_nails({0}, {factor})", settings=(_setting("factor", factor),), helpers=("bed_of_nails",))
    size = (Argument("size", node.output.spatial, "size", "size"),)
    return Form("nearest({0}, {size})", settings=size, helpers=("nearest",))


@form(*kinds("space_to_depth", "depth_to_space"))
def _blocks(layer: Any, node: Node, context: Context) -> Form:
    fast = "" if layer.order == "pytorch" else ", channels_fastest=True"
    settings = (_setting("block", layer.block),)
    return Form(f"{node.kind}({{0}}, {{block}}{fast})", settings=settings, helpers=(node.kind,))
