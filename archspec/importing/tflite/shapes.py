"""TFLite's operators that move numbers, join them and take parts of them."""

from __future__ import annotations

from math import prod
from typing import Any

from archspec.formats.flatbuffers import Table
from archspec.importing.operations import NotHere, Shape
from archspec.importing.tflite.context import Context, Handler
from archspec.importing.tflite.model import Node


def _same(context: Context, node: Node) -> None:
    """What comes out is what goes in."""
    context.alias[node.outputs[0]] = context.alias.get(node.inputs[0], node.inputs[0])


def reshape(context: Context, node: Node, options: Table) -> None:
    """Of the shapes that the file says, since the batch's may be open in what it has for the new one."""
    before, after = context.tensor(node, 0).shape, context.output(node)
    if prod(before) != prod(after) or not after or before[0] != after[0]:
        raise NotHere(f"it takes the batch's axis together with others: {list(before)} becomes {list(after)}")
    if before == after:
        _same(context, node)
    elif len(after) == 2:
        context.emit(node, "flatten")
    else:
        context.emit(node, "reshape", {"shape": [0, *after[1:]]})


def transpose(context: Context, node: Node, options: Table) -> None:
    axes = context.numbers(node, 1, "axes")
    if sorted(axes) != list(range(len(context.tensor(node, 0).shape))):
        raise NotHere(f"its axes are {axes[:16]}")
    context.emit(node, "transpose", {"axes": axes})


def concat(context: Context, node: Node, options: Table) -> None:
    rank = len(context.tensor(node, 0).shape)
    axis = options.number(0, "i4")
    axis += rank if axis < 0 else 0
    if any(number in context.held for number in node.inputs):
        raise NotHere("one of its inputs is a constant")
    fields = {} if axis == rank - 1 else {"axis": axis}
    inputs = [context.taken(number) for number in node.inputs]
    context.emit(node, "concat", fields, inputs=inputs, fused=options.number(1, "i1"))


def pad(context: Context, node: Node, options: Table) -> None:
    shape, numbers = context.tensor(node, 0).shape, context.numbers(node, 1, "paddings")
    if len(numbers) != 2 * len(shape) or any(number < 0 for number in numbers):
        raise NotHere(f"its paddings are {numbers[:16]}")
    sides = [[numbers[2 * axis], numbers[2 * axis + 1]] for axis in range(len(shape))]
    fields: dict[str, Any] = {"pad": sides}
    if node.said == "MIRROR_PAD":
        if options.number(0, "i1"):
            raise NotHere("it mirrors the edge too (SYMMETRIC)")
        fields["mode"] = "reflect"
    elif context.given(node, 2):
        fields["value"] = float(context.constant(node, 2, "value").load().reshape(-1)[0])
    context.emit(node, "pad", fields)


def split(context: Context, node: Node, options: Table) -> None:
    by_sizes = node.said == "SPLIT_V"
    value = 0 if by_sizes else 1
    shape = context.tensor(node, value).shape
    (axis,) = context.numbers(node, 2 if by_sizes else 0, "axis")[:1]
    axis += len(shape) if axis < 0 else 0
    if not 0 < axis < len(shape):
        raise NotHere(f"its axis is {axis}")
    parts = len(node.outputs)
    sizes = context.numbers(node, 1, "sizes") if by_sizes else [shape[axis] // parts] * parts
    if len(sizes) != parts or sum(sizes) != shape[axis] or any(size < 1 for size in sizes):
        raise NotHere(f"it splits {shape[axis]} into {sizes[:16]}")
    begin = 0
    for place, size in enumerate(sizes):
        ranges: list[Any] = [None] * len(shape)
        ranges[axis] = [begin, begin + size, 1]
        begin += size
        context.emit(node, "slice", {"ranges": ranges}, inputs=[context.taken(node.inputs[value])], place=place)


def slice_(context: Context, node: Node, options: Table) -> None:
    shape = context.tensor(node, 0).shape
    begins, sizes = context.numbers(node, 1, "beginning"), context.numbers(node, 2, "size")
    if not len(begins) == len(sizes) == len(shape):
        raise NotHere("its beginning and size are not of all axes")
    ranges = [
        [begin, own if size == -1 else begin + size, 1] for begin, size, own in zip(begins, sizes, shape, strict=True)
    ]
    _sliced(context, node, shape, ranges)


def strided_slice(context: Context, node: Node, options: Table) -> None:
    shape = context.tensor(node, 0).shape
    begin, end, steps = (context.numbers(node, place, "ranges") for place in (1, 2, 3))
    if not len(begin) == len(end) == len(steps) or len(begin) > len(shape) or any(step < 1 for step in steps):
        raise NotHere("its ranges are not of its axes, or go backwards")
    if any(options.number(slot, "i4") for slot in (2, 3, 4)):
        raise NotHere("it takes away axes, adds some, or leaves some out (masks)")
    first, last = options.number(0, "i4"), options.number(1, "i4")
    ranges = []
    for axis, size in enumerate(shape):
        if axis >= len(begin):
            ranges.append([0, size, 1])
            continue
        start = None if first >> axis & 1 else begin[axis]
        stop = None if last >> axis & 1 else end[axis]
        ranges.append(list(slice(start, stop, steps[axis]).indices(size)))
    _sliced(context, node, shape, ranges)


def _sliced(context: Context, node: Node, shape: Shape, ranges: list[list[int]]) -> None:
    kept = [None if own == [0, size, 1] else own for own, size in zip(ranges, shape, strict=True)]
    if kept[0] is not None:
        raise NotHere("it takes a part of the batch")
    if all(own is None for own in kept):
        _same(context, node)
    else:
        context.emit(node, "slice", {"ranges": kept})


def blocks(kind: str) -> Handler:
    def handle(context: Context, node: Node, options: Table) -> None:
        context.emit(node, kind, {"block": options.number(0, "i4"), "order": "tensorflow"})

    return handle
