"""Reshapes and transpositions of a file, as layers of ours: what they do to the places of numbers decides.

A chain of them is applied to an array of indices, and the layer that puts the indices into the same places is the one.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import count
from archspec.importing.draft import CannotError, Flow
from archspec.types import TensorType

MAX_SIZE = 2**26
"""Numbers of a value whose places are looked at: 512 MiB of indices."""


class Made(NamedTuple):
    """The layers that do the same, as kinds with fields, and whether the file has the channels last behind them."""

    layers: tuple[tuple[str, dict[str, Any]], ...]
    last: bool


def shape_in_file(kind: TensorType, flow: Flow) -> tuple[int, ...]:
    """The shape that a value has in the file, without the batch's axis."""
    shape = kind.shape if flow.last else (kind.shape[-1], *kind.shape[:-1])
    for step, numbers in flow.steps:
        shape = numbers if step == "reshape" else tuple(shape[place] for place in numbers)
    return shape


def reshaped(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without the batch's axis that a file's reshape gives. Raises `CannotError` where samples would mix.

    0 keeps an axis, −1 is what is left.
    """
    if not wanted:
        raise CannotError("makes a number of all samples")
    before = (0, *shape)
    sizes = [before[place] if size == 0 and 0 < place < len(before) else size for place, size in enumerate(wanted)]
    own, size = sizes[1:], prod(shape)
    if any(number < -1 for number in own) or own.count(-1) > 1:
        raise CannotError(f"has the shape {list(wanted)}")
    if -1 in own:
        rest = prod(number for number in own if number != -1)
        if rest <= 0 or size % rest:
            raise CannotError(f"makes {list(wanted)} of {count(size, 'number')}")
        own[own.index(-1)] = size // rest
    if prod(own) != size:
        raise CannotError(f"makes {list(wanted)} of {count(size, 'number')} of each sample, so samples would mix")
    return tuple(own) or (size,)


def permuted(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """A permutation without the batch's axis. Raises `CannotError` where that one moves, or it is none."""
    axes = tuple(axis + rank + 1 if axis < 0 else axis for axis in axes)
    if sorted(axes) != list(range(rank + 1)):
        raise CannotError(f"is no permutation of {count(rank + 1, 'axis')}: {list(axes)}")
    if axes[0] != 0:
        raise CannotError("moves the batch's axis")
    return tuple(axis - 1 for axis in axes[1:])


def simplified(flow: Flow, kind: TensorType) -> Flow:
    """The same with the chain gone where it is a mere change of the order of axes."""
    steps = flow.steps
    if len(steps) == 1 and steps[0][0] == "transpose" and len(kind.shape) == len(steps[0][1]):
        rank = len(kind.shape)
        to_last, to_first = (*range(1, rank), 0), (rank - 1, *range(rank - 1))
        if steps[0][1] == (to_first if flow.last else to_last) and rank > 1:
            return Flow(flow.source, not flow.last)
    return flow


def made_of(flow: Flow, kind: TensorType, *, usual: bool) -> Made:
    """The layers that a chain of reshapes and transpositions is; `usual` says whether the file has channels last.

    Raises `CannotError` where there are none.
    """
    if flow.steps == (("reshape", (kind.size,)),) and not kind.is_vector:
        return Made((("flatten", {}),), flow.last)
    if kind.size > MAX_SIZE:
        raise CannotError(f"reorders {count(kind.size, 'number')}, which is too many to look at")
    ours = np.arange(kind.size, dtype=np.int64).reshape(kind.shape)
    file = ours if flow.last else np.moveaxis(ours, -1, 0)
    for step, numbers in flow.steps:
        file = file.reshape(numbers) if step == "reshape" else file.transpose(numbers)
    if file.ndim == 1:
        return _vector(file, ours, kind, usual)
    if file.ndim > 3:
        raise CannotError(f"makes something of {count(file.ndim, 'axis')} beside the batch's")
    for last in (usual, not usual):
        found = _map(file if last else np.moveaxis(file, 0, -1), ours, kind)
        if found is not None:
            return Made(found, last)
    raise CannotError("moves axes as no layer here does")


def _vector(file: np.ndarray, ours: np.ndarray, kind: TensorType, usual: bool) -> Made:
    layers: tuple[tuple[str, dict[str, Any]], ...] = () if kind.is_vector else (("flatten", {}),)
    first = np.moveaxis(ours, -1, 0)
    for last in (usual, not usual):
        if np.array_equal(file, (ours if last else first).ravel()):
            return Made(layers, last)
    if kind.is_map and file.size == ours.size:
        # Channels that were shuffled before, as some converters write both at once.
        before = file.reshape(ours.shape) if usual else np.moveaxis(file.reshape(first.shape), 0, -1)
        found = _shuffled(before, ours)
        if found is not None:
            return Made((*found, *layers), usual)
    raise CannotError("reorders numbers on their way to a vector as no layer here does")


def _map(wanted: np.ndarray, ours: np.ndarray, kind: TensorType) -> tuple[tuple[str, dict[str, Any]], ...] | None:
    """The layers that make an array, with channels last, of another."""
    shape = wanted.shape
    if shape == ours.shape and np.array_equal(wanted, ours):
        return ()
    if shape == ours.shape:
        return _shuffled(wanted, ours)
    if kind.is_map and wanted.ndim == 3:
        found = _blocks(wanted, ours)
        if found is not None:
            return found
    for order, array in (("channels_last", ours), ("channels_first", np.moveaxis(ours, -1, 0))):
        if order == "channels_first":
            made = np.moveaxis(array.reshape(shape[-1], *shape[:-1]), 0, -1)
        else:
            made = array.reshape(shape)
        if np.array_equal(made, wanted):
            fields: dict[str, Any] = {"shape": list(shape)}
            if order == "channels_first" and not (kind.is_vector and set(shape[:-1]) == {1}):
                fields["order"] = order
            return (("reshape", fields),)
    return None


def _shuffled(wanted: np.ndarray, ours: np.ndarray) -> tuple[tuple[str, dict[str, Any]], ...] | None:
    channels = ours.shape[-1]
    row = wanted.reshape(-1, channels)[0]
    if channels < 2 or row[1] % channels == 0:
        return None
    groups = channels // int(row[1])
    if groups < 2 or channels % groups:
        return None
    made = ours.reshape(*ours.shape[:-1], groups, channels // groups).swapaxes(-1, -2).reshape(ours.shape)
    return (("channel_shuffle", {"groups": groups}),) if np.array_equal(made, wanted) else None


def _blocks(wanted: np.ndarray, ours: np.ndarray) -> tuple[tuple[str, dict[str, Any]], ...] | None:
    (height, width, channels), (rows, columns, outer) = ours.shape, wanted.shape
    larger = rows > height
    block = rows // height if larger else height // max(1, rows)
    if block < 2 or (channels if larger else outer) % block**2:
        return None
    whole = (height * block, width * block) == (rows, columns)
    parts = (height, width) == (rows * block, columns * block)
    if not (whole if larger else parts):
        return None
    for order in ("pytorch", "tensorflow"):
        if larger:
            inner = (outer, block, block) if order == "pytorch" else (block, block, outer)
            axes = (0, 3, 1, 4, 2) if order == "pytorch" else (0, 2, 1, 3, 4)
            made = ours.reshape(height, width, *inner).transpose(axes).reshape(wanted.shape)
        else:
            axes = (0, 2, 4, 1, 3) if order == "pytorch" else (0, 2, 1, 3, 4)
            made = ours.reshape(rows, block, columns, block, channels).transpose(axes).reshape(wanted.shape)
        if np.array_equal(made, wanted):
            kind = "depth_to_space" if larger else "space_to_depth"
            fields: dict[str, Any] = {"block": block}
            return ((kind, fields if order == "pytorch" else {**fields, "order": order}),)
    return None
