"""Networks that archspec and PyTorch both look into; their arrays come from a rule, so the fixture has results only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tests.pytorch.cases import numbers

NETWORKS: dict[str, str] = {
    "plain": """
input: {height: 17, width: 15, channels: 3}
layers:
- conv: {name: c1, filters: 8, kernel: 3, pad: 1}
- relu: {name: r1}
- max_pool: {name: p1, window: 2, stride: 2}
- conv: {name: c2, filters: 12, kernel: 3}
- relu: {name: r2}
- flatten
- dense: {name: d1, units: 16}
- relu: {name: r3}
- dense: {name: d2, units: 5}
""",
    "residual": """
input: {height: 16, width: 18, channels: 2}
layers:
- conv: {name: c1, filters: 6, kernel: 3, pad: 1}
- batch_norm: {name: b1}
- relu: {name: r1}
- residual:
    name: unit
    shortcut: identity
    layers:
    - conv: {name: c2, filters: 6, kernel: 3, pad: 1}
    - batch_norm: {name: b2}
    - relu: {name: r2}
    - conv: {name: c3, filters: 6, kernel: 3, pad: 1}
- relu: {name: r3}
- global_avg_pool
- dense: {name: d1, units: 4}
""",
}
MAPS = {"plain": "r2", "residual": "r3"}
"""The layer of each whose map Grad-CAM is of."""
CLASSES = (1, 3)
"""Of the two samples."""
OCCLUDED, STRIDE = (5, 4), (3, 4)
NOISE = 3
"""Samples of SmoothGrad."""


def array(name: str, shape: tuple[int, ...], number: int) -> np.ndarray:
    """An array of a network by its name, in archspec's layout; `number` is its place among all, in order of names."""
    own = numbers(shape, 1.0 + number) / 2
    last = name.rsplit(".", 1)[-1]
    if last == "kernel":
        return np.asarray(own * np.sqrt(2 / np.prod(shape[:-1])), np.float32)
    return np.asarray({"var": 1 + 0.5 * own, "scale": 1 + 0.3 * own}.get(last, 0.2 * own), np.float32)


def arrays(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """All arrays of a network."""
    return {name: array(name, shapes[name], number) for number, name in enumerate(sorted(shapes))}


def images(shape: tuple[int, ...]) -> np.ndarray:
    """Two samples, (2, height, width, channels)."""
    return numbers((2, *shape), 0.5) / 2
