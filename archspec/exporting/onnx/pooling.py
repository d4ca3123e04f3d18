"""Poolings, and unpooling with the places of maxima.

Windows are laid out with explicit padding and never with `ceil_mode`, whose meaning has differed between versions and
runtimes; so the overhang of ceil rounding is padding here too.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.scribe import At, Numbered, indices_of
from archspec.layers import Laid, on_axes
from archspec.layers.adaptive_avg_pool import AdaptiveAvgPool
from archspec.layers.adaptive_max_pool import AdaptiveMaxPool
from archspec.layers.avg_pool import AvgPool
from archspec.layers.global_avg_pool import GlobalAvgPool
from archspec.layers.global_max_pool import GlobalMaxPool
from archspec.layers.max_pool import MaxPool
from archspec.layers.max_unpool import MaxUnpool
from archspec.layers.subsample import Subsample
from archspec.nn.pooling import bin_matrix
from archspec.types import Taps

LEAST = float(np.finfo(np.float32).min)


def _pads(laid: Laid) -> list[int]:
    return [before for before, _ in laid.padding] + [after for _, after in laid.padding]


def _within(laid: Laid) -> bool:
    """Whether the padding on each side is less than a window, as runtimes want it."""
    return all(max(sides) < size for sides, size in zip(laid.padding, laid.window, strict=True))


def _unpadded(laid: Laid) -> Laid:
    return laid._replace(padding=tuple((0, 0) for _ in laid.padding))


@emits(MaxPool)
def _max_pool(layer: MaxPool, at: At) -> str:
    laid = layer.laid(at.kind)
    x = at.x
    numbered = Numbered(at.kind.spatial, tuple((0, 0) for _ in laid.padding))
    if not _within(laid):
        x = at.pad(x, laid.padding, -np.inf)
        sizes = tuple(size + sum(sides) for size, sides in zip(at.kind.spatial, laid.padding, strict=True))
        numbered = Numbered(sizes, laid.padding)
        laid = _unpadded(laid)
    at.scribe.numbered[indices_of(at.node.path)] = numbered
    return at.op(
        "MaxPool",
        x,
        outputs=2 if at.wanted else 1,
        kernel_shape=laid.window,
        strides=laid.stride,
        pads=_pads(laid),
        dilations=on_axes(layer.dilation, at.kind, "dilation"),
    )


@emits(MaxUnpool)
def _max_unpool(layer: MaxUnpool, at: At) -> str:
    """Adds each value to a map of zeros, at the place that the pooling had its maximum from.

    ONNX numbers places over batch, channels and the map; what is left after division by the map's size is the place in
    it, of odd sizes and of windows that leave a rest too. MaxUnpool of ONNX is for windows that fill the map.
    """
    taps = at.node.input_types[1].taps
    assert taps is not None
    sizes, sides = at.scribe.numbered[at.inputs[1]]
    channels = at.kind.channels
    places = at.op("Mod", at.inputs[1], at.ints("area", (prod(sizes),)), part="places")
    places = at.reshape(places, (channels, -1), part="flat_places")
    values = at.reshape(at.x, (channels, -1), part="flat")
    batch = at.op("Shape", at.x, part="batch", start=0, end=1)
    shape = at.op("Concat", batch, at.ints("sizes", (channels, prod(sizes))), part="sizes", axis=0)
    zeros = at.op("ConstantOfShape", shape, part="zeros")
    meet = any(size > step for size, step in zip(_extents(taps), taps.stride, strict=True))
    added: dict[str, Any] = {"reduction": "add"} if meet else {}
    put = at.op("ScatterElements", zeros, places, values, part="placed", axis=2, **added)
    whole = at.node.output.spatial
    if not any(map(any, sides)):
        return at.reshape(put, (channels, *whole))
    padded = at.reshape(put, (channels, *sizes), part="padded")
    starts = [before for before, _ in sides]
    ends = [start + size for start, size in zip(starts, whole, strict=True)]
    axes = at.ints("places", range(2, 2 + len(whole)))
    return at.op("Slice", padded, at.ints("starts", starts), at.ints("ends", ends), axes)


def _extents(taps: Taps) -> list[int]:
    return [(size - 1) * spread + 1 for size, spread in zip(taps.window, taps.dilation, strict=True)]


@emits(AvgPool)
def _avg_pool(layer: AvgPool, at: At) -> str:
    """One node where ONNX divides by the same numbers, else means over what is padded by hand and a table of shares."""
    laid = layer.laid(at.kind)
    fits = layer.fit(at.kind)
    overhang = any(fit.overhang for fit in fits)
    asked = any(fit.before or fit.after for fit in fits)
    settings: dict[str, Any] = {"kernel_shape": laid.window, "strides": laid.stride}
    divisors = layer.divisors(at.kind)
    full = all(set(counts) == {size} for counts, size in zip(divisors, laid.window, strict=True))
    if full and _within(laid):
        return at.op("AveragePool", at.x, **settings, pads=_pads(laid), count_include_pad=1)
    if _within(laid) and not (layer.count_pad and asked) and _sees(layer, at):
        return at.op("AveragePool", at.x, **settings, pads=_pads(laid), count_include_pad=0)
    if layer.count_pad and overhang and _within(laid):
        inner = [(fit.before, fit.after) for fit in fits]
        over = [sides[1] - fit.after for sides, fit in zip(laid.padding, fits, strict=True)]
        if all(fit.output > 1 for fit in fits):
            padded = at.pad(at.x, inner)
            return at.op("AveragePool", padded, **settings, pads=[0] * len(over) + over, count_include_pad=0)
    x = at.pad(at.x, laid.padding) if any(map(any, laid.padding)) else at.x
    means = at.op("AveragePool", x, part="means", **settings)
    table = np.ones(())
    for counts, size in zip(divisors, laid.window, strict=True):
        table = np.multiply.outer(table, size / np.asarray(counts))
    return at.op("Mul", means, at.made("shares", table[None].astype(np.float32)))


def _sees(layer: AvgPool, at: At) -> bool:
    """Whether every window sees a place of the map: the mean of none is 0 here, and 0/0 elsewhere."""
    for size, axis, fit in zip(at.kind.spatial, layer.along(at.kind), layer.fit(at.kind), strict=True):
        starts = [index * axis.step - fit.before for index in range(fit.output)]
        if any(start + axis.taps <= 0 or start >= size for start in starts):
            return False
    return True


@emits(Subsample)
def _subsample(layer: Subsample, at: At) -> str:
    """coefficient·(sum of window)/area + bias; zeros of the padding count."""
    laid = layer.laid(at.kind)
    x = at.x
    if not _within(laid):
        x = at.pad(x, laid.padding)
        laid = _unpadded(laid)
    mean = at.op(
        "AveragePool",
        x,
        part="mean",
        kernel_shape=laid.window,
        strides=laid.stride,
        pads=_pads(laid),
        count_include_pad=1,
    )
    share = prod(laid.window) / layer.area(at.kind)
    if share != 1:
        mean = at.op("Mul", mean, at.number("share", share), part="whole")
    scaled = at.op("Mul", mean, at.weight("coefficient", ones=at.rank), part="scaled")
    return at.op("Add", scaled, at.weight("bias", ones=at.rank))


@emits(GlobalAvgPool)
def _global_avg_pool(layer: GlobalAvgPool, at: At) -> str:
    if layer.keep_dims:
        return at.op("GlobalAveragePool", at.x)
    return at.op("ReduceMean", at.x, axes=list(range(2, 2 + at.rank)), keepdims=0)


@emits(GlobalMaxPool)
def _global_max_pool(layer: GlobalMaxPool, at: At) -> str:
    if layer.keep_dims:
        return at.op("GlobalMaxPool", at.x)
    return at.op("ReduceMax", at.x, axes=list(range(2, 2 + at.rank)), keepdims=0)


def _alike(at: At) -> dict[str, Any] | None:
    """Settings of the windows of one size that the bins are, where they divide the map; otherwise None."""
    pairs = list(zip(at.kind.spatial, at.node.output.spatial, strict=True))
    if any(size % bins for size, bins in pairs):
        return None
    steps = [size // bins for size, bins in pairs]
    return {"kernel_shape": steps, "strides": steps}


@emits(AdaptiveAvgPool)
def _adaptive_avg_pool(layer: AdaptiveAvgPool, at: At) -> str:
    """One pooling where bins divide the map; else each axis by a matrix that has the mean of a bin in each row."""
    if set(at.node.output.spatial) == {1}:
        return at.op("GlobalAveragePool", at.x)
    windows = _alike(at)
    if windows is not None:
        return at.op("AveragePool", at.x, **windows)
    matrices = [bin_matrix(*pair) for pair in zip(at.kind.spatial, at.node.output.spatial, strict=True)]
    if len(matrices) == 1:
        return at.op("MatMul", at.x, at.made("bins", matrices[0].T))
    rows = at.op("MatMul", at.made("row_bins", matrices[0]), at.x, part="rows")
    return at.op("MatMul", rows, at.made("column_bins", matrices[1].T))


@emits(AdaptiveMaxPool)
def _adaptive_max_pool(layer: AdaptiveMaxPool, at: At) -> str:
    """One pooling where bins divide the map; else each axis by a gather that lays bins side by side, and a maximum."""
    if set(at.node.output.spatial) == {1}:
        return at.op("GlobalMaxPool", at.x)
    windows = _alike(at)
    if windows is not None:
        return at.op("MaxPool", at.x, **windows)
    x = at.x
    for axis, (size, bins) in enumerate(zip(at.kind.spatial, at.node.output.spatial, strict=True), 2):
        starts = np.arange(bins) * size // bins
        stops = -((np.arange(bins) + 1) * size // -bins)
        # Each bin is as wide as the widest; what is beyond its end is its last place again.
        places = np.minimum(starts[:, None] + np.arange((stops - starts).max()), stops[:, None] - 1)
        laid = at.op("Gather", x, at.made(f"bins{axis}", places.astype(np.int64)), part=f"bins{axis}", axis=axis)
        last = axis == 1 + at.rank
        x = at.op("ReduceMax", laid, part="" if last else f"largest{axis}", axes=[axis + 1], keepdims=0)
    return x
