"""Layers that move, cut, add or enlarge places and channels without computing."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.scribe import At, sizes_of
from archspec.layers import on_axes
from archspec.layers.channel_shuffle import ChannelShuffle
from archspec.layers.crop import Crop
from archspec.layers.depth_to_space import DepthToSpace
from archspec.layers.flatten import Flatten
from archspec.layers.pad import Pad
from archspec.layers.pad_channels import PadChannels
from archspec.layers.reshape import Reshape
from archspec.layers.resize import Resize
from archspec.layers.slice import Slice
from archspec.layers.space_to_depth import SpaceToDepth
from archspec.layers.unpool import Unpool


def _channels_last(at: At) -> str:
    """The input with its channels last."""
    return at.op("Transpose", at.x, part="last", perm=[0, *range(2, 2 + at.rank), 1])


@emits(Flatten)
def _flatten(layer: Flatten, at: At) -> str:
    return at.op("Flatten", _channels_last(at) if at.turns else at.x, axis=1)


@emits(Reshape)
def _reshape(layer: Reshape, at: At) -> str:
    """The same numbers in another shape: channels last, unless `order` says otherwise, so maps are transposed."""
    output = at.node.output
    if layer.order == "channels_first" or (at.kind.is_vector and output.is_vector):
        return at.reshape(at.x, sizes_of(output))
    x = _channels_last(at) if at.kind.spatial and (at.turns or output.spatial) else at.x
    if output.is_vector:
        return at.reshape(x, output.shape)
    rank = len(output.spatial)
    return at.op("Transpose", at.reshape(x, output.shape, part="whole"), perm=[0, rank + 1, *range(1, rank + 1)])


@emits(ChannelShuffle)
def _channel_shuffle(layer: ChannelShuffle, at: At) -> str:
    """As every exporter has it, and runtimes know it: a gather of channels would be one node, but OpenVINO 2026.4 gives
    wrong numbers for one before a slice, as ShuffleNet v2 has it."""
    rest = list(range(3, 3 + at.rank))
    split = at.reshape(at.x, (layer.groups, at.kind.channels // layer.groups, *at.kind.spatial), part="split")
    return at.reshape(at.op("Transpose", split, part="turned", perm=[0, 2, 1, *rest]), sizes_of(at.kind))


def _sliced(at: At, starts: list[int], ends: list[int], axes: list[int], steps: list[int], part: str = "") -> str:
    return at.op(
        "Slice",
        at.x,
        at.ints("starts", starts),
        at.ints("ends", ends),
        at.ints("axes", axes),
        *([at.ints("steps", steps)] if set(steps) != {1} else []),
        part=part,
    )


@emits(Crop)
def _crop(layer: Crop, at: At) -> str:
    taken = layer.taken(*at.node.input_types)
    starts = [first for first, _ in taken]
    ends = [size - last for size, (_, last) in zip(at.kind.spatial, taken, strict=True)]
    return _sliced(at, starts, ends, list(range(2, 2 + at.rank)), [1] * at.rank)


@emits(Slice)
def _slice(layer: Slice, at: At) -> str:
    places = layer.places(at.kind)
    kept = [
        (place, axis)
        for place, size, axis in zip(places, at.kind.shape, [*range(2, 2 + at.rank), 1], strict=True)
        if place != slice(0, size, 1)
    ]
    if not kept:
        return at.op("Identity", at.x)
    return _sliced(
        at,
        [place.start for place, _ in kept],
        [place.stop for place, _ in kept],
        [axis for _, axis in kept],
        [place.step for place, _ in kept],
    )


@emits(Pad)
def _pad(layer: Pad, at: At) -> str:
    return at.pad(at.x, on_axes(layer.sides, at.kind, "sides"), layer.value, part="", mode=layer.mode)


@emits(PadChannels)
def _pad_channels(layer: PadChannels, at: At) -> str:
    steps = list(on_axes(layer.stride, at.kind, "stride"))
    more = layer.channels - at.kind.channels
    if set(steps) == {1} and not more:
        return at.op("Identity", at.x)
    x = at.x
    if set(steps) != {1}:
        x = _sliced(
            at, [0] * at.rank, list(at.kind.spatial), list(range(2, 2 + at.rank)), steps, part="taken" if more else ""
        )
    if not more:
        return x
    sides = [0] * (3 + at.rank) + [more] + [0] * at.rank
    return at.op("Pad", x, at.ints("sides", sides), at.number("value", 0))


@emits(DepthToSpace)
def _depth_to_space(layer: DepthToSpace, at: At) -> str:
    slowest = layer.order == "pytorch"
    if at.kind.is_map:
        return at.op("DepthToSpace", at.x, blocksize=layer.block, mode="CRD" if slowest else "DCR")
    length, channels = at.node.output.shape
    parts = (channels, layer.block) if slowest else (layer.block, channels)
    split = at.reshape(at.x, (*parts, at.kind.shape[0]), part="split")
    turned = at.op("Transpose", split, part="turned", perm=[0, 1, 3, 2] if slowest else [0, 2, 3, 1])
    return at.reshape(turned, (channels, length))


@emits(SpaceToDepth)
def _space_to_depth(layer: SpaceToDepth, at: At) -> str:
    """ONNX has the order of TensorFlow, for maps."""
    slowest = layer.order == "pytorch"
    if at.kind.is_map and (not slowest or at.kind.channels == 1):
        return at.op("SpaceToDepth", at.x, blocksize=layer.block)
    # Axes of blocks and of places in them, by turns: those in them go before or behind the channels.
    parts = [part for size in at.kind.spatial for part in (size // layer.block, layer.block)]
    blocks, within = list(range(2, 2 + len(parts), 2)), list(range(3, 2 + len(parts), 2))
    split = at.reshape(at.x, (at.kind.channels, *parts), part="split")
    order = [1, *within] if slowest else [*within, 1]
    return at.reshape(at.op("Transpose", split, part="turned", perm=[0, *order, *blocks]), sizes_of(at.node.output))


@emits(Unpool)
def _unpool(layer: Unpool, at: At) -> str:
    factor = on_axes(layer.factor, at.kind, "factor")
    if layer.mode == "nearest":
        return _resized(at, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    # A transposed convolution of each channel by itself, whose one weight is 1.
    ones = at.made("ones", np.ones((at.kind.channels, 1, *(1 for _ in factor)), np.float32))
    return at.op(
        "ConvTranspose",
        at.x,
        ones,
        kernel_shape=[1 for _ in factor],
        strides=factor,
        output_padding=[step - 1 for step in factor],
        group=at.kind.channels,
    )


@emits(Resize)
def _resize(layer: Resize, at: At) -> str:
    before, after = at.kind.spatial, at.node.output.spatial
    if before == after:
        return at.op("Identity", at.x)
    if layer.mode == "nearest":
        if any(own % size for own, size in zip(after, before, strict=True)):
            return _nearest(at)
        return _resized(at, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    way = "align_corners" if layer.align_corners else "half_pixel"
    return _resized(at, mode="linear", coordinate_transformation_mode=way)


def _resized(at: At, **settings: Any) -> str:
    """By a factor of each axis: sizes would need the batch's, which is known only when the model runs."""
    factors = [_factor(*pair) for pair in zip(at.kind.spatial, at.node.output.spatial, strict=True)]
    scales = at.made("scales", np.asarray([1, 1, *factors], np.float32))
    return at.op("Resize", at.x, "", scales, **settings)


def _factor(before: int, after: int) -> np.float32:
    """after/before, and not below it, since what runtimes multiply with it they round down."""
    factor = np.float32(after / before)
    while int(np.float32(before) * factor) < after or int(before * float(factor)) < after:
        factor = np.nextafter(factor, np.float32(np.inf))
    return factor


def _nearest(at: At) -> str:
    """Pixel floor(i·W1/W2) of each axis, in whole numbers: quotients of floats may fall below the next."""
    x = at.x
    pairs = enumerate(zip(at.kind.spatial, at.node.output.spatial, strict=True), 2)
    changed = [(axis, size, own) for axis, (size, own) in pairs if size != own]
    for number, (axis, size, own) in enumerate(changed, 1):
        places = at.ints(f"places{axis}", np.arange(own) * size // own)
        x = at.op("Gather", x, places, part="" if number == len(changed) else f"taken{axis}", axis=axis)
    return x
