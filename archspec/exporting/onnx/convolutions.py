"""Convolutions of every kind, and dense layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.scribe import At
from archspec.layers import Weight, on_axes
from archspec.layers.conv import Conv
from archspec.layers.dense import Dense
from archspec.layers.depthwise_conv import DepthwiseConv
from archspec.layers.locally_connected import LocallyConnected
from archspec.layers.partial_conv import PartialConv
from archspec.layers.rbf import Rbf
from archspec.layers.transposed_conv import TransposedConv
from archspec.weights.layout import to_torch

if TYPE_CHECKING:
    from archspec.layers._convolution import Convolution


def _bias(layer: Convolution | Dense | TransposedConv, at: At) -> list[str]:
    return [at.weight("bias")] if layer.bias else []


def _window(layer: Convolution, at: At) -> dict[str, Any]:
    """Attributes of a convolution: padding holds the overhang of ceil rounding."""
    padding = layer.padding(at.kind)
    return {
        "kernel_shape": on_axes(layer.kernel, at.kind, "kernel"),
        "strides": on_axes(layer.stride, at.kind, "stride"),
        "dilations": on_axes(layer.dilation, at.kind, "dilation"),
        "pads": [before for before, _ in padding] + [after for _, after in padding],
    }


@emits(Conv)
def _conv(layer: Conv, at: At) -> str:
    own = _window(layer, at)
    return at.op("Conv", at.x, at.weight("kernel"), *_bias(layer, at), **own, group=layer.groups)


@emits(DepthwiseConv)
def _depthwise(layer: DepthwiseConv, at: At) -> str:
    own = _window(layer, at)
    return at.op("Conv", at.x, at.weight("kernel"), *_bias(layer, at), **own, group=at.kind.channels)


@emits(PartialConv)
def _partial(layer: PartialConv, at: At) -> str:
    """A convolution whose kernel is 0 where a filter does not see a channel."""
    kernel = at.array("kernel")
    sources = np.concatenate([np.asarray(seen) for seen in layer.connections])
    filters = np.repeat(np.arange(len(layer.connections)), [len(seen) for seen in layer.connections])
    whole = np.zeros((len(layer.connections), at.kind.channels, *kernel.shape[:-1]), kernel.dtype)
    whole[filters, sources] = np.moveaxis(kernel, -1, 0)
    return at.op("Conv", at.x, at.made("kernel", whole), *_bias(layer, at), **_window(layer, at))


@emits(TransposedConv)
def _transposed(layer: TransposedConv, at: At) -> str:
    """One node, unless `output_pad` is the stride or more, as a dilation allows here and runtimes do not: then what is
    added has less of the padding taken away, and where that is too little there are rows of the bias alone."""
    stride = on_axes(layer.stride, at.kind, "stride")
    pads, more, rest = [], [], []
    for (before, after), added, step in zip(
        on_axes(layer.pad, at.kind, "pad"), on_axes(layer.output_pad, at.kind, "output_pad"), stride, strict=True
    ):
        kept = 0 if added < step else min(added, after)
        pads.append((before, after - kept))
        more.append(added if added < step else 0)
        rest.append((0, 0 if added < step else added - kept))
    settings: dict[str, Any] = {
        "kernel_shape": on_axes(layer.kernel, at.kind, "kernel"),
        "strides": stride,
        "dilations": on_axes(layer.dilation, at.kind, "dilation"),
        "pads": [before for before, _ in pads] + [after for _, after in pads],
        "output_padding": more,
        "group": layer.groups,
    }
    kernel = at.weight("kernel")
    if not any(map(any, rest)):
        return at.op("ConvTranspose", at.x, kernel, *_bias(layer, at), **settings)
    bare = at.op("ConvTranspose", at.x, kernel, part="bare", **settings)
    if not layer.bias:
        return at.pad(bare, rest, part="")
    return at.op("Add", at.pad(bare, rest), at.weight("bias", ones=at.rank))


@emits(LocallyConnected)
def _locally_connected(layer: LocallyConnected, at: At) -> str:
    """Windows side by side by one gather over places, then Σ over taps and channels at each place by itself."""
    kind = at.kind
    x = at.x
    padding = layer.padding(kind)
    if any(map(any, padding)):
        x = at.pad(x, padding)
    sizes = tuple(size + sum(sides) for size, sides in zip(kind.spatial, padding, strict=True))
    steps, spread = on_axes(layer.stride, kind, "stride"), on_axes(layer.dilation, kind, "dilation")
    taps = on_axes(layer.kernel, kind, "kernel")
    places = at.node.output.spatial
    starts = np.stack(np.meshgrid(*map(np.arange, places), indexing="ij"), -1).reshape(1, -1, len(places)) * steps
    within = np.stack(np.meshgrid(*map(np.arange, taps), indexing="ij"), -1).reshape(-1, 1, len(places)) * spread
    seen = np.ravel_multi_index(tuple(np.moveaxis(starts + within, -1, 0)), sizes)
    flat = at.reshape(x, (kind.channels, -1), part="flat")
    windows = at.op("Gather", flat, at.made("places", seen.astype(np.int64)), part="windows", axis=2)
    kernel = at.array("kernel").reshape(seen.shape[1], seen.shape[0], kind.channels, layer.filters)
    made = at.op("Einsum", windows, at.made("kernel", kernel), part="sum", equation="bctp,ptcf->bfp")
    if not layer.bias:
        return at.reshape(made, (layer.filters, *places))
    maps = at.reshape(made, (layer.filters, *places), part="maps")
    return at.op("Add", maps, at.made("bias", np.moveaxis(at.array("bias"), -1, 0)))


@emits(Dense)
def _dense(layer: Dense, at: At) -> str:
    return at.op("Gemm", at.x, at.weight("kernel"), *_bias(layer, at), transB=1)


@emits(Rbf)
def _rbf(layer: Rbf, at: At) -> str:
    """−Σ_j (x_j − w_ij)²."""
    features = Weight("centres", at.array("centres").shape[::-1], axes="CO")
    centres = to_torch(at.array("centres").T, features, at.order)
    each = at.op("Unsqueeze", at.x, at.ints("axes", (1,)), part="each")
    distance = at.op("Sub", each, at.made("centres", centres), part="distance")
    return at.op("Neg", at.op("ReduceSumSquare", distance, part="square", axes=[2], keepdims=0))
