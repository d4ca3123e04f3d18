"""What a model does to its images first, Rescaling and Normalization, as `range`, `mean` and `std` of `input`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archspec.importing.operations import Operation, Order, Value
from archspec.weights.tensors import Tensor

_STEPS = ("multiply", "add", "subtract", "divide")


def folded(
    inputs: Sequence[Value],
    operations: Sequence[Operation],
    constants: Mapping[str, Tensor],
    outputs: Sequence[str],
    order: Order,
) -> tuple[list[Value], list[Operation], list[str]]:
    """The program without the factors and summands that its images meet first, and what became of them.

    They are folded where the image goes nowhere else, and where each channel's factor is above 0: a file's pixels from
    0 to 255 are then brought by `input` to where the model brings them.
    """
    uses = Counter(name for operation in operations for name in operation.inputs)
    uses.update(outputs)
    left = list(operations)
    made: list[Value] = []
    notes: list[str] = []
    for value in inputs:
        channels = value.shape[0 if order == "channels_first" else -1]
        if len(value.shape) != 3 or channels not in (1, 3):
            made.append(value)
            continue
        factor, summand = np.ones(channels), np.zeros(channels)
        name, steps = value.name, 0
        while uses[name] == 1:
            index = next((at for at, item in enumerate(left) if name in item.inputs), None)
            if index is None or left[index].kind not in _STEPS or left[index].inputs[0] != name:
                break
            item = left[index]
            array = _numbers(constants.get(item.inputs[1]) if len(item.inputs) == 2 else None, channels)
            if array is None or item.outputs[0] in outputs:
                break
            kind = str(item.kind)
            factor, summand = _after(kind, factor, summand, array)
            name, steps = item.outputs[0], steps + 1
            left = [_taking(other, name, value.name) for at, other in enumerate(left) if at != index]
            uses[value.name] = uses[name]
            name = value.name
        if not steps or not (factor > 0).all() or value.name in outputs:
            if steps:
                return list(inputs), list(operations), []
            made.append(value)
            continue
        made.append(value._replace(image=_image(factor, summand)))
        notes.append(
            f"{steps} operation{'s' if steps > 1 else ''} that scale{'' if steps > 1 else 's'} the pixels of "
            f"`{value.name[:60]}`, from 0 … 255 in the file, {'are' if steps > 1 else 'is'} in `input` as range, mean "
            "and std"
        )
    return made, left, notes


def _numbers(tensor: Tensor | None, channels: int) -> np.ndarray | None:
    if tensor is None or tensor.fault is not None:
        return None
    array = np.asarray(tensor.load(), np.float64).reshape(-1)
    return array if array.size in (1, channels) and np.isfinite(array).all() else None


def _after(kind: str, factor: np.ndarray, summand: np.ndarray, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if kind in ("multiply", "divide"):
        own = array if kind == "multiply" else np.divide(1.0, array, out=np.zeros_like(array), where=array != 0)
        return factor * own, summand * own
    return factor, summand + (array if kind == "add" else -array)


def _taking(operation: Operation, old: str, new: str) -> Operation:
    if old not in operation.inputs:
        return operation
    return replace(operation, inputs=tuple(new if name == old else name for name in operation.inputs))


def _image(factor: np.ndarray, summand: np.ndarray) -> dict[str, Any]:
    """Fields of `input` for pixels·factor + summand, the pixels from 0 to 255."""
    if np.ptp(factor) == 0 and np.ptp(summand) == 0:
        low, high = float(summand[0]), float(255 * factor[0] + summand[0])
        return {"range": [_short(low), _short(high)]}
    std = 1 / (255 * factor)
    return {"range": [0, 1], "mean": [_short(float(n)) for n in -summand * std], "std": [_short(float(n)) for n in std]}


def _short(number: float) -> float:
    """The number as a person would have written it, where that is as near as float32 tells apart."""
    near = round(number, 6)
    return near if abs(near - number) <= 1e-7 * max(1.0, abs(number)) else number
