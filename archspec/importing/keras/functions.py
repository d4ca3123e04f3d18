"""Operations of `keras.ops` on tensors, outside of layers: `keras.ops.relu(x)` or `x * 2` in a model's code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from archspec.importing.keras.activations import PLAIN
from archspec.importing.keras.making import Handler, Making, NoneSuchError


def _arithmetic(kind: str) -> Handler:
    def arithmetic(making: Making) -> None:
        if len(making.inputs) == 2 and kind in ("add", "subtract", "multiply"):
            making.emit(kind)
            return
        given = [value for value in making.arguments if isinstance(value, (int, float))]
        numbers = [value for value in given if not isinstance(value, bool) and math.isfinite(value)]
        if len(making.inputs) != 1 or len(numbers) != 1 or len(making.arguments) != 2:
            raise NoneSuchError("takes other things than a value and a number")
        constant = making.constant(np.asarray(numbers[0], np.float64))
        value_first = making.arguments[0] is None
        making.emit(kind, values=(making.values[0], constant) if value_first else (constant, making.values[0]))

    return arithmetic


def _function(kind: str, fields: dict[str, Any]) -> Handler:
    """A function of one value, whose arguments the description has."""

    def function(making: Making) -> None:
        own = dict(fields)
        if kind in ("softmax", "log_softmax"):
            axis = making.get("axis", default=-1)
            if type(axis) is not int:
                raise NoneSuchError(f"runs along {str(axis)[:60]}")
            own["axis"] = axis
        elif kind == "gelu":
            own = {"approximate": True} if making.get("approximate", default=True) else {}
        elif kind == "leaky_relu":
            own = {"slope": making.real("negative_slope", default=0.2)}
        elif kind == "elu":
            own = {"alpha": making.real("alpha", default=1.0)}
        if any(value is not None for value in making.arguments):
            raise NoneSuchError("is called with other things than tensors")
        making.emit(kind, own)

    return function


def _pad(making: Making) -> None:
    sides = making.get("pad_width")
    mode = {"constant": "constant", "reflect": "reflect", "edge": "edge"}.get(
        str(making.get("mode", default="constant"))
    )
    if mode is None or not isinstance(sides, list):
        raise NoneSuchError(f"pads by {str(making.get('mode'))[:60]}")
    value = next((item for item in making.arguments if item is not None), 0.0)
    if value == -math.inf and mode == "constant":
        # What never wins a maximum is the padding of the max_pool that takes it.
        padded = making.network.value()
        making.network.least[padded] = (making.values[0], [list(map(int, side)) for side in sides])
        making.values = (padded,)
        return
    making.emit("pad", {"pad": [tuple(side) for side in sides], "mode": mode, "value": float(value)})


def _concatenate(making: Making) -> None:
    making.emit("concat", {"axis": making.whole("axis", default=-1)})


def _reshape(making: Making) -> None:
    shape = making.get("newshape")
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise NoneSuchError(f"has the shape {str(shape)[:60]}")
    making.emit("reshape", {"shape": tuple(shape)})
    making.rank = len(shape)


def _transpose(making: Making) -> None:
    axes = making.get("axes")
    if not isinstance(axes, list):
        raise NoneSuchError("turns all axes round, the batch's among them")
    making.emit("transpose", {"axes": tuple(int(axis) % making.rank for axis in axes)})


def _swap(making: Making) -> None:
    axes = list(range(making.rank))
    first, second = making.whole("axis1") % making.rank, making.whole("axis2") % making.rank
    axes[first], axes[second] = axes[second], axes[first]
    making.emit("transpose", {"axes": tuple(axes)})


def _mean(making: Making) -> None:
    axis = making.get("axis")
    axes = axis if isinstance(axis, list) else [axis]
    if not all(type(number) is int for number in axes):
        raise NoneSuchError("is the mean of everything, the batch among it")
    keep = bool(making.get("keepdims", default=False))
    making.emit("mean", {"axes": tuple(axes), "keep": keep})
    making.rank -= 0 if keep else len(axes)


def _square(making: Making) -> None:
    making.emit("power", values=(making.values[0], making.constant(np.asarray(2.0))))


def _part(making: Making) -> None:
    """`x[..., 0:64]`: a slice for each axis, those that an ellipsis stands for whole."""
    items = [item for item in making.arguments if item is not None]
    if not all(isinstance(item, dict) for item in items):
        raise NoneSuchError("takes single places of an axis")
    words = [item.get("class_name") for item in items]
    if any(word not in ("__slice__", "__ellipsis__") for word in words) or words.count("__ellipsis__") > 1:
        raise NoneSuchError("takes other things than slices")
    at = words.index("__ellipsis__") if "__ellipsis__" in words else len(words)
    left = making.rank - (len(words) - words.count("__ellipsis__"))
    ranges = [_range(item) for item in items[:at]] + [None] * left + [_range(item) for item in items[at + 1 :]]
    making.emit("slice", {"ranges": ranges})


def _range(item: dict[str, Any]) -> list[int] | None:
    config = item["config"]
    start, stop, step = config.get("start"), config.get("stop"), config.get("step")
    if start in (None, 0) and stop is None and step in (None, 1):
        return None
    if not all(value is None or type(value) is int for value in (start, stop, step)) or stop is None:
        raise NoneSuchError("takes a slice without an end")
    return [start or 0, stop, step or 1]


def _join(kind: str) -> Handler:
    def join(making: Making) -> None:
        if any(value is not None for value in making.arguments):
            raise NoneSuchError("is called with other things than tensors")
        making.emit(kind)

    return join


def _word(name: str) -> str:
    """`log_softmax` as the class of the operation, `LogSoftmax`."""
    return "".join(part.capitalize() for part in name.split("_"))


OPERATIONS: dict[str, Handler] = {
    **{_word(name): _function(kind, fields) for name, (kind, fields) in PLAIN.items()},
    "HardSigmoid": _function("hard_sigmoid", {}),
    **{name: _arithmetic(kind) for name, kind in (("Add", "add"), ("Subtract", "subtract"), ("Multiply", "multiply"))},
    **{name: _arithmetic("divide") for name in ("TrueDivide", "Divide")},
    "Maximum": _join("maximum"),
    "Pad": _pad,
    "Concatenate": _concatenate,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Swapaxes": _swap,
    "Mean": _mean,
    "Square": _square,
    "GetItem": _part,
}
"""What each becomes, by the name of its class."""
