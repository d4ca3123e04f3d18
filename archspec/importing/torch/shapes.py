"""PyTorch's operators that move, cut and join, or give what they take."""

from __future__ import annotations

from typing import Any

from archspec.importing.operations import NotHere
from archspec.importing.torch.context import Context, Handler, Name, Node
from archspec.importing.torch.windows import pair


def cat(context: Context, node: Node) -> None:
    values = node.given.get("tensors") or []
    names = [context.taken(value) for value in values if isinstance(value, Name)]
    if any(name in context.held for name in names) or not names:
        raise NotHere("one of its inputs is a constant")
    axis = node.given.get("dim", 0) % len(context.shape(names[0]))
    if axis == 0:
        raise NotHere("it puts samples together, along the batch's axis")
    context.emit(node, "concat", {} if axis == 1 else {"axis": axis}, inputs=names)


def reshaped(context: Context, node: Node) -> None:
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
        source, target = ([at % rank for at in pair(node.given[key], 0, 1)] for key in ("source", "destination"))
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
