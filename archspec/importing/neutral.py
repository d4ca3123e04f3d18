"""Neutral operations: those that no kind has the name of become layers, or parts of the layers before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.draft import CannotError, Entry, Flow
from archspec.importing.operations import Operation
from archspec.importing.values import Values
from archspec.importing.views import permuted, reshaped
from archspec.weights.tensors import Tensor

EPSILON = 1e-5
BIASED = ("conv", "depthwise_conv", "transposed_conv", "dense")
MAX_CONSTANT = 2**22
"""Numbers of a constant that is computed of smaller ones."""
ARITHMETIC = ("add", "subtract", "multiply", "divide", "power")

Handler = Callable[[Values, Operation], None]


def is_neutral(values: Values, operation: Operation) -> bool:
    """Whether an operation is a neutral one and no kind of that name."""
    kind = operation.kind
    if kind in ARITHMETIC:
        return kind in ("divide", "power") or any(name in values.constants for name in operation.inputs)
    if kind == "pad":
        return "pad" in operation.fields
    if kind == "slice":
        return "ranges" in operation.fields
    return kind in HANDLERS


def handle(values: Values, operation: Operation) -> None:
    """Takes a neutral operation in. Raises `CannotError`."""
    kind = operation.kind
    assert kind is not None
    if not operation.inputs:
        raise CannotError("takes nothing")
    if all(name in values.constants for name in operation.inputs):
        _of_constants(values, operation)
        return
    flow = values.flow(_value(values, operation))
    if values.type_of(flow) is None:
        if kind == "flatten":
            values.give(operation, values.draft.add("flatten", {}, [flow.source], operation), flow.last)
            return
        raise CannotError("takes something that is not known behind what was not imported")
    HANDLERS[kind](values, operation)


def _value(values: Values, operation: Operation) -> str:
    return next(name for name in operation.inputs if name not in values.constants)


def _of_constants(values: Values, operation: Operation) -> None:
    fields = operation.fields
    arrays = [values.constant(name) for name in operation.inputs]
    functions: dict[str, Callable[..., np.ndarray]] = {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "divide": np.divide,
        "power": np.power,
        "matmul": np.matmul,
    }
    first = arrays[0]
    if operation.kind in functions and len(arrays) == 2:
        one, other = (array.shape for array in arrays)
        product = operation.kind == "matmul"
        rest = np.broadcast_shapes(one[:-2], other[:-2]) if product else np.broadcast_shapes(one, other)
        size = prod((*rest, *one[-2:-1], *other[-1:])) if product else prod(rest)
        if size > max(MAX_CONSTANT, *(array.size for array in arrays)):
            raise CannotError(f"makes a constant of {count(size, 'number')}")
        result = functions[operation.kind](*arrays)
    elif operation.kind == "transpose":
        result = first.transpose(fields["axes"])
    elif operation.kind == "reshape":
        own = [first.shape[place] if size == 0 else size for place, size in enumerate(fields["shape"])]
        result = first.reshape(own)
    elif operation.kind == "squeeze":
        result = first.squeeze(tuple(fields["axes"]))
    elif operation.kind == "unsqueeze":
        result = np.expand_dims(first, tuple(fields["axes"]))
    else:
        raise CannotError("of constants alone")
    values.constants[operation.outputs[0]] = Tensor.of(np.asarray(result))


def _transpose(values: Values, operation: Operation) -> None:
    shape = values.shape(values.flow(operation.inputs[0]))
    values.step(operation, "transpose", permuted(tuple(operation.fields["axes"]), len(shape)))


def _reshape(values: Values, operation: Operation) -> None:
    shape = values.shape(values.flow(operation.inputs[0]))
    values.step(operation, "reshape", reshaped(shape, tuple(operation.fields["shape"])))


def _flatten(values: Values, operation: Operation) -> None:
    values.step(operation, "reshape", (prod(values.shape(values.flow(operation.inputs[0]))),))


def _axes(operation: Operation, rank: int) -> set[int]:
    """Axes counted with the batch's, none below 0."""
    return {axis + rank if axis < 0 else axis for axis in operation.fields["axes"]}


def _squeeze(values: Values, operation: Operation) -> None:
    shape = values.shape(values.flow(operation.inputs[0]))
    axes = _axes(operation, len(shape) + 1)
    if 0 in axes or any(axis > len(shape) or shape[axis - 1] != 1 for axis in axes):
        raise CannotError(f"takes away axes {sorted(axes)} of {[-1, *shape]}, not all of them of one element")
    kept = tuple(size for place, size in enumerate(shape) if place + 1 not in axes)
    values.step(operation, "reshape", kept or (1,))


def _unsqueeze(values: Values, operation: Operation) -> None:
    shape = values.shape(values.flow(operation.inputs[0]))
    axes = _axes(operation, len(shape) + 1 + len(operation.fields["axes"]))
    if 0 in axes:
        raise CannotError("puts an axis before the batch's")
    rest = iter(shape)
    new = [1 if place in axes else next(rest, 1) for place in range(1, len(shape) + 1 + len(axes))]
    values.step(operation, "reshape", tuple(new))


def _add(values: Values, operation: Operation) -> None:
    name, flow, array, swapped = _with_constant(values, operation)
    if operation.kind == "subtract":
        if swapped:
            flow = Flow(values.draft.add("scale", {"factor": -1.0}, [flow.source], operation), flow.last)
            name = ""
        else:
            array = -array
    maker = values.maker(name)
    numbers = values.along_channels(array, flow)
    kind = values.type_of(flow)
    assert kind is not None
    if not numbers.any():
        values.draft.said["{additions} of zeros are left out"] += 1
        values.give(operation, flow.source, flow.last)
        return
    bias = np.broadcast_to(numbers, (kind.channels,)).astype(np.float32)
    if maker is not None and maker.kind in BIASED and maker.fields.get("bias") is False:
        _grow(maker, {"bias": True}, {"bias": Tensor.of(bias)}, values)
        values.draft.said["{constants} added behind convolutions and dense layers are their biases"] += 1
        values.give(operation, flow.source, flow.last)
        return
    statistics = {
        "mean": Tensor.of(np.zeros(kind.channels, np.float32)),
        "var": Tensor.of(np.full(kind.channels, 1 - EPSILON, np.float32)),
    }
    values.draft.said["{factors and summands} of channels are a batch_norm with mean 0 and variance 1 − epsilon"] += 1
    if maker is not None and maker.kind == "layer_scale":
        maker.kind, maker.fields = "batch_norm", {}
        _grow(maker, {}, {**statistics, "bias": Tensor.of(bias)}, values)
        values.give(operation, flow.source, flow.last)
        return
    arrays = {**statistics, "bias": Tensor.of(bias)}
    source = values.draft.add("batch_norm", {"scale": False}, [flow.source], operation, arrays=arrays)
    values.give(operation, source, flow.last)


def _grow(entry: Entry, fields: Mapping[str, Any], arrays: Mapping[str, Tensor], values: Values) -> None:
    """Gives a layer that is there other fields and more arrays."""
    from archspec.importing.draft import layer_of

    entry.fields = {**entry.fields, **fields}
    entry.arrays = {**entry.arrays, **arrays}
    entry.layer = layer_of(entry.kind, {**entry.fields, **dict.fromkeys(entry.references, "x")})


def _multiply(values: Values, operation: Operation) -> None:
    _, flow, array, swapped = _with_constant(values, operation)
    if operation.kind == "divide":
        if swapped:
            raise CannotError("divides by a value")
        if not array.all():
            raise CannotError("divides by 0")
        array = 1 / array.astype(np.float64)
    numbers = values.along_channels(array, flow).astype(np.float32)
    kind = values.type_of(flow)
    assert kind is not None
    if (numbers == 1).all():
        values.draft.said["{multiplications} by 1 are left out"] += 1
        values.give(operation, flow.source, flow.last)
        return
    # As many numbers as channels are factors that may be trained, though they begin alike.
    if numbers.ndim == 0:
        fields = {"factor": float(numbers.flat[0])}
        source = values.draft.add("scale", fields, [flow.source], operation)
    else:
        arrays = {"scale": Tensor.of(numbers)}
        source = values.draft.add("layer_scale", {"initial": 1.0}, [flow.source], operation, arrays=arrays)
    values.give(operation, source, flow.last)


def _power(values: Values, operation: Operation) -> None:
    _, flow, array, swapped = _with_constant(values, operation)
    if swapped or array.size != 1 or float(array.flat[0]) not in (1.0, 2.0):
        raise CannotError("to a power other than 1 and 2")
    source = flow.source
    if float(array.flat[0]) == 2.0:
        source = values.draft.add("multiply", {}, [flow.source, flow.source], operation)
    values.give(operation, source, flow.last)


def _divide(values: Values, operation: Operation) -> None:
    if not any(name in values.constants for name in operation.inputs):
        raise CannotError("divides a value by another")
    _multiply(values, operation)


def _with_constant(values: Values, operation: Operation) -> tuple[str, Flow, np.ndarray, bool]:
    """The value's name, the value, the constant, and whether the constant comes first."""
    if len(operation.inputs) != 2:
        raise CannotError(f"takes {count(len(operation.inputs), 'input')}, constants among them")
    first, second = operation.inputs
    swapped = first in values.constants
    name, constant = (second, first) if swapped else (first, second)
    if constant not in values.constants:
        raise CannotError("of two values")
    return name, values.made(name, operation), values.constant(constant), swapped


def _matmul(values: Values, operation: Operation) -> None:
    first, second = operation.inputs
    if second not in values.constants or first in values.constants:
        raise CannotError("multiplies matrices that are no weights")
    tensor = values.constants[second]
    if len(tensor.shape) != 2:
        raise CannotError(f"takes weights of the shape {list(tensor.shape)}")
    flow = values.made(first, operation)
    kind = values.type_of(flow)
    assert kind is not None
    inner, units = tensor.shape
    if kind.is_vector:
        ours = flow.last
        kernel = tensor if ours else tensor.changed((units, inner), np.transpose)
        fields: dict[str, Any] = {"units": units, "bias": False}
        source = values.draft.add("dense", fields, [flow.source], operation, arrays={"kernel": kernel}, ours=ours)
        values.give(operation, source, values.draft.last)
        return
    if not flow.last:
        raise CannotError("runs over columns instead of channels")
    shape = (1,) * len(kind.spatial) + (inner, units)
    kernel = tensor.shaped(shape)
    fields = {"filters": units, "kernel": 1, "bias": False}
    source = values.draft.add("conv", fields, [flow.source], operation, arrays={"kernel": kernel}, ours=True)
    values.draft.said["{dense layers} at each place of a map are 1×1 convolutions"] += 1
    values.give(operation, source, True)


def _mean(values: Values, operation: Operation) -> None:
    flow = values.made(operation.inputs[0], operation)
    kind = values.type_of(flow)
    assert kind is not None
    rank = len(kind.shape) + 1
    places = set(range(1, rank - 1)) if flow.last else set(range(2, rank))
    axes = _axes(operation, rank)
    if axes != places or kind.is_vector:
        raise CannotError(f"over the axes {sorted(axes)}; those of all places are {sorted(places)}")
    keep = bool(operation.fields.get("keep", False))
    source = values.draft.add("global_avg_pool", {"keep_dims": True} if keep else {}, [flow.source], operation)
    if operation.kind == "sum":
        source = values.draft.add("scale", {"factor": float(prod(kind.spatial))}, [source], operation)
    values.give(operation, source, flow.last if keep else values.draft.last)


def _clip(values: Values, operation: Operation) -> None:
    flow = values.made(operation.inputs[0], operation)
    low, high = operation.fields.get("low"), operation.fields.get("high")
    if low is None and high is None:
        values.give(operation, flow.source, flow.last)
        return
    kinds: dict[tuple[Any, Any], str] = {(0.0, 6.0): "relu6", (0.0, None): "relu"}
    kind = kinds.get((low, high))
    if kind is None:
        raise CannotError(f"to {low} … {high}; there are relu6 and relu")
    values.give(operation, values.draft.add(kind, {}, [flow.source], operation), flow.last)


def _pad(values: Values, operation: Operation) -> None:
    flow = values.made(operation.inputs[0], operation)
    kind = values.type_of(flow)
    assert kind is not None
    sides = [tuple(side) for side in operation.fields["pad"]]
    if len(sides) != len(kind.shape) + 1:
        raise CannotError(f"has sides for {count(len(sides), 'axis')} of {len(kind.shape) + 1}")
    batch, *rest = sides
    *places, channels = rest if flow.last else [*rest[1:], rest[0]]
    if any(batch):
        raise CannotError("of the batch's axis")
    if any(number < 0 for side in sides for number in side):
        raise CannotError("below 0")
    source = flow.source
    mode, value = operation.fields.get("mode", "constant"), float(operation.fields.get("value", 0.0))
    if any(channels):
        if channels[0] or mode != "constant" or value:
            raise CannotError("of channels, not with zeros behind them")
        source = values.draft.add("pad_channels", {"channels": kind.channels + channels[1]}, [source], operation)
    if any(map(any, places)):
        fields: dict[str, Any] = {"sides": [list(side) for side in places]}
        fields |= {"mode": mode} if mode != "constant" else {"value": value} if value else {}
        source = values.draft.add("pad", fields, [source], operation)
    values.give(operation, source, flow.last)


def _slice(values: Values, operation: Operation) -> None:
    flow = values.made(operation.inputs[0], operation)
    kind = values.type_of(flow)
    assert kind is not None
    ranges = list(operation.fields["ranges"])
    if len(ranges) != len(kind.shape) + 1 or ranges[0] is not None:
        raise CannotError("of the batch's axis, or of axes that there are not")
    *places, channels = ranges[1:] if flow.last else [*ranges[2:], ranges[1]]
    names = ("rows", "columns") if kind.is_map else ("length",)
    fields = {name: list(own) for name, own in zip(names, places, strict=False) if own is not None}
    if channels is not None:
        fields["channels"] = list(channels)
    source = values.draft.add("slice", fields, [flow.source], operation) if fields else flow.source
    values.give(operation, source, flow.last)


HANDLERS: dict[str, Handler] = {
    "transpose": _transpose,
    "reshape": _reshape,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "pad": _pad,
    "matmul": _matmul,
    "add": _add,
    "subtract": _add,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "mean": _mean,
    "sum": _mean,
    "clip": _clip,
    "slice": _slice,
}
