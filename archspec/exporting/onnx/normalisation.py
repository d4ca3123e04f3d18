"""Normalisations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.scribe import At
from archspec.layers.batch_norm import BatchNorm
from archspec.layers.group_norm import GroupNorm
from archspec.layers.instance_norm import InstanceNorm
from archspec.layers.l2_normalise import L2Normalise
from archspec.layers.layer_norm import LayerNorm
from archspec.layers.layer_scale import LayerScale
from archspec.layers.lrn import Lrn

if TYPE_CHECKING:
    from archspec.layers._normalisation import Normalisation


def _constant(at: At, name: str, value: float, size: int) -> str:
    return at.made(name, np.full(size, value, np.float32))


def _scale_and_bias(layer: BatchNorm | InstanceNorm, at: At) -> tuple[str, str]:
    """The factors and summands that ONNX wants; 1 and 0 where the layer has none, under names of their own."""
    channels = at.kind.channels
    scale = at.weight("scale") if layer.scale else _constant(at, "ones", 1, channels)
    return scale, at.weight("bias") if layer.bias else _constant(at, "zeros", 0, channels)


@emits(BatchNorm)
def _batch_norm(layer: BatchNorm, at: At) -> str:
    own = _scale_and_bias(layer, at)
    return at.op("BatchNormalization", at.x, *own, at.weight("mean"), at.weight("var"), epsilon=layer.epsilon)


@emits(InstanceNorm)
def _instance_norm(layer: InstanceNorm, at: At) -> str:
    return at.op("InstanceNormalization", at.x, *_scale_and_bias(layer, at), epsilon=layer.epsilon)


@emits(LayerScale)
def _layer_scale(layer: LayerScale, at: At) -> str:
    return at.op("Mul", at.x, at.weight("scale", ones=at.rank))


def _affine(layer: Normalisation, at: At, x: str) -> str:
    """Factors and summands behind what is normalised, which is written as a part unless there are none."""
    parts = [name for name in ("scale", "bias") if getattr(layer, name)]
    for number, name in enumerate(parts, 1):
        own = at.weight(name, ones=at.rank)
        last = number == len(parts)
        x = at.op("Mul" if name == "scale" else "Add", x, own, part="" if last else f"{name}d")
    return x


def _is_affine(layer: Normalisation) -> bool:
    return layer.scale or layer.bias


@emits(GroupNorm)
def _group_norm(layer: GroupNorm, at: At) -> str:
    """Each group as one channel of an instance normalisation."""
    own = at.reshape(at.x, (layer.groups, -1), part="groups")
    ones, zeros = _constant(at, "ones", 1, layer.groups), _constant(at, "zeros", 0, layer.groups)
    parts = at.op("InstanceNormalization", own, ones, zeros, part="normalised", epsilon=layer.epsilon)
    sizes = (at.kind.channels, *at.kind.spatial)
    if not _is_affine(layer):
        return at.reshape(parts, sizes)
    return _affine(layer, at, at.reshape(parts, sizes, part="channels"))


@emits(LayerNorm)
def _layer_norm(layer: LayerNorm, at: At) -> str:
    """Over all axes, or of a vector, one node; over the channels of maps step by step, as they are no last axis."""
    if layer.axes == "all" or at.kind.is_vector:
        shape = (at.kind.channels, *at.kind.spatial)
        scale = at.weight("scale") if layer.scale else at.made("ones", np.ones(shape, np.float32))
        bias = [at.weight("bias")] if layer.bias else []
        return at.op("LayerNormalization", at.x, scale, *bias, axis=1, epsilon=layer.epsilon)
    mean = at.op("ReduceMean", at.x, part="mean", axes=[1], keepdims=1)
    centred = at.op("Sub", at.x, mean, part="centred")
    square = at.op("Mul", centred, centred, part="square")
    variance = at.op("ReduceMean", square, part="variance", axes=[1], keepdims=1)
    safe = at.op("Add", variance, at.number("epsilon", layer.epsilon), part="safe")
    root = at.op("Sqrt", safe, part="root")
    return _affine(layer, at, at.op("Div", centred, root, part="normalised" if _is_affine(layer) else ""))


@emits(L2Normalise)
def _l2_normalise(layer: L2Normalise, at: At) -> str:
    length = at.op("ReduceL2", at.x, part="length", axes=[1], keepdims=1)
    return at.op("Div", at.x, at.op("Max", length, at.number("epsilon", layer.epsilon), part="safe"))


@emits(Lrn)
def _lrn(layer: Lrn, at: At) -> str:
    """x / (k + alpha/size · Σ x²)^beta. ONNX's LRN has odd windows over maps; even ones lean to later channels there,
    here to earlier ones. So these are averages over the channels as an axis of places."""
    if layer.size % 2 and at.kind.is_map:
        return at.op("LRN", at.x, size=layer.size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)
    before, after = layer.size // 2, (layer.size - 1) // 2
    square = at.op("Mul", at.x, at.x, part="square")
    stacked = at.op("Unsqueeze", square, at.ints("axes", (1,)), part="stacked")
    ones, zeros = [1] * at.rank, [0] * at.rank
    mean = at.op(
        "AveragePool",
        stacked,
        part="mean",
        kernel_shape=[layer.size, *ones],
        strides=[1, *ones],
        pads=[before, *zeros, after, *zeros],
        count_include_pad=1,
    )
    flat = at.op("Squeeze", mean, at.ints("axes", (1,)), part="flat")
    scaled = at.op("Mul", flat, at.number("alpha", layer.alpha), part="scaled")
    base = at.op("Add", scaled, at.number("k", layer.k), part="base")
    return at.op("Div", at.x, at.op("Pow", base, at.number("beta", layer.beta), part="power"))
