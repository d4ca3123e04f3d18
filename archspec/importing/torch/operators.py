"""PyTorch's operators (ATen) as neutral operations; the shape of each value is in the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.operations import NotHere
from archspec.importing.resizing import fields_of
from archspec.importing.torch.context import Context, Name, Node
from archspec.weights.tensors import Tensor

Handler = Callable[[Context, Node], None]


def _pair(value: Any, default: int, axes: int) -> list[int]:
    """Numbers for the axes of places, of one number for both."""
    numbers = [default] if value in (None, []) else [value] if isinstance(value, int) else list(value)
    return numbers * axes if len(numbers) == 1 and axes > 1 else numbers


def _both(numbers: Sequence[int]) -> list[int]:
    """For height and width: of a signal the one number twice."""
    return list(numbers) * (2 if len(numbers) == 1 else 1)


def _axes(context: Context, name: str) -> int:
    axes = len(context.shape(name)) - 2
    if axes not in (1, 2):
        raise NotHere(f"it works on {count(axes, 'axis')} beside the channels; maps have two and signals one")
    return axes


def conv(context: Context, node: Node) -> None:
    x = context.x(node)
    axes, channels = _axes(context, x), context.shape(x)[1]
    kernel = context.needed(node, "weight")
    groups = node.given.get("groups", 1)
    if node.given.get("transposed"):
        transposed_conv(context, node)
        return
    arrays = {"kernel": kernel, **context.arrays_of(node, {"bias": "bias"})}
    filters, inner, *taps = kernel.shape
    if inner * groups != channels or len(taps) != axes:
        raise NotHere(f"its kernel is {list(kernel.shape)}, and its input has {count(channels, 'channel')}")
    fields: dict[str, Any] = {"kernel": _both(taps), "stride": _both(_pair(node.given.get("stride"), 1, axes))}
    spread = _pair(node.given.get("dilation"), 1, axes)
    if any(step != 1 for step in spread):
        fields["dilation"] = _both(spread)
    padding = node.given.get("padding")
    if isinstance(padding, str):
        total = [(size - 1) * step for size, step in zip(taps, spread, strict=True)]
        sides = [[size // 2, size - size // 2] if padding == "same" else [0, 0] for size in total]
    else:
        sides = [[size, size] for size in _pair(padding, 0, axes)]
    fields |= {"pad": sides, "bias": "bias" in arrays}
    if groups > 1 and groups == channels:
        fields |= {"multiplier": filters // groups} if filters != groups else {}
        context.emit(node, "depthwise_conv", fields, inputs=[x], arrays=arrays)
        return
    fields |= {"filters": filters, **({"groups": groups} if groups > 1 else {})}
    context.emit(node, "conv", fields, inputs=[x], arrays=arrays)


def transposed_conv(context: Context, node: Node) -> None:
    x = context.x(node)
    axes = _axes(context, x)
    kernel = context.needed(node, "weight")
    groups = node.given.get("groups", 1)
    arrays = {"kernel": kernel, **context.arrays_of(node, {"bias": "bias"})}
    taps = kernel.shape[2:]
    fields: dict[str, Any] = {
        "filters": kernel.shape[1] * groups,
        "kernel": _both(taps),
        "stride": _both(_pair(node.given.get("stride"), 1, axes)),
        "pad": [[size, size] for size in _pair(node.given.get("padding"), 0, axes)],
        "bias": "bias" in arrays,
    }
    for field, name, usual in (("dilation", "dilation", 1), ("output_pad", "output_padding", 0)):
        numbers = _pair(node.given.get(name), usual, axes)
        if any(number != usual for number in numbers):
            fields[field] = _both(numbers)
    if groups > 1:
        fields["groups"] = groups
    context.emit(node, "transposed_conv", fields, inputs=[x], arrays=arrays)


def batch_norm(context: Context, node: Node) -> None:
    names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    arrays = context.arrays_of(node, names)
    if "mean" not in arrays or "var" not in arrays:
        raise NotHere("it has no running statistics: its results depend on the other samples")
    if node.given.get("training"):
        context.notes["batch normalisations of training are taken as they are in evaluation"] += 1
    momentum = node.given.get("momentum", 0.1)
    fields = {
        "epsilon": node.given.get("eps", 1e-5),
        "momentum": float(f"{1 - momentum:.9g}"),
        "scale": "scale" in arrays,
        "bias": "bias" in arrays,
    }
    context.emit(node, "batch_norm", fields, arrays=arrays)


def layer_norm(context: Context, node: Node) -> None:
    x = context.x(node)
    shape, own = context.shape(x), list(node.given.get("normalized_shape", []))
    rank = len(shape)
    arrays = context.arrays_of(node, {"scale": "weight", "bias": "bias"})
    fields: dict[str, Any] = {
        "epsilon": node.given.get("eps", 1e-5), "scale": "scale" in arrays, "bias": "bias" in arrays,
    }  # fmt: skip
    if own == list(shape[1:]) and len(own) > 1:
        fields["axes"] = "all"
    elif own == list(shape[-1:]):
        fields |= {} if rank == 2 else {"axis": rank - 1}
    else:
        raise NotHere(f"it goes over {own} of {list(shape)}")
    context.emit(node, "layer_norm", fields, arrays=arrays)


def group_norm(context: Context, node: Node) -> None:
    arrays = context.arrays_of(node, {"scale": "weight", "bias": "bias"})
    groups = node.given.get("num_groups", node.given.get("group"))
    fields = {
        "groups": groups, "epsilon": node.given.get("eps", 1e-5), "scale": "scale" in arrays, "bias": "bias" in arrays,
    }  # fmt: skip
    context.emit(node, "group_norm", fields, arrays=arrays)


def instance_norm(context: Context, node: Node) -> None:
    if not node.given.get("use_input_stats", True):
        raise NotHere("it uses running statistics")
    arrays = context.arrays_of(node, {"scale": "weight", "bias": "bias"})
    fields = {"epsilon": node.given.get("eps", 1e-5), "scale": "scale" in arrays, "bias": "bias" in arrays}
    context.emit(node, "instance_norm", fields, arrays=arrays)


def linear(context: Context, node: Node) -> None:
    x = context.x(node, "input")
    kernel = context.needed(node, "weight")
    arrays = {"kernel": kernel, **context.arrays_of(node, {"bias": "bias"})}
    rank = len(context.shape(x))
    fields = {"units": kernel.shape[0], "bias": "bias" in arrays, **({} if rank == 2 else {"axis": rank - 1})}
    context.emit(node, "dense", fields, inputs=[x], arrays=arrays)


def addmm(context: Context, node: Node) -> None:
    if node.given.get("beta", 1) != 1 or node.given.get("alpha", 1) != 1:
        raise NotHere("it has factors (alpha, beta)")
    kernel = context.needed(node, "mat2")
    arrays = {"kernel": kernel.turned, **context.arrays_of(node, {"bias": "self"})}
    fields = {"units": kernel.shape[1], "bias": True}
    context.emit(node, "dense", fields, inputs=[context.x(node, "mat1")], arrays=arrays)


def matmul(context: Context, node: Node) -> None:
    other = node.given.get("other", node.given.get("mat2"))
    kernel = context.held.get(other) if isinstance(other, Name) else None
    x = context.x(node)
    if kernel is None or len(kernel.shape) != 2:
        raise NotHere("it multiplies matrices that are no weights")
    rank = len(context.shape(x))
    fields = {"units": kernel.shape[1], "bias": False, **({} if rank == 2 else {"axis": rank - 1})}
    context.emit(node, "dense", fields, inputs=[x], arrays={"kernel": kernel.turned})


def pool(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        x = context.x(node)
        axes = _axes(context, x)
        window = _pair(node.given.get("kernel_size"), 1, axes)
        fields: dict[str, Any] = {
            "window": _both(window),
            "stride": _both(_pair(node.given.get("stride") or window, 1, axes)),
            "pad": [[size, size] for size in _pair(node.given.get("padding"), 0, axes)],
        }
        if node.given.get("ceil_mode"):
            fields["rounding"] = "ceil"
        spread = _pair(node.given.get("dilation"), 1, axes)
        if any(step != 1 for step in spread):
            fields["dilation"] = _both(spread)
        if node.given.get("divisor_override") is not None:
            raise NotHere(f"it divides by {node.given['divisor_override']}")
        if kind == "avg_pool" and node.given.get("count_include_pad") is False:
            fields["count_pad"] = False
        context.emit(node, kind, fields, inputs=[x])

    return handle


def adaptive_pool(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        x = context.x(node)
        axes = _axes(context, x)
        own = node.given.get("output_size")
        size = [
            have if wanted is None else wanted
            for wanted, have in zip(_pair(own, 1, axes), context.shape(x)[2:], strict=True)
        ]
        if set(size) == {1}:
            context.emit(node, f"global_{kind}_pool", {"keep_dims": True}, inputs=[x])
        else:
            context.emit(node, f"adaptive_{kind}_pool", {"size": _both(size)}, inputs=[x])

    return handle


def plain(kind: str, **names: tuple[str, Any]) -> Handler:
    """A function with a kind of its own; fields by the names of arguments and what they are if left out."""

    def handle(context: Context, node: Node) -> None:
        fields = {field: node.given.get(name, usual) for field, (name, usual) in names.items()}
        context.emit(node, kind, {key: _decimal(value) for key, value in fields.items()})

    return handle


def _decimal(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def elu(context: Context, node: Node) -> None:
    if node.given.get("scale", 1) != 1 or node.given.get("input_scale", 1) != 1:
        raise NotHere("it has factors (scale, input_scale)")
    context.emit(node, "elu", {"alpha": float(node.given.get("alpha", 1.0))})


def softplus(context: Context, node: Node) -> None:
    # Above the threshold PyTorch takes x itself, which differs by less than e^−20.
    context.emit(node, "softplus", {"beta": float(node.given.get("beta", 1))})


def gelu(context: Context, node: Node) -> None:
    context.emit(node, "gelu", {"approximate": True} if node.given.get("approximate", "none") == "tanh" else {})


def prelu(context: Context, node: Node) -> None:
    slope = context.needed(node, "weight")
    shared = prod(slope.shape) == 1 and context.shape(context.x(node))[1] != 1
    own = slope.shaped((slope.size,))
    context.emit(node, "prelu", {"shared": True} if shared else {}, arrays={"slope": own})


def softmax(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        rank = len(context.shape(context.x(node)))
        axis = node.given.get("dim", -1) % rank
        context.emit(node, kind, {} if axis == 1 else {"axis": axis})

    return handle


def clamp(context: Context, node: Node) -> None:
    low, high = node.given.get("min", node.given.get("min_val")), node.given.get("max", node.given.get("max_val"))
    if "hardtanh" in node.op:
        low, high = (-1 if low is None else low), (1 if high is None else high)
    if any(isinstance(bound, Name) for bound in (low, high)):
        raise NotHere("its bounds are values")
    bounds = tuple(None if bound is None else float(bound) for bound in (low, high))
    kind = {(0.0, None): "relu", (0.0, 6.0): "relu6"}.get(bounds, "clip")  # type: ignore[arg-type]
    context.emit(node, kind, {"low": bounds[0], "high": bounds[1]} if kind == "clip" else {})


def joined(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        if node.given.get("alpha", 1) != 1:
            raise NotHere("it has a factor (alpha)")
        if node.given.get("rounding_mode"):
            raise NotHere(f"it rounds ({node.given['rounding_mode']})")
        given = [value for name, value in node.given.items() if name in ("self", "other", "exponent")]
        inputs = []
        for value in given:
            if isinstance(value, Name):
                inputs.append(context.taken(value))
            elif isinstance(value, int | float):
                name = f"{node.outputs[0]}/number"
                number = np.array(value, np.float32)
                context.constants[name] = Tensor.of(number)
                inputs.append(name)
        if len(inputs) != 2:
            raise NotHere("it does not take two values")
        if kind in ("maximum", "minimum") and any(name in context.constants for name in inputs):
            raise NotHere("one of its inputs is a constant")
        if kind == "minimum":
            raise NotHere("")
        context.emit(node, kind, inputs=inputs)

    return handle


def reversed_subtract(context: Context, node: Node) -> None:
    if node.given.get("alpha", 1) != 1:
        raise NotHere("it has a factor (alpha)")
    name = f"{node.outputs[0]}/number"
    context.constants[name] = Tensor.of(np.array(node.given.get("other"), np.float32))
    context.emit(node, "subtract", inputs=[name, context.x(node)])


def cat(context: Context, node: Node) -> None:
    values = node.given.get("tensors") or []
    names = [context.taken(value) for value in values if isinstance(value, Name)]
    if any(name in context.held for name in names) or not names:
        raise NotHere("one of its inputs is a constant")
    axis = node.given.get("dim", 0) % len(context.shape(names[0]))
    if axis == 0:
        raise NotHere("it puts samples together, along the batch's axis")
    context.emit(node, "concat", {} if axis == 1 else {"axis": axis}, inputs=names)


def _reshaped(context: Context, node: Node) -> None:
    """Whatever it is called: to the shape that the graph says."""
    x = context.x(node)
    before, after = context.shape(x), context.shape(node.outputs[0])
    if before == after:
        context.alias[node.outputs[0]] = x
        return
    if x in context.held:
        tensor = context.held[x]
        context.held[node.outputs[0]] = tensor.shaped(after)
        return
    if not after or before[0] != after[0]:
        raise NotHere(f"it takes the batch's axis together with others: {list(before)} becomes {list(after)}")
    if len(after) == 2 and len(before) > 2:
        context.emit(node, "flatten")
    else:
        context.emit(node, "reshape", {"shape": [0, *after[1:]]})


def permute(context: Context, node: Node) -> None:
    x = context.x(node)
    rank = len(context.shape(x))
    axes = list(range(rank))
    if "dims" in node.given:
        axes = [axis % rank for axis in node.given["dims"]]
    elif "source" in node.given:
        source, target = ([at % rank for at in _pair(node.given[key], 0, 1)] for key in ("source", "destination"))
        rest = iter(axis for axis in axes if axis not in source)
        places = dict(zip(target, source, strict=True))
        axes = [places[place] if place in places else next(rest) for place in axes]
    elif "dim0" in node.given:
        one, other = node.given["dim0"] % rank, node.given["dim1"] % rank
        axes[one], axes[other] = axes[other], axes[one]
    else:
        axes = axes[::-1]
    tensor = context.held.get(x)
    if tensor is not None:
        turned = tensor.changed([tensor.shape[axis] for axis in axes], lambda x: x.transpose(axes))
        context.held[node.outputs[0]] = turned
        return
    context.emit(node, "transpose", {"axes": axes})


def same(context: Context, node: Node) -> None:
    context.alias[node.outputs[0]] = context.x(node)


def to_type(context: Context, node: Node) -> None:
    """A cast, which is left out: imports compute in the precision that a run asks for."""
    if node.given.get("dtype") not in (None, 6, 7, 8, 13):
        raise NotHere("it makes whole numbers of what is computed")
    same(context, node)


def dropout(context: Context, node: Node) -> None:
    kind = "spatial_dropout" if "feature" in node.op else "dropout"
    context.emit(node, kind, {"rate": float(node.given.get("p", 0.5))})


def _ranges(context: Context, node: Node, axis: int, begin: int, end: int, step: int, output: str | None) -> None:
    shape = context.shape(context.x(node))
    ranges: list[Any] = [None] * len(shape)
    axis %= len(shape)
    first, last, step = slice(begin, end, step).indices(shape[axis])
    if axis == 0 and (first, last, step) != (0, shape[0], 1):
        raise NotHere("it takes a part of the batch")
    if (first, last, step) == (0, shape[axis], 1):
        context.alias[output or node.outputs[0]] = context.x(node)
        return
    ranges[axis] = [first, last, step]
    context.emit(node, "slice", {"ranges": ranges}, output=output)


def slice_(context: Context, node: Node) -> None:
    given = node.given
    begin, end = given.get("start") or 0, given.get("end")
    _ranges(context, node, given.get("dim", 0), begin, 2**63 if end is None else end, given.get("step", 1), None)


def select(context: Context, node: Node) -> None:
    x = context.x(node)
    shape = context.shape(x)
    axis = node.given.get("dim", 0) % len(shape)
    if axis == 0:
        raise NotHere("it takes one sample of the batch")
    index = node.given.get("index", 0) % shape[axis]
    ranges: list[Any] = [None] * len(shape)
    ranges[axis] = [index, index + 1, 1]
    own = (*shape[:axis], 1, *shape[axis + 1 :])
    part = context.emit(node, "slice", {"ranges": ranges}, output=f"{node.outputs[0]}/part", shape=own)
    context.emit(node, "squeeze", {"axes": [axis]}, inputs=[part])


def split(context: Context, node: Node) -> None:
    shape = context.shape(context.x(node))
    axis = node.given.get("dim", 0) % len(shape)
    begin = 0
    for output in node.outputs:
        size = context.shape(output)[axis]
        _ranges(context, node, axis, begin, begin + size, 1, output)
        begin += size


def mean(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        rank = len(context.shape(context.x(node)))
        dims = node.given.get("dim")
        axes = sorted({axis % rank for axis in ([dims] if isinstance(dims, int) else dims or range(rank))})
        keep = bool(node.given.get("keepdim", False))
        if 0 in axes:
            raise NotHere("it goes over the samples of the batch")
        if axes == list(range(2, rank)) and rank in (3, 4) and kind in ("mean", "max"):
            name = "global_avg_pool" if kind == "mean" else "global_max_pool"
            context.emit(node, name, {"keep_dims": True} if keep else {})
        elif kind == "max":
            raise NotHere(f"it takes the largest over the axes {axes}")
        else:
            context.emit(node, kind, {"axes": axes, "keep": keep})

    return handle


def norm(context: Context, node: Node) -> None:
    if node.given.get("ord", node.given.get("p", 2)) != 2:
        raise NotHere("it is of another order than 2")
    mean("norm")(context, node)


def pad(context: Context, node: Node) -> None:
    shape, numbers = context.shape(context.x(node)), list(node.given.get("pad", node.given.get("padding", [])))
    mode = node.given.get("mode", "reflect" if "reflection" in node.op else "edge" if "replication" in node.op else "")
    mode = {"": "constant", "replicate": "edge"}.get(mode, mode)
    sides: list[list[int]] = [[0, 0] for _ in shape]
    for index in range(len(numbers) // 2):
        sides[len(shape) - 1 - index] = [numbers[2 * index], numbers[2 * index + 1]]
    if mode not in ("constant", "reflect", "edge"):
        raise NotHere(f"its mode is {mode}")
    if any(number < 0 for number in numbers):
        if any(number > 0 for number in numbers) or mode != "constant":
            raise NotHere(f"it pads and cuts at once: {numbers}")
        ranges = [
            [-before, size + after, 1] if before or after else None
            for size, (before, after) in zip(shape, sides, strict=True)
        ]
        context.emit(node, "slice", {"ranges": ranges})
        return
    fields: dict[str, Any] = {"pad": sides}
    if mode != "constant":
        fields["mode"] = mode
    elif node.given.get("value"):
        fields["value"] = float(node.given["value"])
    context.emit(node, "pad", fields)


def upsample(mode: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        before, after = context.shape(context.x(node))[2:], context.shape(node.outputs[0])[2:]
        factors = node.given.get("scale_factors")
        scale = [own / size for own, size in zip(after, before, strict=True)]
        if factors and not node.given.get("output_size"):
            scale = [float(factor) for factor in _pair(factors, 1, len(before))]
        how = "align_corners" if node.given.get("align_corners") else "half_pixel"
        how = how if mode == "bilinear" else "asymmetric"
        context.emit(node, "resize", fields_of(before, after, scale, mode, how, "floor"))

    return handle


def blocks(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        factor = node.given.get("upscale_factor", node.given.get("downscale_factor"))
        context.emit(node, kind, {"block": factor})

    return handle


def shuffle(context: Context, node: Node) -> None:
    context.emit(node, "channel_shuffle", {"groups": node.given.get("groups")})


def expand(context: Context, node: Node) -> None:
    x = context.x(node)
    before, after = context.shape(x), context.shape(node.outputs[0])
    if before == after:
        context.alias[node.outputs[0]] = x
    elif len(before) == len(after):
        context.emit(node, "expand", inputs=[x])
    else:
        raise NotHere("it repeats numbers along an axis")


def window_mean(context: Context, node: Node) -> None:
    """The mean of neighbouring channels, as PyTorch has its local response normalisation: channels as a third axis."""
    size, *others = _pair(node.given.get("kernel_size"), 1, 3)
    if [*others, *_pair(node.given.get("stride"), 1, 3)] != [1] * 5 or any(_pair(node.given.get("padding"), 0, 3)):
        raise NotHere("")
    x = context.x(node)
    made = {name: operation for operation in context.operations for name in operation.outputs}
    padded = made.get(x)
    sides = [[0, 0], [0, 0], [size // 2, (size - 1) // 2], [0, 0], [0, 0]]
    if padded is None or padded.kind != "pad" or padded.fields != {"pad": sides}:
        raise NotHere("")
    raised = made.get(padded.inputs[0])
    before = () if raised is None else context.shape(raised.inputs[0])
    if raised is None or raised.kind != "reshape" or context.shape(padded.inputs[0]) != (before[0], 1, *before[1:]):
        raise NotHere("")
    context.operations[:] = [item for item in context.operations if item is not padded and item is not raised]
    context.emit(node, "window_mean", {"size": size}, inputs=raised.inputs, shape=before)


def rsqrt(context: Context, node: Node) -> None:
    root = context.emit(node, "square_root", output=f"{node.outputs[0]}/root", shape=context.shape(node.outputs[0]))
    context.emit(node, "reciprocal", inputs=[root])


_UNARY = {
    "relu": "relu",
    "relu6": "relu6",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "mish": "mish",
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "sqrt": "square_root",
    "exp": "exponential",
    "log": "logarithm",
    "erf": "error_function",
    "neg": "negate",
    "reciprocal": "reciprocal",
    "abs": "absolute",
}
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("conv1d", "conv2d", "convolution"), conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), transposed_conv),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), batch_norm),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), layer_norm),
    **dict.fromkeys(("group_norm", "native_group_norm"), group_norm),
    "instance_norm": instance_norm,
    "linear": linear,
    "addmm": addmm,
    **dict.fromkeys(("matmul", "mm"), matmul),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool2d_with_indices"), pool("max_pool")),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), pool("avg_pool")),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"), adaptive_pool("avg")),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), adaptive_pool("max")),
    **{op: plain(kind) for op, kind in _UNARY.items()},
    "leaky_relu": plain("leaky_relu", slope=("negative_slope", 0.01)),
    "elu": elu,
    "gelu": gelu,
    "softplus": softplus,
    "prelu": prelu,
    **dict.fromkeys(("softmax", "_softmax"), softmax("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), softmax("log_softmax")),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "hardtanh"), clamp),
    "add": joined("add"),
    "sub": joined("subtract"),
    "rsub": reversed_subtract,
    "mul": joined("multiply"),
    "div": joined("divide"),
    "pow": joined("power"),
    "maximum": joined("maximum"),
    "minimum": joined("minimum"),
    **dict.fromkeys(("cat", "concat"), cat),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze"), _reshaped),
    **dict.fromkeys(("permute", "transpose", "t", "movedim"), permute),
    **dict.fromkeys(("contiguous", "clone", "alias", "detach", "lift_fresh_copy", "identity"), same),
    **dict.fromkeys(("to", "_to_copy", "type_as"), to_type),
    **dict.fromkeys(("dropout", "feature_dropout"), dropout),
    "slice": slice_,
    "select": select,
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), split),
    "mean": mean("mean"),
    "sum": mean("sum"),
    "amax": mean("max"),
    **dict.fromkeys(("linalg_vector_norm", "norm"), norm),
    **dict.fromkeys(("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "reflection_pad1d"), pad),
    **dict.fromkeys(("upsample_nearest1d", "upsample_nearest2d"), upsample("nearest")),
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d"), upsample("bilinear")),
    "pixel_shuffle": blocks("depth_to_space"),
    "pixel_unshuffle": blocks("space_to_depth"),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), shuffle),
    **dict.fromkeys(("expand", "expand_as"), expand),
    "rsqrt": rsqrt,
    "avg_pool3d": window_mean,
}
"""What becomes of an operator, by its name without what tells apart how it is called."""
