"""Caffe's layers whose windows slide over maps, and those that make maps larger or smaller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.diagnostics import count
from archspec.importing.caffe.network import Network, Shape
from archspec.importing.caffe.parameters import Parameters

MAXIMUM, MEAN = ("MAX", "0"), ("AVE", "1")


def _pair(x: Network, own: Parameters, name: str, default: int, *, low: int = 0, plain: str = "") -> list[int]:
    """Height and width of a field that is given once for both, twice, or as name_h and name_w.

    Raises `SpecError` where it is given in more ways, or not at all (a default below 0).
    """
    values = own.wholes(plain or name, low=low)
    if f"{name}_h" in own or f"{name}_w" in own:
        if values:
            raise own.fault(f"`{plain or name}` stands beside `{name}_h` and `{name}_w`")
        return [own.whole(f"{name}_h", max(default, 0), low=low), own.whole(f"{name}_w", max(default, 0), low=low)]
    if len(values) > 2:
        raise own.fault(f"`{plain or name}` has {count(len(values), 'number')} for height and width")
    if not values:
        if default < 0:
            raise own.fault(f"the layer `{x.name[:60]}` does not say its `{plain or name}`")
        return [default, default]
    return [values[0], values[-1]]


def _kernel(x: Network, own: Parameters) -> list[int]:
    sizes = _pair(x, own, "kernel", -1, low=1, plain="kernel_size")
    if not all(sizes):
        raise own.fault(f"the layer `{x.name[:60]}` does not say its `kernel_size`")
    return sizes


def _sides(pads: list[int]) -> list[list[int]]:
    return [[pad, pad] for pad in pads]


def take_convolution(x: Network) -> None:
    own = x.layer.inner("convolution_param")
    filters = own.whole("num_output", low=1)
    if not filters:
        raise own.fault(f"the layer `{x.name[:60]}` does not say its `num_output`")
    if own.whole("axis", 1, low=-10) != 1:
        x.unknown("has channels along another axis")
        return
    if len(x.bottoms) > 1:
        x.unknown("is applied to several blobs")
        return
    shape = x.shape()
    groups = own.whole("group", 1, low=1)
    if x.type != "Convolution" and shape is not None:
        groups = shape[0]
    _give(x, "conv", _fields(x, own, filters, groups), lambda n, p, e, s: (n + 2 * p - e) // s + 1)


def _fields(x: Network, own: Parameters, filters: int, groups: int) -> dict[str, Any]:
    """What convolutions and transposed ones say alike."""
    dilation = _pair(x, own, "dilation", 1, low=1)
    return {
        "filters": filters,
        "kernel": _kernel(x, own),
        "stride": _pair(x, own, "stride", 1, low=1),
        "pad": _sides(_pair(x, own, "pad", 0)),
        "bias": own.flag("bias_term", True),
        **({"groups": groups} if groups > 1 else {}),
        **({"dilation": dilation} if dilation != [1, 1] else {}),
    }


def _give(x: Network, kind: str, fields: dict[str, Any], size: Callable[[int, int, int, int], int]) -> None:
    """Adds a convolution of either kind; `size` has Caffe's rule of a side, padding, the kernel's extent and stride."""
    shape, made = x.shape(), None
    if shape is not None and len(shape) == 3:
        steps, pads = fields.get("dilation", [1, 1]), [pad for pad, _ in fields["pad"]]
        extents = [(length - 1) * step + 1 for length, step in zip(fields["kernel"], steps, strict=True)]
        sides = [size(*side) for side in zip(shape[1:], pads, extents, fields["stride"], strict=True)]
        made = (fields["filters"], *sides)
    x.give(x.add(kind, {**fields, **x.shared()}, shape=made))


def take_deconvolution(x: Network) -> None:
    own = x.layer.inner("convolution_param")
    fields = _fields(x, own, own.whole("num_output", low=1), own.whole("group", 1, low=1))
    fixed = [inner.number("lr_mult", 1.0) for inner in x.layer.inners("param")]
    if own.inner("weight_filler").text("type") == "bilinear" or (fixed and not fixed[0]):
        # What is not trained and has no filler is written into the weights by a script: bilinear upsampling (FCN).
        fields["init"] = "bilinear"
    if fixed and not fixed[0]:
        x.said[
            "{Deconvolution} whose kernel is not trained (lr_mult 0) begin as bilinear upsampling, and are trained"
        ] += 1
    _give(x, "transposed_conv", fields, lambda n, p, e, s: (n - 1) * s + e - 2 * p)


def take_pooling(x: Network) -> None:
    own = x.layer.inner("pooling_param")
    word, shape = own.word("pool", "MAX"), x.shape()
    if word not in (*MAXIMUM, *MEAN):
        x.unknown("takes one of a window's values at random")
        return
    name = "max_pool" if word in MAXIMUM else "avg_pool"
    if own.flag("global_pooling", False):
        whole = None if shape is None else (shape[0], 1, 1)
        x.give(x.add("global_" + name, {"keep_dims": True}, shape=whole))
        return
    kernel = _kernel(x, own)
    stride, pads = _pair(x, own, "stride", 1, low=1), _pair(x, own, "pad", 0)
    up = own.word("round_mode", "CEIL") in ("CEIL", "0")
    fields: dict[str, Any] = {"window": kernel, "stride": stride, "pad": _sides(pads)}
    fields |= {"rounding": "ceil"} if up else {}
    made: Shape = None
    if shape is not None and len(shape) == 3:
        sizes = []
        for size, taps, step, pad in zip(shape[1:], kernel, stride, pads, strict=True):
            room = size + 2 * pad - taps
            windows = (-(-room // step) if up else room // step) + 1
            # With padding the last window begins within the map; without, Caffe lets it lie beyond.
            if any(pads) and (windows - 1) * step >= size + pad:
                windows -= 1
            sizes.append(windows)
        made = (shape[0], *sizes)
    mask = f"{x.tops[1]}:indices{len(x.operations)}" if len(x.tops) > 1 else ""
    value = x.add(name, fields, shape=made, extra=[mask] if mask else [])
    x.give(value, *([mask] if mask else []))


def take_upsample(x: Network) -> None:
    """Upsample of SegNet's fork: values go back to where a pooling found its maxima."""
    own = x.layer.inner("upsample_param")
    shape = x.shape()
    if len(x.bottoms) != 2:
        factor = own.whole("scale", 2, low=1)
        made = None if shape is None else (shape[0], *(size * factor for size in shape[1:]))
        x.give(x.add("resize", {"factor": factor, "mode": "nearest"}, shape=made))
        return
    made = None
    if shape is not None and len(shape) == 3:
        steps = _pair(x, own, "scale", 2, low=1)
        odd = (own.flag("pad_out_h", False), own.flag("pad_out_w", False))
        given = (own.whole("upsample_h"), own.whole("upsample_w"))
        made = (
            shape[0],
            *(own or size * s - more for own, size, s, more in zip(given, shape[1:], steps, odd, strict=True)),
        )
    x.give(x.add("max_unpool", {"indices": x.bottoms[1]}, [x.bottoms[0]], shape=made))


def take_crop(x: Network) -> None:
    own = x.layer.inner("crop_param")
    axis, offsets = own.whole("axis", 2, low=-10), own.wholes("offset")
    if len(x.bottoms) != 2:
        raise x.layer.fault("a Crop takes two blobs: what is cut, and what has the size")
    if axis not in (2, -2) or len(offsets) > 2:
        x.unknown("cuts other axes than height and width")
        return
    offset = [offsets[0], offsets[-1]] if offsets else [0, 0]
    shape, like = x.shape(0), x.shape(1)
    made = (shape[0], *like[1:]) if shape is not None and like is not None else None
    x.give(x.add("crop", {"like": x.bottoms[1], "offset": offset}, [x.bottoms[0]], shape=made))


def take_interp(x: Network) -> None:
    """Interp of DeepLab's fork: bilinear, the corners of both maps together."""
    own, shape = x.layer.inner("interp_param"), x.shape()
    begin, end = own.whole("pad_beg", low=-(2**20)), own.whole("pad_end", low=-(2**20))
    if shape is None or len(shape) != 3 or begin or end:
        x.unknown("cuts what it resizes" if begin or end else "needs the shape of what it takes")
        return
    sizes = list(shape[1:])
    # One factor alone comes before sizes; both of them, after.
    if "height" in own and "width" in own and ("shrink_factor" in own) == ("zoom_factor" in own):
        sizes = [own.whole("height", low=1), own.whole("width", low=1)]
    else:
        shrink, zoom = own.whole("shrink_factor", 1, low=1), own.whole("zoom_factor", 1, low=1)
        sizes = [(size - 1) // shrink + 1 for size in sizes]
        sizes = [size + (size - 1) * (zoom - 1) for size in sizes]
    x.give(x.add("resize", {"size": sizes, "align_corners": True}, shape=(shape[0], *sizes)))
