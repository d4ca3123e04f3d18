"""Poolings, joins and what changes shapes, in Keras 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.exporting.source.classes import Argument, Form
from archspec.exporting.source.forms import joined, kinds, on, one, sliced
from archspec.exporting.source.keras_layers import (
    KerasContext,
    border,
    form,
    not_cut,
    padded,
    padding_of,
    rank_of,
    setting,
)
from archspec.graph import Node

FORMS = form
"""The functions of all kinds: those of `keras_layers.py` and of this file."""


@form(*kinds("add", "average", "multiply", "maximum", "concat"))
def _join(layer: Any, node: Node, context: KerasContext) -> Form:
    return joined(node, "ops.maximum", "ops.concatenate([{}], axis=-1)")


@form(*kinds("channel_shuffle"))
def _shuffle(layer: Any, node: Node, context: KerasContext) -> Form:
    groups = (setting("groups", layer.groups),)
    return Form("channel_shuffle({0}, {groups})", settings=groups, helpers=("channel_shuffle",))


def _pool(name: str, node: Node, context: KerasContext, taken: str = "{0}", more: Sequence[Argument] = ()) -> Form:
    """A pooling that Keras has; its border is `same`, or was made before."""
    found = padding_of(node)
    assert found is not None
    window, stride, _, _ = found
    same = taken == "{0}" and context.way(node) == "same"
    arguments = (
        Argument("", one(window), "window", "kernel"),
        Argument("strides", one(stride), "stride", "stride", one(window)),
        Argument("padding", "same" if same else "valid", "padding", "padding", "valid"),
    )
    return Form(f"{{self}}({taken})", f"layers.{name}{rank_of(node.input_types[0])}D", arguments, tuple(more))


@form(*kinds("max_pool"))
def _max_pool(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    found = padding_of(node)
    assert found is not None
    window, stride, _, sides = found
    dilation = on(layer.dilation, x)
    numbers = (
        Argument("window", window, "window", "window"),
        Argument("stride", stride, "stride", "strides"),
        Argument("dilation", dilation, "dilation", "dilations"),
    )
    if context.gives_indices(node):
        text = "max_pool_with_taps({0}, {window}, {stride}, {pad}, {dilation})"
        text += "" if context.gives_values(node) else "[1]"
        pad = Argument("pad", sides, "pad", "sides")
        return Form(text, settings=(*numbers, pad), helpers=("max_pool_with_taps",))
    bordered = 'ops.pad({0}, {pad}, constant_values=float("-inf"))'
    own = any(map(any, sides))
    if {*dilation} != {1}:
        taken, pad_ = (bordered, (padded(sides),)) if own else ("{0}", ())
        text = f"dilated_max_pool({taken}, {{window}}, {{stride}}, {{dilation}})"
        return Form(text, settings=(*numbers, *pad_), helpers=("dilated_max_pool",))
    if context.way(node) == "zeros":
        return _pool("MaxPooling", node, context, bordered, (padded(sides),))
    return _pool("MaxPooling", node, context)


@form(*kinds("max_unpool"))
def _max_unpool(layer: Any, node: Node, context: KerasContext) -> Form:
    taps = node.input_types[1].taps
    assert taps is not None
    settings = (
        Argument("window", taps.window, "window", "window"),
        Argument("stride", taps.stride, "stride", "strides"),
        Argument("before", taps.before, "before", "before"),
        Argument("dilation", taps.dilation, "dilation", "dilations"),
        Argument("size", taps.map[:-1], "size", "size"),
    )
    text = "max_unpool({0}, {1}, {window}, {stride}, {before}, {dilation}, {size})"
    return Form(text, settings=settings, helpers=("max_unpool",))


@form(*kinds("avg_pool"))
def _avg_pool(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    found = padding_of(node)
    assert found is not None
    window, stride, _, sides = found
    counts = layer.divisors(x)
    full = all(set(own) == {taps} for own, taps in zip(counts, window, strict=True))
    if full and context.way(node) == "none":
        return _pool("AveragePooling", node, context)
    if full:
        return _pool(
            "AveragePooling", node, context, f"layers.ZeroPadding{rank_of(x)}D({{pad}})({{0}})", (border(sides),)
        )
    if not layer.count_pad and context.way(node) == "same":
        return _pool("AveragePooling", node, context)
    settings = (
        Argument("window", window, "window", "window"),
        Argument("stride", stride, "stride", "strides"),
        Argument("pad", sides, "pad", "sides"),
        Argument("counts", counts, "counts", "counts"),
    )
    return Form("avg_pool({0}, {window}, {stride}, {pad}, {counts})", settings=settings, helpers=("avg_pool",))


@form(*kinds("subsample"))
def _subsample(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    window, stride, padding = layer.laid(x)
    arguments = (
        Argument("", tuple(window), "window", "window"),
        Argument("", tuple(stride), "stride", "strides"),
        Argument("", not_cut(padding), "pad", "sides"),
        Argument("", layer.area(x), "area", "area"),
    )
    return Form("{self}({0})", "Subsample", arguments, helpers=("Subsample",))


@form(*kinds("adaptive_avg_pool", "adaptive_max_pool"))
def _adaptive(layer: Any, node: Node, context: KerasContext) -> Form:
    x, y = node.input_types[0], node.output
    name = "Average" if node.kind == "adaptive_avg_pool" else "Max"
    if x.spatial == y.spatial:
        return Form("{0}")
    if all(before % after == 0 for before, after in zip(x.spatial, y.spatial, strict=True)):
        window = one([before // after for before, after in zip(x.spatial, y.spatial, strict=True)])
        return Form("{self}({0})", f"layers.{name}Pooling{rank_of(x)}D", (Argument("", window, "window", "kernel"),))
    size = (Argument("size", y.spatial, "size", "size"),)
    pool = "ops.mean" if name == "Average" else "ops.max"
    return Form(f"adaptive_pool({{0}}, {{size}}, {pool})", settings=size, helpers=("adaptive_pool",))


@form(*kinds("global_avg_pool", "global_max_pool"))
def _global(layer: Any, node: Node, context: KerasContext) -> Form:
    way = "Average" if node.kind == "global_avg_pool" else "Max"
    keep = Argument("keepdims", layer.keep_dims, "keepdims", "keepdims", False)
    return Form("{self}({0})", f"layers.Global{way}Pooling{rank_of(node.input_types[0])}D", (keep,))


@form(*kinds("flatten"))
def _flatten(layer: Any, node: Node, context: KerasContext) -> Form:
    return Form("{0}") if node.input_types[0].is_vector else Form("{self}({0})", "layers.Flatten")


@form(*kinds("reshape"))
def _reshape(layer: Any, node: Node, context: KerasContext) -> Form:
    x, y = node.input_types[0], node.output
    if layer.order == "channels_first":
        # Numbers go on in the order of (channels, height, width).
        first = "ops.moveaxis({0}, -1, 1)" if not x.is_vector else "{0}"
        inner = f"ops.reshape({first}, (-1, {', '.join(map(str, (y.channels, *y.spatial)))}))"
        return Form(f"ops.moveaxis({inner}, 1, -1)" if not y.is_vector else inner)
    return Form("{self}({0})", "layers.Reshape", (Argument("", y.shape, "shape", "shape"),))


@form(*kinds("pad"))
def _pad_layer(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    sides = tuple(on(layer.sides, x))
    if layer.mode == "constant" and not layer.value:
        return Form("{self}({0})", f"layers.ZeroPadding{rank_of(x)}D", (border(sides)._replace(name=""),))
    if layer.mode == "constant":
        value = setting("value", layer.value)
        return Form("ops.pad({0}, {pad}, constant_values={value})", settings=(padded(sides), value))
    mode = "reflect" if layer.mode == "reflect" else "edge"
    return Form(f'ops.pad({{0}}, {{pad}}, mode="{mode}")', settings=(padded(sides),))


@form(*kinds("pad_channels"))
def _pad_channels(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    steps = [":" if step == 1 else f"::{step}" for step in on(layer.stride, x)]
    taken = "{0}" if set(steps) <= {":"} else f"{{0}}[:, {', '.join(steps)}]"
    pad = (*((0, 0),) * len(x.shape), (0, layer.channels - x.channels))
    return Form(f"ops.pad({taken}, {{pad}})", settings=(Argument("pad", pad, "pad", "sides"),))


@form(*kinds("crop"))
def _crop(layer: Any, node: Node, context: KerasContext) -> Form:
    x, y = node.input_types[0], node.output
    sides = tuple(
        (before, have - before - own)
        for (before, _), have, own in zip(layer.taken(*node.input_types), x.spatial, y.spatial, strict=True)
    )
    return Form("{self}({0})", f"layers.Cropping{rank_of(x)}D", (border(sides)._replace(name="", sort="crop"),))


@form(*kinds("slice"))
def _slice(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    places = layer.places(x)
    cuts = [sliced(own.start, own.stop, own.step, size) for own, size in zip(places, x.shape, strict=True)]
    return Form(f"{{0}}[:, {', '.join(cuts)}]")


@form(*kinds("resize"))
def _resize(layer: Any, node: Node, context: KerasContext) -> Form:
    x, y = node.input_types[0], node.output
    whole = all(after % before == 0 for before, after in zip(x.spatial, y.spatial, strict=True))
    if layer.mode != "bilinear" and whole:
        factor = one([after // before for before, after in zip(x.spatial, y.spatial, strict=True)])
        return Form("{self}({0})", f"layers.UpSampling{rank_of(x)}D", (Argument("", factor, "factor", "factor"),))
    if layer.mode == "bilinear" and whole and x.is_map and not layer.align_corners:
        factor = one([after // before for before, after in zip(x.spatial, y.spatial, strict=True)])
        way = Argument("interpolation", "bilinear", "interpolation", "interpolation")
        return Form("{self}({0})", "layers.UpSampling2D", (Argument("", factor, "factor", "factor"), way))
    size = (Argument("size", y.spatial, "size", "size"),)
    if layer.mode != "bilinear":
        return Form("nearest({0}, {size})", settings=size, helpers=("nearest",))
    more = ", align_corners=True" if layer.align_corners else ""
    return Form(f"linear({{0}}, {{size}}{more})", settings=size, helpers=("linear",))


@form(*kinds("unpool"))
def _unpool(layer: Any, node: Node, context: KerasContext) -> Form:
    x = node.input_types[0]
    factor = tuple(on(layer.factor, x))
    if layer.mode == "nearest":
        return Form("{self}({0})", f"layers.UpSampling{rank_of(x)}D", (Argument("", one(factor), "factor", "factor"),))
    return Form("bed_of_nails({0}, {factor})", settings=(setting("factor", factor),), helpers=("bed_of_nails",))


@form(*kinds("space_to_depth", "depth_to_space"))
def _blocks(layer: Any, node: Node, context: KerasContext) -> Form:
    block = (setting("block", layer.block),)
    fast = "" if layer.order == "pytorch" else ", channels_fastest=True"
    return Form(f"{node.kind}({{0}}, {{block}}{fast})", settings=block, helpers=(node.kind,))
