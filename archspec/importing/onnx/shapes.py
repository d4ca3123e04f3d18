"""Operators that say how numbers lie: reshaping, axes, parts of axes, padding, and blocks of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.onnx import folding
from archspec.importing.onnx.context import Context, Handler
from archspec.importing.onnx.model import Node
from archspec.importing.operations import NotHere, Shape


def _axes(context: Context, node: Node, index: int, rank: int) -> list[int] | None:
    """Axes from an attribute, or from an input as later versions have it, counted from 0."""
    axes = node.attributes.get("axes")
    if axes is None and context.given(node, index):
        axes = context.whole(node, index, "axes")
    if axes is None:
        return None
    if any(not -rank <= axis < rank for axis in axes):
        raise NotHere(f"its axes are {axes[:16]}, and its input has {rank}")
    return [axis % rank for axis in axes]


def reshape_to(context: Context, node: Node, shape: Shape, out: Shape) -> None:
    """A value in another shape; the batch's axis must stay as it is."""
    if out == shape:
        context.alias(node)
        return
    inputs = [context.taken(node.inputs[0])]
    if not out or out[0] != shape[0]:
        raise NotHere(
            f"it takes the batch's axis together with others: {list(shape)} becomes {list(out)}".replace(
                str(context.batch), "N"
            )
        )
    if len(out) == 2 and len(shape) > 2:
        context.emit(node, "flatten", inputs=inputs, shape=out)
    else:
        context.emit(node, "reshape", {"shape": [0, *out[1:]]}, inputs=inputs, shape=out)


def reshape(context: Context, node: Node) -> None:
    shape = context.shape(node)
    wanted = node.attributes.get("shape")
    if wanted is None:
        wanted = context.whole(node, 1, "shape")
    reshape_to(context, node, shape, folding.reshaped(shape, list(wanted), bool(node.attributes.get("allowzero", 0))))


def flatten(context: Context, node: Node) -> None:
    shape = context.shape(node)
    axis = node.attributes.get("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise NotHere(f"its axis is {axis}")
    axis += len(shape) if axis < 0 else 0
    reshape_to(context, node, shape, (prod(shape[:axis]), prod(shape[axis:])))


def squeeze(context: Context, node: Node) -> None:
    shape = context.shape(node)
    axes = _axes(context, node, 1, len(shape))
    gone = {axis for axis, size in enumerate(shape) if size == 1 and axis > 0} if axes is None else set(axes)
    if any(shape[axis] != 1 for axis in gone) or 0 in gone:
        raise NotHere(f"it takes the axes {sorted(gone)} of {list(shape)} away")
    out = tuple(size for axis, size in enumerate(shape) if axis not in gone)
    inputs = [context.taken(node.inputs[0])]
    context.emit(node, "squeeze", {"axes": sorted(gone)}, inputs=inputs, shape=out)


def unsqueeze(context: Context, node: Node) -> None:
    shape = context.shape(node)
    axes = node.attributes.get("axes")
    if axes is None:
        axes = context.whole(node, 1, "axes")
    out = folding.unsqueezed(shape, axes)
    at = sorted(axis % len(out) for axis in axes)
    if 0 in at:
        raise NotHere("it puts an axis before the batch's")
    context.emit(node, "unsqueeze", {"axes": at}, inputs=[context.taken(node.inputs[0])], shape=out)


def transpose(context: Context, node: Node) -> None:
    shape = context.shape(node)
    axes = list(node.attributes.get("perm", range(len(shape))[::-1]))
    if sorted(axes) != list(range(len(shape))):
        raise NotHere(f"its axes are {axes[:16]}, and its input has {len(shape)}")
    if axes == list(range(len(shape))):
        context.alias(node)
        return
    out = tuple(shape[axis] for axis in axes)
    context.emit(node, "transpose", {"axes": axes}, inputs=[context.taken(node.inputs[0])], shape=out)


def concat(context: Context, node: Node) -> None:
    shapes = [context.shape(node, index) for index in range(len(node.inputs))]
    rank = len(shapes[0])
    axis = node.attributes.get("axis", 1)
    if not -rank <= axis < rank or any(len(shape) != rank for shape in shapes):
        raise NotHere(f"its axis is {axis}, and its inputs have {', '.join(str(len(shape)) for shape in shapes)}")
    axis %= rank
    rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rests) > 1 or axis == 0:
        raise NotHere("its inputs do not fit together" if axis else "it puts samples together, along the batch's axis")
    if len(shapes) == 1:
        context.alias(node)
        return
    if any(context.known[name].tensor is not None for name in node.inputs):
        raise NotHere("one of its inputs is a constant")
    out = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
    fields = {} if axis == 1 else {"axis": axis}
    context.emit(node, "concat", fields, inputs=[context.taken(name) for name in node.inputs], shape=out)


def sliced(
    context: Context, node: Node, shape: Shape, ranges: Sequence[Any], output: str | None = None, source: str = ""
) -> str:
    """A part of some axes: [start, stop, step] for each, or None where all of it stays."""
    out = tuple(
        size if part is None else len(range(*(int(value) for value in part)))
        for size, part in zip(shape, ranges, strict=True)
    )
    if ranges[0] is not None:
        raise NotHere("it takes a part of the batch")
    inputs = [source or context.taken(node.inputs[0])]
    return context.emit(node, "slice", {"ranges": list(ranges)}, inputs=inputs, shape=out, output=output)


def slice_(context: Context, node: Node) -> None:
    shape = context.shape(node)
    if "starts" in node.attributes:
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes"), None
    else:
        starts, ends = context.whole(node, 1, "starts"), context.whole(node, 2, "ends")
        axes = context.whole(node, 3, "axes") if context.given(node, 3) else None
        steps = context.whole(node, 4, "steps") if context.given(node, 4) else None
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise NotHere("its starts, ends, axes and steps are not as many")
    ranges: list[Any] = [None] * len(shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if not -len(shape) <= axis < len(shape):
            raise NotHere(f"its axis is {axis}, and its input has {len(shape)}")
        if step < 1:
            raise NotHere(f"it goes backwards, in steps of {step}")
        size = shape[axis]
        first, last, _ = slice(start, end, step).indices(size)
        if (first, last, step) != (0, size, 1):
            ranges[axis % len(shape)] = [first, last, step]
    if all(part is None for part in ranges):
        context.alias(node)
        return
    sliced(context, node, shape, ranges)


def split(context: Context, node: Node) -> None:
    shape = context.shape(node)
    axis = node.attributes.get("axis", 0) % len(shape)
    sizes = node.attributes.get("split")
    if sizes is None and context.given(node, 1):
        sizes = context.whole(node, 1, "sizes")
    if sizes is None:
        parts = len(node.outputs)
        each = -(-shape[axis] // parts)
        sizes = [min(each, shape[axis] - index * each) for index in range(parts)]
    if sum(sizes) != shape[axis] or len(sizes) != len(node.outputs) or any(size < 1 for size in sizes):
        raise NotHere(f"it splits {shape[axis]} into {sizes[:16]}")
    begin = 0
    for size, output in zip(sizes, node.outputs, strict=True):
        ranges: list[Any] = [None] * len(shape)
        ranges[axis] = [begin, begin + size, 1]
        begin += size
        if output:
            sliced(context, node, shape, ranges, output)


def gather(context: Context, node: Node) -> None:
    shape = context.shape(node)
    axis = node.attributes.get("axis", 0) % len(shape)
    places = context.numbers(node, 1, "indices")
    size = shape[axis]
    wanted = [int(place) + (size if place < 0 else 0) for place in places.reshape(-1)]
    if places.ndim > 1 or any(not 0 <= place < size for place in wanted) or not wanted:
        raise NotHere("it looks numbers up in a table")
    ranges: list[Any] = [None] * len(shape)
    step = wanted[1] - wanted[0] if len(wanted) > 1 else 1
    if step >= 1 and wanted == list(range(wanted[0], wanted[-1] + 1, step)):
        ranges[axis] = [wanted[0], wanted[-1] + 1, step]
        if places.ndim == 1:
            if wanted == list(range(size)):
                context.alias(node)
            else:
                sliced(context, node, shape, ranges)
            return
        part = sliced(context, node, shape, ranges, context.fresh(node))
        out = (*shape[:axis], *shape[axis + 1 :])
        context.emit(node, "squeeze", {"axes": [axis]}, inputs=[part], shape=out)
        return
    if axis == 1 and sorted(wanted) == list(range(size)):
        for groups in range(2, size):
            if size % groups == 0 and wanted == np.arange(size).reshape(groups, -1).T.reshape(-1).tolist():
                inputs = [context.taken(node.inputs[0])]
                context.emit(node, "channel_shuffle", {"groups": groups}, inputs=inputs, shape=shape)
                return
    raise NotHere("it takes channels or places in an order of its own")


def pad(context: Context, node: Node) -> None:
    shape = context.shape(node)
    rank = len(shape)
    pads = node.attributes.get("pads") or node.attributes.get("paddings")
    if pads is None:
        pads = context.whole(node, 1, "pads")
    if context.given(node, 3):
        axes = [axis % rank for axis in context.whole(node, 3, "axes")]
        both = (
            [(pads[index], pads[index + len(axes)]) for index in range(len(axes))] if len(pads) >= 2 * len(axes) else []
        )
        spread = dict(zip(axes, both, strict=True))
        pads = [spread.get(axis, (0, 0))[side] for side in (0, 1) for axis in range(rank)]
    if len(pads) != 2 * rank:
        raise NotHere(f"it has {count(len(pads), 'side')}, and its input {count(rank, 'axis')}")
    value = float(node.attributes.get("value", 0.0))
    if context.given(node, 2):
        value = float(context.numbers(node, 2, "value").reshape(-1)[0])
    sides = [[pads[axis], pads[axis + rank]] for axis in range(rank)]
    if not any(pads):
        context.alias(node)
        return
    mode = node.attributes.get("mode", "constant") or "constant"
    out = tuple(size + sum(own) for size, own in zip(shape, sides, strict=True))
    inputs = [context.taken(node.inputs[0])]
    if any(side < 0 for side in pads):
        if any(side > 0 for side in pads):
            raise NotHere(f"it pads and cuts at once: {pads}")
        ranges = [
            [-before, size + after, 1] if before or after else None
            for size, (before, after) in zip(shape, sides, strict=True)
        ]
        sliced(context, node, shape, ranges)
    elif mode == "constant":
        context.emit(node, "pad", {"pad": sides, "value": value}, inputs=inputs, shape=out)
    elif mode in ("reflect", "edge") and not any(side for own in sides[:2] for side in own) and rank in (3, 4):
        context.emit(node, "pad", {"sides": sides[2:], "mode": mode}, inputs=inputs, shape=out)
    else:
        raise NotHere(f"its mode is {mode}")


def expand(context: Context, node: Node) -> None:
    shape = context.shape(node)
    wanted = tuple(context.whole(node, 1, "shape"))
    try:
        out = np.broadcast_shapes(shape, wanted)
    except ValueError:
        raise NotHere(f"{list(shape)} cannot be spread over {list(wanted)[:16]}") from None
    if out == shape:
        context.alias(node)
    elif len(shape) == len(out):
        context.emit(node, "expand", inputs=[context.taken(node.inputs[0])], shape=out)
    else:
        raise NotHere("it repeats numbers along an axis", out)


def tile(context: Context, node: Node) -> None:
    if any(times != 1 for times in context.whole(node, 1, "repeats")):
        raise NotHere("it repeats numbers along an axis")
    context.alias(node)


def depth_to_space(context: Context, node: Node) -> None:
    batch, channels, height, width = _map(context.shape(node))
    block = node.attributes.get("blocksize", 0)
    mode = node.attributes.get("mode", "DCR")
    if block < 1 or channels % block**2 or mode not in ("DCR", "CRD"):
        raise NotHere(f"its block is {block}, its mode {mode}, and its input has {count(channels, 'channel')}")
    out = (batch, channels // block**2, height * block, width * block)
    fields = {"block": block, "order": "tensorflow" if mode == "DCR" else "pytorch"}
    context.emit(node, "depth_to_space", fields, inputs=[context.taken(node.inputs[0])], shape=out)


def space_to_depth(context: Context, node: Node) -> None:
    batch, channels, height, width = _map(context.shape(node))
    block = node.attributes.get("blocksize", 0)
    if block < 1 or height % block or width % block:
        raise NotHere(f"its block is {block}, and its input {height}×{width}")
    out = (batch, channels * block**2, height // block, width // block)
    fields = {"block": block, "order": "tensorflow"}
    context.emit(node, "space_to_depth", fields, inputs=[context.taken(node.inputs[0])], shape=out)


def _map(shape: Shape) -> Shape:
    if len(shape) != 4:
        raise NotHere(f"its input has {count(len(shape), 'axis')}; maps have four with the batch's")
    return shape


SHAPES: dict[str, tuple[Handler, set[str]]] = {
    "Reshape": (reshape, {"allowzero", "shape"}),
    "Flatten": (flatten, {"axis"}),
    "Squeeze": (squeeze, {"axes"}),
    "Unsqueeze": (unsqueeze, {"axes"}),
    "Transpose": (transpose, {"perm"}),
    "Concat": (concat, {"axis"}),
    "Slice": (slice_, {"axes", "ends", "starts"}),
    "Split": (split, {"axis", "num_outputs", "split"}),
    "Gather": (gather, {"axis"}),
    "Pad": (pad, {"mode", "paddings", "pads", "value"}),
    "Expand": (expand, set()),
    "Tile": (tile, set()),
    "DepthToSpace": (depth_to_space, {"blocksize", "mode"}),
    "SpaceToDepth": (space_to_depth, {"blocksize"}),
}
"""What becomes of an operator, and the attributes that it may have."""
