"""What the sections of a Darknet network become."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import count
from archspec.importing.darknet.network import HEADS, LOSSES, Network, Taker
from archspec.importing.darknet.text import Section


def _convolutional(x: Network, section: Section) -> None:
    shape = x.map_of()
    size = section.whole("size", 1, low=1)
    stride = section.whole("stride", 1, low=1)
    steps = [section.whole("stride_y", stride), section.whole("stride_x", stride)]
    steps = [own if own >= 1 else stride for own in steps]
    dilation = section.whole("dilation", 1, low=1) if size > 1 else 1
    padding = size // 2 if section.whole("pad") else section.whole("padding", low=0)
    normalised = bool(section.whole("batch_normalize") or section.whole("cbn"))
    groups, filters = section.whole("groups", 1, low=1), section.whole("filters", 1, low=1)
    for key, why in (
        ("xnor", "computes with the signs of weights and values"),
        ("binary", "computes with the signs of its weights"),
        ("antialiasing", "blurs with fixed filters behind it"),
        ("coordconv", "adds coordinates to its input"),
        *((key, "turns or moves its kernel") for key in ("sway", "rotate", "stretch", "stretch_sway")),
    ):
        if section.whole(key):
            x.unknown(f"{why} (`{key}`)")
            return
    if section.number("assisted_excitation"):
        x.said["{assisted excitations} of training left out"] += 1
    pad = padding * dilation
    fields: dict[str, Any] = {
        "filters": filters,
        "kernel": [size, size],
        "stride": steps,
        "pad": [[pad, pad], [pad, pad]],
        "bias": not normalised,
    }
    fields |= {"dilation": [dilation, dilation]} if dilation > 1 else {}
    fields |= {"groups": groups} if groups > 1 else {}
    shared: list[str] = []
    if "share_index" in section.options:
        number = section.whole("share_index")
        number = number + x.index if number < 0 else number
        owned = [item for item in x.operations if item.place.endswith(f" layer {number}")]
        shared = [item.outputs[0] for item in owned if item.kind in ("conv", "batch_norm")]
        if not shared:
            raise section.fault(f"`share_index` names layer {number}, which has no arrays", "share_index")
    x.add("conv", {**fields, **({"weights": shared[0]} if shared else {})})
    if normalised:
        x.add("batch_norm", {"weights": shared[-1]} if len(shared) > 1 else {})
    if shape is not None:
        extent = (size - 1) * dilation + 1
        places = [(own + 2 * pad - extent) // step + 1 for own, step in zip(shape[:2], steps, strict=True)]
        x.shape = (places[0], places[1], filters)
    x.activate(section, "logistic")


def _maxpool(x: Network, section: Section) -> None:
    shape = x.map_of()
    stride = section.whole("stride", 1, low=1)
    steps = [section.whole("stride_y", stride, low=1), section.whole("stride_x", stride, low=1)]
    size = section.whole("size", stride, low=1)
    padding = section.whole("padding", size - 1, low=0)
    for key, why in (
        ("maxpool_depth", "takes the largest of channels"),
        ("antialiasing", "blurs with fixed filters behind it"),
        ("maxpool_zero_nonmax", "keeps the largest values in place and zeros the others"),
    ):
        if section.whole(key):
            x.unknown(f"{why} (`{key}`)")
            return
    before = padding // 2
    if shape is None:
        sides = [[before, padding - before]] * 2
    else:
        # (W + padding − F)/S + 1 windows, the first of them at −(padding/2).
        places = [(own + padding - size) // step + 1 for own, step in zip(shape[:2], steps, strict=True)]
        ends = [(place - 1) * step + size - before for place, step in zip(places, steps, strict=True)]
        sides = [[before, max(0, end - own)] for end, own in zip(ends, shape[:2], strict=True)]
        if any(side[1] < padding - before for side in sides):
            x.said["{poolings} have padding below and to the right that no window reaches at this size, left out"] += 1
        x.shape = (places[0], places[1], shape[2])
    mean = section.name.startswith("local_avg")
    fields: dict[str, Any] = {"window": [size, size], "stride": steps, "pad": sides}
    x.add("avg_pool" if mean else "max_pool", {**fields, **({"count_pad": False} if mean else {})})


def _avgpool(x: Network, section: Section) -> None:
    shape = x.map_of()
    x.add("global_avg_pool", {"keep_dims": True})
    x.shape = None if shape is None else (1, 1, shape[2])


def _flat(x: Network) -> None:
    """Flattens a map, channels first, where it is not a vector yet."""
    if x.shape is None or len(x.shape) == 3:
        x.add("flatten")
        x.shape = None if x.shape is None else (x.shape[0] * x.shape[1] * x.shape[2],)


def _connected(x: Network, section: Section) -> None:
    _flat(x)
    units = section.whole("output", 1, low=1)
    normalised = bool(section.whole("batch_normalize"))
    x.add("dense", {"units": units, "bias": not normalised})
    if normalised:
        x.add("batch_norm")
    x.shape = (units,)
    x.activate(section, "logistic")


def _local(x: Network, section: Section) -> None:
    shape = x.map_of()
    size, stride = section.whole("size", 1, low=1), section.whole("stride", 1, low=1)
    filters, pad = section.whole("filters", 1, low=1), section.whole("pad", low=0)
    if pad and (pad, size) != (1, 3):
        x.unknown("has as many outputs as for a kernel of 3 and padding of 1, with another kernel or padding")
        return
    x.add(
        "locally_connected",
        {"filters": filters, "kernel": [size, size], "stride": [stride, stride], "pad": [[pad, pad], [pad, pad]]},
    )
    if shape is not None:
        places = [(own + 2 * pad - size) // stride + 1 for own in shape[:2]]
        x.shape = (places[0], places[1], filters)
    x.activate(section, "logistic")


def _route(x: Network, section: Section) -> None:
    numbers = x.sources("layers")
    groups, group = section.whole("groups", 1, low=1), section.whole("group_id", low=0)
    shapes = [x.shapes[number] for number in numbers]
    inputs = []
    for number, shape in zip(numbers, shapes, strict=True):
        name = x.names[number]
        if groups > 1:
            if shape is None or len(shape) == 1 or shape[2] % groups or group >= groups:
                raise section.fault(f"layer {number} has no group {group} of {groups}", "groups")
            part = shape[2] // groups
            name = x.add("slice", {"channels": [part * group, part * (group + 1)]}, (name,))
        inputs.append(name)
    x.value = inputs[0] if len(inputs) == 1 else x.add("concat", {}, tuple(inputs))
    maps = [shape for shape in shapes if shape is not None and len(shape) == 3]
    if len(maps) < len(shapes):
        x.shape = shapes[0] if len(shapes) == 1 else None
        return
    if len({own[:2] for own in maps}) > 1:
        said = ", ".join(f"{h}×{w}×{c}" for h, w, c in maps)
        raise section.fault(f"[route] joins maps of different height and width: {said}", "layers")
    x.shape = (maps[0][0], maps[0][1], sum(own[2] // groups for own in maps))


def _shortcut(x: Network, section: Section) -> None:
    shape = x.map_of()
    numbers = x.sources("from")
    if section.text("weights_type", "none") != "none":
        x.unknown(
            "weighs what it adds with trained numbers (`weights_type`)", (x.value, *(x.names[n] for n in numbers))
        )
        x.shape = shape
        return
    factors = [section.number("beta", 1.0), *[section.number("alpha", 1.0)] * len(numbers)]
    inputs = [x.value]
    for number in numbers:
        other, name = x.shapes[number], x.names[number]
        if shape is not None and other is not None and len(other) == 3 and other != shape:
            fitted = _fitted(x, name, other, shape)
            if fitted is None:
                said = f"adds a map of {other[0]}×{other[1]} to one of {shape[0]}×{shape[1]}"
                x.unknown(said, (x.value, name))
                x.shape = shape
                return
            name = fitted
        inputs.append(name)
    for place, factor in enumerate(factors):
        if factor != 1.0:
            inputs[place] = x.add("scale", {"factor": factor}, (inputs[place],))
    x.add("add", {}, tuple(inputs))
    x.activate(section, "linear")


def _fitted(x: Network, name: str, other: tuple[int, int, int], shape: tuple[int, int, int]) -> str | None:
    """A map as a shortcut adds it to one of another shape: every stride-th pixel, and as many channels as both have.

    That is `shortcut_cpu` of the first Darknet; the other one takes equal heights and widths. None where the sizes do
    not go into each other.
    """
    step = other[0] // shape[0]
    if step < 1 or (shape[0] * step, shape[1] * step) != other[:2]:
        return None
    if step > 1:
        x.said["{shortcuts} add a larger map: the first pixel of each block, as the first Darknet does"] += 1
    if other[2] != shape[2]:
        x.said["{shortcuts} add a map of another number of channels: as many as both have"] += 1
    if other[2] > shape[2]:
        name = x.add("slice", {"channels": [0, shape[2]]}, (name,))
    if step > 1 or other[2] < shape[2]:
        name = x.add("pad_channels", {"channels": shape[2], "stride": [step, step]}, (name,))
    return name


def _gated(x: Network, section: Section) -> None:
    """[sam] and [scale_channels]: the map that `from` names times the layer before."""
    (number,) = x.sources("from")
    x.add("multiply", {}, (x.names[number], x.value))
    x.shape = x.shapes[number]
    x.activate(section, "linear")


def _upsample(x: Network, section: Section) -> None:
    shape = x.map_of()
    stride = section.whole("stride", 2)
    if stride < 1:
        x.unknown("with a negative stride adds up blocks of pixels")
        return
    x.add("resize", {"factor": stride, "mode": "nearest"})
    x.shape = None if shape is None else (shape[0] * stride, shape[1] * stride, shape[2])
    factor = section.number("scale", 1.0)
    if factor != 1.0:
        x.add("scale", {"factor": factor})


def _reorg(x: Network, section: Section) -> None:
    shape = x.map_of()
    stride = section.whole("stride", 1, low=1)
    if any(section.whole(key) for key in ("reverse", "flatten", "extra")):
        x.unknown("goes the other way round, flattens or pads")
        return
    if shape is None:
        x.unknown("needs the shape of what it takes")
        return
    height, width, channels = shape
    if height % stride or width % stride:
        raise section.fault(f"a map of {height}×{width} cannot be cut into blocks of {stride}×{stride}", "stride")
    made = (height // stride, width // stride, channels * stride**2)
    if section.name == "reorg3d":
        x.add("space_to_depth", {"block": stride, "order": "tensorflow"})
    else:
        # [reorg] takes the numbers, channels first, as those of a map larger by the stride, with fewer channels.
        if channels % stride**2:
            x.unknown(f"makes {count(channels, 'channel')} into blocks of {stride}×{stride}")
            return
        x.add("reshape", {"shape": [0, channels // stride**2, height * stride, width * stride]})
        x.add("space_to_depth", {"block": stride, "order": "tensorflow"})
        x.add("reshape", {"shape": [0, made[2], made[0], made[1]]})
    x.shape = made


def _dropout(x: Network, section: Section) -> None:
    if section.whole("dropblock"):
        x.said["{DropBlocks} are plain dropout here"] += 1
    x.add("dropout", {"rate": section.number("probability", 0.2)})


def _softmax(x: Network, section: Section) -> None:
    if section.whole("groups", 1) != 1 or section.text("tree"):
        if x.following and not set(x.following) <= {*LOSSES, *HEADS}:
            x.unknown("is of groups of classes, within the network")
            return
        x.notes.append("[softmax] at the end is of groups of classes and is left out: outputs are scores before it")
        return
    if not section.whole("spatial"):
        _flat(x)
    temperature = section.number("temperature", 1.0)
    if temperature != 1.0:
        x.add("scale", {"factor": 1 / temperature if temperature else 0.0})
    x.add("softmax")


def _crop(x: Network, section: Section) -> None:
    shape = x.map_of()
    height, width = section.whole("crop_height", 1, low=1), section.whole("crop_width", 1, low=1)
    if not section.whole("noadjust"):
        if x.operations or x.index:
            x.unknown("makes 2·x − 1 of its input, within the network")
            return
        x.image["range"] = [-1.0, 1.0]
        x.notes.append("[crop] makes 2·x − 1 of pixels from 0 to 1, which the input's range says")
    if shape is not None:
        if height > shape[0] or width > shape[1]:
            raise section.fault(f"{height}×{width} is larger than the map of {shape[0]}×{shape[1]}", "crop_height")
        if (height, width) != shape[:2]:
            offset = [(shape[0] - height) // 2, (shape[1] - width) // 2]
            x.add("crop", {"size": [height, width], "offset": offset})
        x.shape = (height, width, shape[2])
    x.notes.append("[crop] takes the middle, as in evaluation; in training Darknet takes any place, and mirrors")


def _normalization(x: Network, section: Section) -> None:
    # The sum over the channels around, times alpha and not alpha/size.
    size = section.whole("size", 5, low=1)
    fields = {
        "size": size,
        "alpha": section.number("alpha", 0.0001) * size,
        "beta": section.number("beta", 0.75),
        "k": section.number("kappa", 1.0),
    }
    x.add("lrn", fields)


def _batchnorm(x: Network, section: Section) -> None:
    x.add("batch_norm")


def _activation(x: Network, section: Section) -> None:
    x.activate(section, "linear")


def _l2norm(x: Network, section: Section) -> None:
    x.add("l2_normalise")


def _deconvolutional(x: Network, section: Section) -> None:
    shape = x.map_of()
    size, stride = section.whole("size", 1, low=1), section.whole("stride", 1, low=1)
    padding = size // 2 if section.whole("pad") else section.whole("padding", low=0)
    filters, normalised = section.whole("filters", 1, low=1), bool(section.whole("batch_normalize"))
    x.add(
        "transposed_conv",
        {
            "filters": filters,
            "kernel": [size, size],
            "stride": [stride, stride],
            "pad": [[padding, padding], [padding, padding]],
            "bias": not normalised,
        },
    )
    if normalised:
        x.add("batch_norm")
    if shape is not None:
        places = [(own - 1) * stride + size - 2 * padding for own in shape[:2]]
        x.shape = (places[0], places[1], filters)
    x.activate(section, "logistic")


SECTIONS: dict[str, Taker] = {
    **dict.fromkeys(("convolutional", "conv"), _convolutional),
    **dict.fromkeys(("maxpool", "max", "local_avgpool", "local_avg"), _maxpool),
    **dict.fromkeys(("avgpool", "avg"), _avgpool),
    **dict.fromkeys(("connected", "conn"), _connected),
    **dict.fromkeys(("normalization", "lrn"), _normalization),
    **dict.fromkeys(("softmax", "soft"), _softmax),
    **dict.fromkeys(("reorg", "reorg3d"), _reorg),
    **dict.fromkeys(("sam", "scale_channels"), _gated),
    **dict.fromkeys(("deconvolutional", "deconv"), _deconvolutional),
    "local": _local,
    "route": _route,
    "shortcut": _shortcut,
    "upsample": _upsample,
    "dropout": _dropout,
    "crop": _crop,
    "batchnorm": _batchnorm,
    "activation": _activation,
    "l2norm": _l2norm,
}
"""What each section becomes, by its names."""
