"""PyTorch's operators whose windows slide over maps, and those that make maps larger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.diagnostics import count
from archspec.importing.operations import NotHere
from archspec.importing.resizing import fields_of
from archspec.importing.torch.context import Context, Handler, Node


def pair(value: Any, default: int, axes: int) -> list[int]:
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
    fields: dict[str, Any] = {"kernel": _both(taps), "stride": _both(pair(node.given.get("stride"), 1, axes))}
    spread = pair(node.given.get("dilation"), 1, axes)
    if any(step != 1 for step in spread):
        fields["dilation"] = _both(spread)
    padding = node.given.get("padding")
    if isinstance(padding, str):
        total = [(size - 1) * step for size, step in zip(taps, spread, strict=True)]
        sides = [[size // 2, size - size // 2] if padding == "same" else [0, 0] for size in total]
    else:
        sides = [[size, size] for size in pair(padding, 0, axes)]
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
        "stride": _both(pair(node.given.get("stride"), 1, axes)),
        "pad": [[size, size] for size in pair(node.given.get("padding"), 0, axes)],
        "bias": "bias" in arrays,
    }
    for field, name, usual in (("dilation", "dilation", 1), ("output_pad", "output_padding", 0)):
        numbers = pair(node.given.get(name), usual, axes)
        if any(number != usual for number in numbers):
            fields[field] = _both(numbers)
    if groups > 1:
        fields["groups"] = groups
    context.emit(node, "transposed_conv", fields, inputs=[x], arrays=arrays)


def pool(kind: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        x = context.x(node)
        axes = _axes(context, x)
        window = pair(node.given.get("kernel_size"), 1, axes)
        fields: dict[str, Any] = {
            "window": _both(window),
            "stride": _both(pair(node.given.get("stride") or window, 1, axes)),
            "pad": [[size, size] for size in pair(node.given.get("padding"), 0, axes)],
        }
        if node.given.get("ceil_mode"):
            fields["rounding"] = "ceil"
        spread = pair(node.given.get("dilation"), 1, axes)
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
            for wanted, have in zip(pair(own, 1, axes), context.shape(x)[2:], strict=True)
        ]
        if set(size) == {1}:
            context.emit(node, f"global_{kind}_pool", {"keep_dims": True}, inputs=[x])
        else:
            context.emit(node, f"adaptive_{kind}_pool", {"size": _both(size)}, inputs=[x])

    return handle


def window_mean(context: Context, node: Node) -> None:
    """The mean of neighbouring channels, as PyTorch has its local response normalisation: channels as a third axis."""
    size, *others = pair(node.given.get("kernel_size"), 1, 3)
    if [*others, *pair(node.given.get("stride"), 1, 3)] != [1] * 5 or any(pair(node.given.get("padding"), 0, 3)):
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


def upsample(mode: str) -> Handler:
    def handle(context: Context, node: Node) -> None:
        before, after = context.shape(context.x(node))[2:], context.shape(node.outputs[0])[2:]
        factors = node.given.get("scale_factors")
        scale = [own / size for own, size in zip(after, before, strict=True)]
        if factors and not node.given.get("output_size"):
            scale = [float(factor) for factor in pair(factors, 1, len(before))]
        # Beside sizes a factor is where pixels are taken from, if it is there.
        for place, name in enumerate(("scales_h", "scales_w") if len(before) == 2 else ("scales",)):
            scale[place] = node.given.get(name) or scale[place]
        how = "align_corners" if node.given.get("align_corners") else "half_pixel"
        how = how if mode == "bilinear" else "asymmetric"
        context.emit(node, "resize", fields_of(before, after, scale, mode, how, "floor"))

    return handle
