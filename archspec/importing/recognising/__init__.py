"""Layers that a file has in pieces, found in the operations of whatever format and put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from archspec.importing.operations import Operation, Order, Shape
from archspec.importing.recognising import normalisations
from archspec.importing.recognising.functions import FUNCTIONS, functions
from archspec.importing.recognising.work import Work, in_place
from archspec.weights.tensors import Tensor

PIECES = (
    "expand",
    "square_root",
    "exponential",
    "logarithm",
    "error_function",
    "negate",
    "reciprocal",
    "absolute",
    "max",
    "norm",
    "window_mean",
)
"""Operations that readers give to be parts of layers here; by themselves there is nothing like them."""


def recognised(
    operations: Sequence[Operation],
    constants: Mapping[str, Tensor],
    outputs: Sequence[str],
    shapes: Mapping[str, Shape | None],
    order: Order = "channels_first",
) -> list[Operation]:
    """The operations with layers in the place of their pieces; `shapes` are with the batch's axis."""
    work = Work(list(operations), constants, outputs, shapes, last=order == "channels_last")
    work.each(spread)
    work.each(biased)
    work.each(normalisations.normalisation)
    work.each(normalisations.grouped)
    work.each(normalisations.unit_length)
    work.each(normalisations.response)
    functions(work)
    return [
        replace(operation, kind=None, why=operation.why or "") if operation.kind in PIECES else operation
        for operation in work.all()
    ]


def spread(work: Work, number: int, last: Operation) -> bool:
    """A value that is spread over the shape of another, with which it is joined: joining spreads it anyway."""
    changed = False
    for place, name in enumerate(last.inputs):
        before = work.made_by(name, "expand") if last.kind in FUNCTIONS and len(last.inputs) > 1 else None
        others = [work.shapes.get(other) for other in last.inputs if other != name]
        if before is None or work.shapes.get(name) not in others:
            continue
        inputs = list(last.inputs)
        inputs[place] = before.inputs[0]
        last = replace(last, inputs=tuple(inputs))
        work.operations[number] = last
        work.look()
        if not work.uses.takers.get(name) and name not in work.outputs:
            work.operations[work.uses.maker[name]] = None
            work.look()
        changed = True
    return changed


def biased(work: Work, number: int, last: Operation) -> bool:
    """A dense layer without a bias, and a constant for each of its units added behind it."""
    parts = work.split(last) if last.kind == "add" else None
    before = work.made_by(parts[0], "dense") if parts is not None else None
    if parts is None or before is None or before.fields.get("bias") or not work.inner([before, last], last):
        return False
    tensor, units = work.constants[parts[1]], before.fields["units"]
    if tensor.shape[-1:] != (units,) or prod(tensor.shape) != units:
        return False
    arrays = {**before.arrays, "bias": tensor.shaped((units,))}
    layer = in_place(last, "dense", before.inputs, {**before.fields, "bias": True}, arrays)
    work.put(last, [before, last], replace(layer, said=before.said, name=before.name, scope=before.scope))
    return True
