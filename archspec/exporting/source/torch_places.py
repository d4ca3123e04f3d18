"""Poolings, activations, joins and what changes shapes, in PyTorch."""

from __future__ import annotations

from typing import Any

from archspec.exporting.source.classes import Argument, Form
from archspec.exporting.source.forms import Context, channels, joined, kinds, on, one, sliced
from archspec.exporting.source.torch_layers import form, pad_argument, padded, rank_of, setting
from archspec.graph import Node
from archspec.types import TensorType

FORMS = form
"""The functions of all kinds: those of `torch_layers.py` and of this file."""

_PLAIN = {
    "identity": "{0}",
    "relu": "F.relu({0})",
    "relu6": "F.relu6({0})",
    "sigmoid": "torch.sigmoid({0})",
    "tanh": "torch.tanh({0})",
    "silu": "F.silu({0})",
    "mish": "F.mish({0})",
    "hard_sigmoid": "F.hardsigmoid({0})",
    "hard_swish": "F.hardswish({0})",
    "softmax": "F.softmax({0}, dim=1)",
    "log_softmax": "F.log_softmax({0}, dim=1)",
    "subtract": "{0} - {1}",
}


_MODULES = {
    "identity": "nn.Identity()",
    "relu": "nn.ReLU()",
    "relu6": "nn.ReLU6()",
    "sigmoid": "nn.Sigmoid()",
    "tanh": "nn.Tanh()",
    "silu": "nn.SiLU()",
    "mish": "nn.Mish()",
    "hard_sigmoid": "nn.Hardsigmoid()",
    "hard_swish": "nn.Hardswish()",
}


@form(*kinds(*_PLAIN))
def _plain(layer: Any, node: Node, context: Context) -> Form:
    return Form(_PLAIN[node.kind], loose=node.kind == "subtract", module=_MODULES.get(node.kind, ""))


@form(*kinds("elu", "leaky_relu", "gelu", "softplus", "scaled_tanh", "scale"))
def _with_number(layer: Any, node: Node, context: Context) -> Form:
    match node.kind:
        case "elu":
            return Form("F.elu({0}, {alpha})", settings=(setting("alpha", layer.alpha),))
        case "leaky_relu":
            return Form("F.leaky_relu({0}, {slope})", settings=(setting("slope", layer.slope),))
        case "gelu":
            return Form('F.gelu({0}, approximate="tanh")' if layer.approximate else "F.gelu({0})")
        case "softplus":
            return Form("F.softplus({0}, beta={beta})", settings=(setting("beta", layer.beta),))
        case "scale":
            return Form("{factor} * {0}", settings=(setting("factor", layer.factor),), loose=True)
    numbers = setting("amplitude", layer.amplitude), setting("slope", layer.slope)
    return Form("scaled_tanh({0}, {amplitude}, {slope})", settings=numbers, helpers=("scaled_tanh",))


@form(*kinds("add", "average", "multiply", "maximum", "concat"))
def _join(layer: Any, node: Node, context: Context) -> Form:
    return joined(node, "torch.maximum", "torch.cat([{}], dim=1)")


@form(*kinds("channel_shuffle"))
def _shuffle(layer: Any, node: Node, context: Context) -> Form:
    groups = (setting("groups", layer.groups),)
    return Form("channel_shuffle({0}, {groups})", settings=groups, helpers=("channel_shuffle",))


def _is_usual(layer: Any, x: TensorType, taps: tuple[int, ...], step: tuple[int, ...], spread: tuple[int, ...]) -> bool:
    """Whether PyTorch's own padding and rounding place a pooling's windows as they lie here."""
    for size, count, stride, dilation, fit in zip(x.spatial, taps, step, spread, layer.fit(x), strict=True):
        extent = (count - 1) * dilation + 1
        if fit.before != fit.after or fit.before > extent // 2:
            return False
        room = size + 2 * fit.before - extent
        if room < 0:
            return False
        own = room // stride + 1
        if fit.overhang:
            own = -(-room // stride) + 1
            own -= (own - 1) * stride >= size + fit.before
        if own != fit.output:
            return False
    return len({bool(fit.overhang) for fit in layer.fit(x)}) == 1 or _ceils(layer, x, taps, step, spread)


def _ceils(layer: Any, x: TensorType, taps: Any, step: Any, spread: Any) -> bool:
    """Whether rounding up on all axes gives the same, where some have nothing to round."""
    for size, count, stride, dilation, fit in zip(x.spatial, taps, step, spread, layer.fit(x), strict=True):
        room = size + 2 * fit.before - ((count - 1) * dilation + 1)
        own = -(-room // stride) + 1
        own -= (own - 1) * stride >= size + fit.before
        if own != fit.output:
            return False
    return True


def pool_padding(layer: Any, x: TensorType) -> tuple[tuple[int, int], ...] | None:
    """The sides that are padded before a pooling; None where its own padding and rounding do."""
    spread = on(layer.dilation, x) if hasattr(layer, "dilation") else (1,) * len(x.spatial)
    if _is_usual(layer, x, on(layer.window, x), on(layer.stride, x), spread):
        return None
    sides: tuple[tuple[int, int], ...] = layer.laid(x).padding
    return sides


def _pool_call(name: str, layer: Any, x: TensorType, more: str, taken: str = "{0}") -> tuple[str, list[Argument]]:
    """The call of a pooling with its windows, padding left to it where that does."""
    sides = pool_padding(layer, x)
    window, stride = on(layer.window, x), on(layer.stride, x)
    if sides is not None:
        window, stride, _ = layer.laid(x)
    settings = [Argument("window", one(window), "window", "kernel")]
    text = f"{name}{rank_of(x)}d({taken}, {{window}}"
    if tuple(stride) != tuple(window):
        text += ", stride={stride}"
        settings.append(Argument("stride", one(stride), "stride", "stride"))
    if sides is None:
        before = [fit.before for fit in layer.fit(x)]
        if any(before):
            text += ", padding={padding}"
            settings.append(Argument("padding", one(before), "pad", "pad"))
        if any(fit.overhang for fit in layer.fit(x)):
            text += ", ceil_mode=True"
    return f"{text}{more})", settings


@form(*kinds("max_pool"))
def _max_pool(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    sides = pool_padding(layer, x)
    spread = one(on(layer.dilation, x))
    more = "" if spread == 1 else f", dilation={spread}"
    indices = context.gives_indices(node)
    if indices:
        more += ", return_indices=True"
    taken = "{0}" if sides is None or not any(map(any, sides)) else 'F.pad({0}, {pad}, value=float("-inf"))'
    text, settings = _pool_call("F.max_pool", layer, x, more, taken)
    if taken != "{0}" and sides is not None:
        settings.append(pad_argument(sides))
    if indices and not context.gives_values(node):
        text += "[1]"
    return Form(text, settings=tuple(settings))


@form(*kinds("max_unpool"))
def _max_unpool(layer: Any, node: Node, context: Context) -> Form:
    pool = context.source(node, 1)
    x = pool.input_types[0]
    sides = pool_padding(pool.layer, x)
    if sides is None or not any(map(any, sides)):
        size = (Argument("size", x.spatial, "size", "size"),)
        return Form("max_unpool({0}, {1}, {size})", settings=size, helpers=("max_unpool",))
    whole = tuple(own + sum(pair) for own, pair in zip(x.spatial, sides, strict=True))
    cuts = (sliced(before, before + own) for own, (before, _) in zip(x.spatial, sides, strict=True))
    text = f"max_unpool({{0}}, {{1}}, {{size}})[:, :, {', '.join(cuts)}]"
    return Form(text, settings=(Argument("size", whole, "size", "size"),), helpers=("max_unpool",))


@form(*kinds("avg_pool"))
def _avg_pool(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    sides = pool_padding(layer, x)
    fits = layer.fit(x)
    is_padded = any(fit.before or fit.after for fit in fits)
    if sides is None:
        more = "" if layer.count_pad or not is_padded else ", count_include_pad=False"
        text, settings = _pool_call("F.avg_pool", layer, x, more)
        return Form(text, settings=tuple(settings))
    window, stride, padding = layer.laid(x)
    counted = tuple((fit.before, fit.after) if layer.count_pad else (0, 0) for fit in fits)
    settings = [
        Argument("window", window, "window", "window"),
        Argument("stride", stride, "stride", "strides"),
        pad_argument(padding),
        Argument("counted", padded(counted), "counted", "sides"),
    ]
    text = "counted_avg_pool({0}, {window}, {stride}, {pad}, counted={counted})"
    return Form(text, settings=tuple(settings), helpers=("counted_avg_pool",))


@form(*kinds("subsample"))
def _subsample(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    window, stride, padding = layer.laid(x)
    arguments = (
        channels(x.channels, "channels"),
        Argument("", window, "window"),
        Argument("stride", stride, "stride", "strides"),
        Argument("padding", padded(padding), "pad", "sides", (0,) * 2 * len(x.spatial)),
        Argument("area", layer.area(x), "area", "area"),
    )
    return Form("{self}({0})", "Subsample", arguments, helpers=("Subsample",))


@form(*kinds("adaptive_avg_pool", "adaptive_max_pool"))
def _adaptive(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    way = "avg" if node.kind == "adaptive_avg_pool" else "max"
    size = (Argument("size", one(on(layer.size, x)), "size", "size"),)
    return Form(f"F.adaptive_{way}_pool{rank_of(x)}d({{0}}, {{size}})", settings=size)


@form(*kinds("global_avg_pool", "global_max_pool"))
def _global(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    way = "mean" if node.kind == "global_avg_pool" else "amax"
    axes = "2" if x.is_signal else "(2, 3)"
    return Form(f"{{0}}.{way}({axes}{', keepdim=True' if layer.keep_dims else ''})")


@form(*kinds("flatten"))
def _flatten(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    if x.is_vector:
        return Form("{0}")
    turned = "" if context.channels_first or set(x.spatial) == {1} else ".movedim(1, -1)"
    return Form(f"{{0}}{turned}.flatten(1)")


@form(*kinds("reshape"))
def _reshape(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    if layer.order == "channels_first":
        return Form(f"{{0}}.reshape(-1, {', '.join(map(str, (y.channels, *y.spatial)))})")
    if y.is_vector and context.channels_first and not x.is_vector:
        return Form("{0}.flatten(1)")
    before = "" if x.is_vector else ".movedim(1, -1)"
    after = "" if y.is_vector else ".movedim(-1, 1)"
    return Form(f"{{0}}{before}.reshape(-1, {', '.join(map(str, y.shape))}){after}")


@form(*kinds("pad"))
def _pad_layer(layer: Any, node: Node, context: Context) -> Form:
    pad = (pad_argument(on(layer.sides, node.input_types[0])),)
    if layer.mode != "constant":
        return Form(
            f'F.pad({{0}}, {{pad}}, mode="{"reflect" if layer.mode == "reflect" else "replicate"}")', settings=pad
        )
    more = f", value={layer.value}" if layer.value else ""
    return Form(f"F.pad({{0}}, {{pad}}{more})", settings=pad)


@form(*kinds("pad_channels"))
def _pad_channels(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    steps = [":" if step == 1 else f"::{step}" for step in on(layer.stride, x)]
    taken = "{0}" if set(steps) == {":"} else f"{{0}}[:, :, {', '.join(steps)}]"
    pad = (0,) * 2 * len(steps) + (0, layer.channels - x.channels)
    return Form(f"F.pad({taken}, {{pad}})", settings=(Argument("pad", pad, "pad", "sides"),))


@form(*kinds("crop"))
def _crop(layer: Any, node: Node, context: Context) -> Form:
    sides = layer.taken(*node.input_types)
    first = Argument("first", tuple(before for before, _ in sides), "first", "first")
    size = Argument("size", node.output.spatial, "size", "size")
    return Form("crop({0}, {first}, {size})", settings=(first, size), helpers=("crop",))


@form(*kinds("slice"))
def _slice(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    *places, own = layer.places(x)
    cuts = [
        sliced(p.start, p.stop, p.step, size) for p, size in zip([own, *places], [x.channels, *x.spatial], strict=True)
    ]
    while len(cuts) > 1 and cuts[-1] == ":":
        cuts.pop()
    return Form(f"{{0}}[:, {', '.join(cuts)}]")


@form(*kinds("resize"))
def _resize(layer: Any, node: Node, context: Context) -> Form:
    x, y = node.input_types[0], node.output
    size = Argument("size", one(y.spatial) if x.is_map else y.spatial[0], "size", "size")
    if layer.mode == "bilinear":
        mode = "bilinear" if x.is_map else "linear"
        corners = ", align_corners=True" if layer.align_corners else ""
        return Form(f'F.interpolate({{0}}, size={{size}}, mode="{mode}"{corners})', settings=(size,))
    if all(after % before == 0 for before, after in zip(x.spatial, y.spatial, strict=True)):
        return Form("F.interpolate({0}, size={size})", settings=(size,))
    sizes = Argument("size", y.spatial, "size", "size")
    return Form("nearest({0}, {size})", settings=(sizes,), helpers=("nearest",))


@form(*kinds("unpool"))
def _unpool(layer: Any, node: Node, context: Context) -> Form:
    factor = on(layer.factor, node.input_types[0])
    if layer.mode == "nearest":
        return Form("F.interpolate({0}, scale_factor={factor})", settings=(setting("factor", one(factor)),))
    return Form("bed_of_nails({0}, {factor})", settings=(setting("factor", factor),), helpers=("bed_of_nails",))


@form(*kinds("space_to_depth", "depth_to_space"))
def _blocks(layer: Any, node: Node, context: Context) -> Form:
    x = node.input_types[0]
    block = (setting("block", layer.block),)
    if x.is_map and layer.order == "pytorch":
        name = "F.pixel_unshuffle" if node.kind == "space_to_depth" else "F.pixel_shuffle"
        return Form(f"{name}({{0}}, {{block}})", settings=block)
    fast = "" if layer.order == "pytorch" else ", channels_fastest=True"
    return Form(f"{node.kind}({{0}}, {{block}}{fast})", settings=block, helpers=(node.kind,))
