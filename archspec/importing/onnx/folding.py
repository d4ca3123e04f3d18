"""Operators on constants alone, computed in NumPy: shapes that a graph takes apart and puts together, and factors.

What is large, such as a kernel that is turned, is computed when its numbers are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.onnx.context import MAX_FOLDED, Context, loaded, tensor_from
from archspec.importing.onnx.model import Node
from archspec.importing.onnx.tensors import TYPES
from archspec.importing.operations import NotHere, Shape
from archspec.weights.tensors import Tensor

Fold = Callable[[list[np.ndarray], Mapping[str, Any], int], np.ndarray]


def folded(context: Context, node: Node) -> bool:
    """Computes a node whose inputs are all constants, and says whether it did."""
    if node.op == "Shape":
        shape = context.known[node.inputs[0]].shape
        if shape is None:
            return False
        start, end = node.attributes.get("start", 0), node.attributes.get("end", len(shape))
        context.hold(node.outputs[0], tensor_from(np.array(shape[start:end], np.int64)))
        return True
    if node.op == "Size":
        shape = context.known[node.inputs[0]].shape
        if shape is None:
            return False
        context.hold(node.outputs[0], tensor_from(np.array(prod(shape), np.int64)))
        return True
    tensors = [context.known[name].tensor for name in node.inputs if name]
    if any(tensor is None for tensor in tensors) or node.domain:
        return False
    given = [tensor for tensor in tensors if tensor is not None]
    if len(given) != len(node.inputs):
        return False
    if given and (later := _LATER.get(node.op)) is not None:
        rest = [loaded(tensor) for tensor in given[1:] if prod(tensor.shape) <= MAX_FOLDED]
        if len(rest) == len(given) - 1 and (made := later(given[0], rest, node.attributes)) is not None:
            context.hold(node.outputs[0], made)
            return True
    fold = _FOLDS.get(node.op)
    if fold is None or any(prod(tensor.shape) > MAX_FOLDED for tensor in given):
        return False
    arrays = [loaded(tensor) for tensor in given]
    try:
        if node.op in _BROADCAST and prod(np.broadcast_shapes(*(array.shape for array in arrays))) > MAX_FOLDED:
            return False
        with np.errstate(all="ignore"):
            result = fold(arrays, node.attributes, context.model.opset)
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError, KeyError, MemoryError) as error:
        raise NotHere(f"its constants do not fit together ({error})") from None
    # Of what is spread over the batch one sample counts.
    if result.size // max((1, *result.shape[:1])) > MAX_FOLDED or (result.size > MAX_FOLDED and result.base is None):
        raise NotHere(f"it makes a constant of {count(result.size, 'number')}")
    context.hold(node.outputs[0], tensor_from(result))
    return True


# --- Of one constant, whatever its size ------------------------------------------------------------------------------


def _transposed(tensor: Tensor, rest: list[np.ndarray], attributes: Mapping[str, Any]) -> Tensor | None:
    axes = attributes.get("perm", list(range(len(tensor.shape)))[::-1])
    if sorted(axes) != list(range(len(tensor.shape))):
        return None
    return tensor.changed(tuple(tensor.shape[axis] for axis in axes), lambda x: x.transpose(axes))


def _reshaped(tensor: Tensor, rest: list[np.ndarray], attributes: Mapping[str, Any]) -> Tensor | None:
    wanted = rest[0].reshape(-1).tolist() if rest else attributes.get("shape")
    if wanted is None:
        return None
    shape = reshaped(tensor.shape, [int(size) for size in wanted], bool(attributes.get("allowzero", 0)))
    return tensor.shaped(shape)


def _squeezed(tensor: Tensor, rest: list[np.ndarray], attributes: Mapping[str, Any]) -> Tensor | None:
    axes = rest[0].reshape(-1).tolist() if rest else attributes.get("axes")
    every = [axis for axis, size in enumerate(tensor.shape) if size == 1]
    gone = {int(axis) % max(1, len(tensor.shape)) for axis in (every if axes is None else axes)}
    shape = tuple(size for axis, size in enumerate(tensor.shape) if axis not in gone)
    return tensor.shaped(shape) if prod(shape) == prod(tensor.shape) else None


def _unsqueezed(tensor: Tensor, rest: list[np.ndarray], attributes: Mapping[str, Any]) -> Tensor | None:
    axes = rest[0].reshape(-1).tolist() if rest else attributes.get("axes", [])
    shape = unsqueezed(tensor.shape, [int(axis) for axis in axes])
    return tensor.shaped(shape)


def _same(tensor: Tensor, rest: list[np.ndarray], attributes: Mapping[str, Any]) -> Tensor:
    return tensor


def _flattened(tensor: Tensor, rest: list[np.ndarray], attributes: Mapping[str, Any]) -> Tensor:
    axis = attributes.get("axis", 1) % (len(tensor.shape) + 1)
    shape = (prod(tensor.shape[:axis]), prod(tensor.shape[axis:]))
    return tensor.shaped(shape)


def _cast(tensor: Tensor, rest: list[np.ndarray], attributes: Mapping[str, Any]) -> Tensor | None:
    dtype = TYPES.get(attributes.get("to", 0))
    return None if dtype is None else Tensor(tensor.shape, dtype.name, lambda: tensor.load().astype(dtype))


_LATER: dict[str, Callable[[Tensor, list[np.ndarray], Mapping[str, Any]], Tensor | None]] = {
    "Transpose": _transposed,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    "Identity": _same,
    "Flatten": _flattened,
    "Cast": _cast,
}


def reshaped(shape: Shape, wanted: list[int], allow_zero: bool) -> Shape:
    """The shape that `Reshape` gives. Raises `NotHere` where the numbers do not fit."""
    sizes = [
        shape[axis] if size == 0 and not allow_zero and axis < len(shape) else size for axis, size in enumerate(wanted)
    ]
    known = prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes) or known == 0:
        raise NotHere(f"its shape is {wanted[:16]}")
    if -1 in sizes:
        sizes[sizes.index(-1)] = prod(shape) // known
    if prod(sizes) != prod(shape):
        raise NotHere(f"{count(prod(shape), 'number')} cannot have the shape {wanted[:16]}")
    return tuple(sizes)


def unsqueezed(shape: Shape, axes: list[int]) -> Shape:
    """A shape with axes of one element more."""
    rank = len(shape) + len(axes)
    at = {axis % rank for axis in axes}
    if len(at) != len(axes) or any(not -rank <= axis < rank for axis in axes):
        raise NotHere(f"its axes are {axes[:16]}")
    rest = iter(shape)
    return tuple(1 if axis in at else next(rest) for axis in range(rank))


# --- Of small ones ---------------------------------------------------------------------------------------------------


def _gather(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    data, places = arrays
    axis = attributes.get("axis", 0)
    if data.size // max(1, data.shape[axis]) * places.size > MAX_FOLDED:
        raise ValueError("they are too many numbers")
    return np.take(data, places.astype(np.int64), axis=axis)


def _concat(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    if sum(array.size for array in arrays) > MAX_FOLDED:
        raise ValueError("they are too many numbers")
    return np.concatenate(arrays, attributes.get("axis", 1))


def _slice(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    data, *rest = arrays
    if rest:
        starts, ends, *more = ([int(value) for value in array.reshape(-1)] for array in rest)
    else:
        starts, ends, more = attributes["starts"], attributes["ends"], []
        more = [attributes["axes"]] if "axes" in attributes else []
    axes = more[0] if more else list(range(len(starts)))
    steps = more[1] if len(more) > 1 else [1] * len(starts)
    ranges = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # An end that lies before the first element, as a step back has it, is no end from behind.
        ranges[axis] = slice(start, None if end < -data.shape[axis] and step < 0 else end, step)
    return data[tuple(ranges)]


def _range(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    start, limit, step = (array.reshape(()) for array in arrays)
    if abs((float(limit) - float(start)) / float(step)) > MAX_FOLDED:
        raise ValueError("they are too many numbers")
    return np.asarray(np.arange(float(start), float(limit), float(step))).astype(start.dtype)


def _filled(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    value = loaded(attributes["value"]).reshape(-1)[0] if "value" in attributes else np.float32(0)
    # Not one number more is held than there is, however large it is to be.
    return np.asarray(np.broadcast_to(value, tuple(int(size) for size in arrays[0])))


def _expanded(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    shape = tuple(int(size) for size in arrays[1])
    return np.broadcast_to(arrays[0], np.broadcast_shapes(arrays[0].shape, shape))


def _tiled(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    if arrays[0].size * prod(int(value) for value in arrays[1]) > MAX_FOLDED:
        raise ValueError("they are too many numbers")
    return np.tile(arrays[0], arrays[1])


def _divided(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
    one, other = arrays
    if one.dtype.kind not in "iu":
        return np.asarray(one / other)
    # Whole numbers are cut off, towards 0.
    return np.asarray(np.sign(one) * np.sign(other) * (np.abs(one) // np.abs(other))).astype(one.dtype)


def _reduced(function: Callable[..., Any]) -> Fold:
    def fold(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
        axes = arrays[1].tolist() if len(arrays) > 1 else attributes.get("axes")
        if not axes and attributes.get("noop_with_empty_axes"):
            return arrays[0]
        keep = bool(attributes.get("keepdims", 1))
        return np.asarray(function(arrays[0], axis=None if axes is None else tuple(axes), keepdims=keep))

    return fold


def _elementwise(function: Callable[..., Any]) -> Fold:
    return lambda arrays, attributes, opset: np.asarray(function(*arrays))


def _many(function: Callable[..., Any]) -> Fold:
    def fold(arrays: list[np.ndarray], attributes: Mapping[str, Any], opset: int) -> np.ndarray:
        result = arrays[0]
        for array in arrays[1:]:
            result = function(result, array)
        return result

    return fold


_BROADCAST = {
    "Add": _many(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _many(np.multiply),
    "Div": _divided,
    "Pow": _elementwise(np.power),
    "Mod": _elementwise(np.mod),
    "Min": _many(np.minimum),
    "Max": _many(np.maximum),
    "Sum": _many(np.add),
    "Equal": _elementwise(np.equal),
    "Less": _elementwise(np.less),
    "Greater": _elementwise(np.greater),
    "LessOrEqual": _elementwise(np.less_equal),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "And": _elementwise(np.logical_and),
    "Or": _elementwise(np.logical_or),
    "Where": _elementwise(np.where),
}
_FOLDS: dict[str, Fold] = {
    **_BROADCAST,
    "Gather": _gather,
    "Concat": _concat,
    "Slice": _slice,
    "Range": _range,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Tile": _tiled,
    "Not": _elementwise(np.logical_not),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Floor": _elementwise(np.floor),
    "Ceil": _elementwise(np.ceil),
    "Round": _elementwise(np.round),
    "Sqrt": _elementwise(np.sqrt),
    "Exp": _elementwise(np.exp),
    "Log": _elementwise(np.log),
    "Reciprocal": _elementwise(np.reciprocal),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceMean": _reduced(np.mean),
}
