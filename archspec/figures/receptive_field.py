"""Receptive fields (Araujo et al. 2019, distill.pub)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from archspec.layers import Window
from archspec.types import TensorType


class ReceptiveField(NamedTuple):
    """What one output position depends on, per axis (height, width), in input pixels.

    `size` is the extent, `jump` the distance between neighbouring positions' fields, `start` the centre of the first
    position's field, pixel centres being at 0.5, 1.5, … Jumps are fractions after layers that enlarge their input.
    """

    size: tuple[int, int]
    jump: tuple[float, float]
    start: tuple[float, float]


POINT = ReceptiveField((1, 1), (1, 1), (0.5, 0.5))
"""The receptive field of the network's input."""


def receptive_field(
    window: Window | None, inputs: Sequence[ReceptiveField], types: Sequence[TensorType]
) -> ReceptiveField:
    """The field after a layer with this window: size += (F−1)·jump, jump ×= S; the maximum over its inputs."""
    sizes, jumps, starts = [], [], []
    for axis in (0, 1):
        fields = [_step(window, item, kind, axis) for item, kind in zip(inputs, types, strict=True)]
        size, start = max((field[0], field[2]) for field in fields)
        sizes.append(size)
        starts.append(start)
        jumps.append(max(field[1] for field in fields))
    return ReceptiveField((_pixels(sizes[0]), _pixels(sizes[1])), (jumps[0], jumps[1]), (starts[0], starts[1]))


def _pixels(size: float) -> int:
    """A part of a pixel counts as one."""
    return ceil(size - 1e-6)


def _whole(value: float) -> float:
    """A whole number without the traces of division."""
    nearest = round(value)
    return nearest if abs(value - nearest) < 1e-9 else value


def _step(window: Window | None, field: ReceptiveField, kind: TensorType, axis: int) -> tuple[float, float, float]:
    size, jump, start = field.size[axis], field.jump[axis], field.start[axis]
    if window is None:
        extent = kind.shape[axis] if kind.is_map else 1
        reach = (extent - 1) * jump
        return size + reach, jump, start + reach / 2
    kernel, stride, pad = window.kernel[axis], window.stride[axis], window.pad[axis]
    return size + (kernel - 1) * jump, _whole(jump * stride), start + ((kernel - 1) / 2 - pad) * jump
