"""What the layers of a Caffe network become."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.caffe.inputs import take_input
from archspec.importing.caffe.network import Network, Shape, Taker
from archspec.importing.caffe.parameters import Parameters
from archspec.importing.caffe.spatial import (
    take_convolution,
    take_crop,
    take_deconvolution,
    take_interp,
    take_pooling,
    take_upsample,
)
from archspec.weights.tensors import Tensor

PRODUCT, SUM, MAX = ("PROD", "0"), ("SUM", "1", ""), ("MAX", "2")


def _simple(kind: str) -> Taker:
    """A layer that is a kind without fields."""

    def take(x: Network) -> None:
        x.give(x.add(kind, shape=x.shape()))

    return take


def _with_bias(layer: Parameters, name: str) -> bool:
    return layer.inner(name).flag("bias_term", True)


def _inner_product(x: Network) -> None:
    own = x.layer.inner("inner_product_param")
    units = own.whole("num_output", low=1)
    if own.whole("axis", 1, low=-10) != 1:
        x.unknown("keeps axes before those that it multiplies")
        return
    shape = x.shape()
    source = x.bottoms[0]
    if shape is None or len(shape) > 1:
        source = x.add("flatten", shape=None if shape is None else (prod(shape),))
    fields = {"units": units, "bias": _with_bias(x.layer, "inner_product_param"), **x.shared()}
    x.give(x.add("dense", fields, [source], shape=(units,)))


def _relu(x: Network) -> None:
    slope = x.layer.inner("relu_param").number("negative_slope")
    x.give(x.add("leaky_relu", {"slope": slope}, shape=x.shape()) if slope else x.add("relu", shape=x.shape()))


def _prelu(x: Network) -> None:
    own = x.layer.inner("prelu_param")
    fields: dict[str, Any] = {"shared": True} if own.flag("channel_shared", False) else {}
    filler = own.inner("filler")
    if filler.text("type", "constant") == "constant":
        fields["slope"] = filler.number("value", 0.25 if "filler" not in own else 0.0)
    x.give(x.add("prelu", {**fields, **x.shared()}, shape=x.shape()))


def _elu(x: Network) -> None:
    x.give(x.add("elu", {"alpha": x.layer.inner("elu_param").number("alpha", 1.0)}, shape=x.shape()))


def _dropout(x: Network) -> None:
    rate = x.layer.inner("dropout_param").number("dropout_ratio", 0.5)
    x.give(x.add("dropout", {"rate": rate}, shape=x.shape()))


def _lrn(x: Network) -> None:
    own = x.layer.inner("lrn_param")
    if own.word("norm_region", "ACROSS_CHANNELS") not in ("ACROSS_CHANNELS", "0"):
        x.unknown("normalises by the pixels around within each channel (`WITHIN_CHANNEL`)")
        return
    fields = {
        "size": own.whole("local_size", 5, low=1),
        "alpha": own.number("alpha", 1.0),
        "beta": own.number("beta", 0.75),
        "k": own.number("k", 1.0),
    }
    x.give(x.add("lrn", fields, shape=x.shape()))


def _softmax(x: Network) -> None:
    axis = x.layer.inner("softmax_param").whole("axis", 1, low=-10)
    x.give(x.add("softmax", {"axis": axis}, shape=x.shape()))


def _batch_norm(x: Network) -> None:
    own = x.layer.inner("batch_norm_param")
    fields = {
        "epsilon": own.number("eps", 1e-5),
        "momentum": own.number("moving_average_fraction", 0.999),
        "scale": False,
        "bias": False,
    }
    x.give(x.add("batch_norm", {**fields, **x.shared()}, shape=x.shape()))


def _bn(x: Network) -> None:
    """BN of the forks that SegNet and ENet came with: factors and summands in one layer, epsilon 1e-9."""
    own = x.layer.inner("bn_param")
    epsilon = own.number("var_eps", own.number("eps", 1e-9))
    if own.word("bn_mode") == "INFERENCE":
        x.said["{} BN of mode INFERENCE have statistics within their factors and summands: mean 0 and variance 1"] += 1
    x.give(x.add("batch_norm", {"epsilon": epsilon, **x.shared()}, shape=x.shape()))


def _scale(x: Network) -> None:
    own = x.layer.inner("scale_param")
    bias = own.flag("bias_term", False)
    if len(x.bottoms) > 1:
        if bias:
            x.unknown("multiplies by a value and adds trained summands")
            return
        _gate(x, x.bottoms[0], x.bottoms[1])
        return
    if own.whole("axis", 1, low=-10) != 1 or own.whole("num_axes", 1, low=-1) != 1:
        x.unknown("has a factor for each of several axes")
        return
    before = next((item for item in x.operations if item.outputs[0] == x.bottoms[0]), None)
    if before is not None and before.kind == "batch_norm" and before.fields.get("scale") is False:
        # The BatchNorm before is left as it is for layers that take it too; where there are none, it goes.
        fields = {name: value for name, value in before.fields.items() if name not in ("scale", "bias", "weights")}
        fields |= {} if bias else {"bias": False}
        value = x.add("batch_norm", {**fields, **x.shared()}, before.inputs, shape=before.shape)
        x.operations[-1] = replace(x.operations[-1], name=before.name)
        x.merged[x.bottoms[0]] = value
        x.said["{} BatchNorm and Scale are one batch_norm each"] += 1
        x.give(value)
        return
    if not bias:
        filler = own.inner("filler").number("value", 1.0)
        x.give(x.add("layer_scale", {"initial": filler, **x.shared()}, shape=x.shape()))
        return
    shape = x.shape()
    if shape is not None and len(shape) == 1:
        x.unknown("multiplies and adds to each feature")
        return
    x.said["{} Scale without BatchNorm are convolutions of each channel with a kernel of 1"] += 1
    x.give(x.add("depthwise_conv", {"kernel": [1, 1], **x.shared()}, shape=shape))


def _gate(x: Network, value: str, gate: str) -> None:
    """A map times one factor for each channel, which may be a vector."""
    shape, own = x.shapes.get(value), x.shapes.get(gate)
    if shape is not None and own is not None and len(own) == 1 < len(shape):
        gate = x.add("reshape", {"shape": [0, own[0], *[1] * (len(shape) - 1)]}, [gate], shape=(own[0], 1, 1))
    x.give(x.add("multiply", inputs=[value, gate], shape=shape))


def _axpy(x: Network) -> None:
    """Axpy of SENet's fork: gates times a map, plus a map."""
    gate, value, other = x.bottoms
    tops, x.tops = x.tops, []
    product = x.add("multiply", inputs=[value, gate], shape=x.shapes.get(value))
    x.tops = tops
    x.give(x.add("add", inputs=[product, other], shape=x.shapes.get(other)))


def _eltwise(x: Network) -> None:
    own = x.layer.inner("eltwise_param")
    word, coefficients = own.word("operation", "SUM"), own.numbers("coeff")
    shape = x.shape()
    if coefficients and len(coefficients) != len(x.bottoms):
        raise x.layer.fault(f"{len(coefficients)} of `coeff` for {len(x.bottoms)} of `bottom`")
    if word in PRODUCT or word in MAX:
        x.give(x.add("multiply" if word in PRODUCT else "maximum", inputs=x.bottoms, shape=shape))
        return
    if word not in SUM:
        x.unknown(f"joins by {word[:40]}")
        return
    if coefficients == [1.0, -1.0]:
        x.give(x.add("subtract", inputs=x.bottoms, shape=shape))
        return
    parts = [
        x.add("scale", {"factor": factor}, [bottom], shape=x.shapes.get(bottom)) if factor != 1.0 else bottom
        for bottom, factor in zip(x.bottoms, coefficients or [1.0] * len(x.bottoms), strict=True)
    ]
    x.give(x.add("add", inputs=parts, shape=shape))


def _axis(own: Parameters, name: str) -> int:
    return own.whole("axis", 1, low=-10) if "axis" in own else own.whole(name, 1)


def _concat(x: Network) -> None:
    axis = _axis(x.layer.inner("concat_param"), "concat_dim")
    shapes = [x.shapes.get(bottom) for bottom in x.bottoms]
    known = [shape for shape in shapes if shape]
    made: Shape = None
    if axis == 1 and len(known) == len(shapes):
        made = (sum(shape[0] for shape in known), *known[0][1:])
    x.give(x.add("concat", {"axis": axis}, x.bottoms, shape=made))


def _slice(x: Network) -> None:
    own = x.layer.inner("slice_param")
    axis, points = _axis(own, "slice_dim"), own.wholes("slice_point")
    shape = x.shape()
    if axis != 1 or shape is None:
        x.unknown("cuts another axis than channels" if axis != 1 else "needs the shape of what it takes")
        return
    if not points:
        size = shape[0] // max(1, len(x.tops))
        points = [size * place for place in range(1, len(x.tops))]
    ends = [0, *points, shape[0]]
    if len(ends) != len(x.tops) + 1 or any(a >= b for a, b in pairwise(ends)):
        raise x.layer.fault(
            f"`slice_point` does not cut {count(shape[0], 'channel')} into {count(len(x.tops), 'part')}"
        )
    parts = [
        x.add("slice", {"channels": [first, last]}, shape=(last - first, *shape[1:]), top=place)
        for place, (first, last) in enumerate(pairwise(ends))
    ]
    x.give(*parts)


def _split(x: Network) -> None:
    x.give(*[x.bottoms[0]] * len(x.tops))


def _flatten(x: Network) -> None:
    own = x.layer.inner("flatten_param")
    if own.whole("axis", 1, low=-10) != 1 or own.whole("end_axis", -1, low=-10) != -1:
        x.unknown("flattens some axes only")
        return
    shape = x.shape()
    x.give(x.add("flatten", shape=None if shape is None else (prod(shape),)))


def _reshape(x: Network) -> None:
    own = x.layer.inner("reshape_param")
    sizes = own.inner("shape").wholes("dim", low=-1)
    if own.whole("axis", 0, low=-10) != 0 or own.whole("num_axes", -1, low=-1) != -1 or not sizes:
        x.unknown("reshapes some axes only")
        return
    shape = x.shape()
    made: Shape = None
    if shape is not None and sizes[0] in (0, -1) and len(sizes) > 1:
        whole = (0, *shape)
        own = [whole[place] if size == 0 and place < len(whole) else size for place, size in enumerate(sizes)][1:]
        rest = prod(size for size in own if size > 0)
        made = tuple(prod(shape) // rest if size == -1 and rest else size for size in own)
    x.give(x.add("reshape", {"shape": sizes}, shape=made))


def _permute(x: Network) -> None:
    order = x.layer.inner("permute_param").wholes("order")
    shape = x.shape()
    known = shape is not None and len(order) == len(shape) + 1 and order[0] == 0
    made = (
        tuple(shape[place - 1] for place in order[1:]) if known and shape is not None and 0 not in order[1:] else None
    )
    x.give(x.add("transpose", {"axes": order}, shape=made))


def _power(x: Network) -> None:
    """(shift + scale·x)^power."""
    own = x.layer.inner("power_param")
    power, scale, shift = own.number("power", 1.0), own.number("scale", 1.0), own.number("shift", 0.0)
    if power not in (1.0, 2.0):
        x.unknown(f"takes a power of {power:g}")
        return
    value, shape = x.bottoms[0], x.shape()
    if scale != 1.0:
        value = x.add("scale", {"factor": scale}, [value], shape=shape)
    for kind, number in (("add", shift), ("power", power)):
        if number != (0.0 if kind == "add" else 1.0):
            name = f"{x.name}:{kind}"
            x.constants[name] = Tensor.of(np.array(number, np.float32))
            value = x.add(kind, inputs=[value, name], shape=shape)
    x.give(value)


def _normalize(x: Network) -> None:
    """Normalize of SSD's fork: over channels, times a trained factor for each of them."""
    own = x.layer.inner("norm_param")
    if own.flag("across_spatial", True) or own.flag("channel_shared", True):
        x.unknown("normalises over a whole map, or has one factor for all channels")
        return
    value = x.add("l2_normalise", shape=x.shape())
    filler = own.inner("scale_filler").number("value", 1.0)
    x.give(x.add("layer_scale", {"initial": filler}, [value], shape=x.shape()))


def _shuffle(x: Network) -> None:
    own = x.layer.inner("shuffle_channel_param")
    x.give(x.add("channel_shuffle", {"groups": own.whole("group", 1, low=1)}, shape=x.shape()))


def _reorg(x: Network) -> None:
    """ReorgYOLO: Darknet's [reorg], which takes the numbers as those of a larger map with fewer channels."""
    own = x.layer.inner("reorg_param")
    stride, shape = own.whole("stride", 2, low=1), x.shape()
    if own.flag("reverse", False) or shape is None or len(shape) != 3:
        x.unknown("goes the other way round, or needs the shape of what it takes")
        return
    channels, height, width = shape
    if channels % stride**2 or height % stride or width % stride:
        raise x.layer.fault(f"a map of {height}×{width}×{channels} cannot be cut into blocks of {stride}×{stride}")
    larger = (channels // stride**2, height * stride, width * stride)
    value = x.add("reshape", {"shape": [0, *larger]}, shape=larger)
    value = x.add("space_to_depth", {"block": stride, "order": "tensorflow"}, [value], shape=shape)
    made = (channels * stride**2, height // stride, width // stride)
    x.give(x.add("reshape", {"shape": [0, *made]}, [value], shape=made))


def _clip(x: Network) -> None:
    own = x.layer.inner("clip_param")
    x.give(x.add("clip", {"low": own.number("min"), "high": own.number("max")}, shape=x.shape()))


def _reduction(x: Network) -> None:
    own = x.layer.inner("reduction_param")
    word, shape = own.word("operation", "SUM"), x.shape()
    if (
        word not in ("MEAN", "4")
        or own.whole("axis", 0, low=-10) != 2
        or shape is None
        or own.number("coeff", 1.0) != 1
    ):
        x.unknown("sums up other axes than those of places")
        return
    x.give(x.add("mean", {"axes": list(range(2, len(shape) + 1)), "keep": False}, shape=shape[:1]))


def _python(x: Network) -> None:
    """Layers in Python run whatever they like; of well-known ones it is known what."""
    own = x.layer.inner("python_param")
    if own.text("layer") == "SpatialDropoutLayer":  # of ENet's authors
        found = re.search(r"'p' *: *'?(0?\.\d+|0)'?[,} ]", own.text("param_str"))
        x.give(x.add("spatial_dropout", {"rate": float(found[1]) if found else 0.5}, shape=x.shape()))
        return
    x.unknown(f"is a program of its own ({own.text('layer')[:60]!r})")


LAYERS: dict[str, Taker] = {
    "Input": take_input,
    **dict.fromkeys(("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution"), take_convolution),
    "Deconvolution": take_deconvolution,
    "Pooling": take_pooling,
    "Upsample": take_upsample,
    "Crop": take_crop,
    "Interp": take_interp,
    "InnerProduct": _inner_product,
    "ReLU": _relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "ReLU6": _simple("relu6"),
    "Sigmoid": _simple("sigmoid"),
    "TanH": _simple("tanh"),
    "BNLL": _simple("softplus"),
    "Swish": _simple("silu"),
    "Mish": _simple("mish"),
    "Dropout": _dropout,
    "LRN": _lrn,
    "Softmax": _softmax,
    "BatchNorm": _batch_norm,
    "BN": _bn,
    "Scale": _scale,
    "Axpy": _axpy,
    "Eltwise": _eltwise,
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Python": _python,
    "Power": _power,
    "Normalize": _normalize,
    "ShuffleChannel": _shuffle,
    "ReorgYOLO": _reorg,
    "Clip": _clip,
    "Reduction": _reduction,
}
"""What each type of layer becomes."""
