"""What the layers of a Caffe network become."""

from __future__ import annotations

import re
from itertools import pairwise
from math import prod

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
from archspec.importing.caffe.values import (
    take_axpy,
    take_batch_norm,
    take_bn,
    take_clip,
    take_dropout,
    take_elu,
    take_lrn,
    take_normalize,
    take_power,
    take_prelu,
    take_relu,
    take_scale,
    take_softmax,
)

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
        kept = [whole[place] if size == 0 and place < len(whole) else size for place, size in enumerate(sizes)][1:]
        rest = prod(size for size in kept if size > 0)
        made = tuple(prod(shape) // rest if size == -1 and rest else size for size in kept)
    x.give(x.add("reshape", {"shape": sizes}, shape=made))


def _permute(x: Network) -> None:
    order = x.layer.inner("permute_param").wholes("order")
    shape = x.shape()
    known = shape is not None and len(order) == len(shape) + 1 and order[0] == 0
    made = (
        tuple(shape[place - 1] for place in order[1:]) if known and shape is not None and 0 not in order[1:] else None
    )
    x.give(x.add("transpose", {"axes": order}, shape=made))


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
    "ReLU": take_relu,
    "PReLU": take_prelu,
    "ELU": take_elu,
    "ReLU6": _simple("relu6"),
    "Sigmoid": _simple("sigmoid"),
    "TanH": _simple("tanh"),
    "BNLL": _simple("softplus"),
    "Swish": _simple("silu"),
    "Mish": _simple("mish"),
    "Dropout": take_dropout,
    "LRN": take_lrn,
    "Softmax": take_softmax,
    "BatchNorm": take_batch_norm,
    "BN": take_bn,
    "Scale": take_scale,
    "Axpy": take_axpy,
    "Eltwise": _eltwise,
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Python": _python,
    "Power": take_power,
    "Normalize": take_normalize,
    "ShuffleChannel": _shuffle,
    "ReorgYOLO": _reorg,
    "Clip": take_clip,
    "Reduction": _reduction,
}
"""What each type of layer becomes."""
