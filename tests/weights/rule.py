"""Tensors by a rule instead of a file, as the golden outputs were made with (tests/golden/README.md)."""

from __future__ import annotations

import lzma
from functools import cache
from math import prod, sqrt
from pathlib import Path
from zlib import crc32

import numpy as np


@cache
def recorded_names() -> dict[str, list[tuple[str, list[int]]]]:
    """Names and shapes of other libraries' tensors, by library/network, in order."""
    lines = lzma.decompress((Path(__file__).parent / "names.txt.xz").read_bytes()).decode().split("\n")
    return {
        network: [
            (name, [int(size) for size in shape.split("x") if size])
            for name, shape in zip(names.split(" "), shapes.split(" "), strict=True)
        ]
        for network, names, shapes in zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    }


def tensor(network: str, name: str, shape: list[int], gain: float = 1.0) -> np.ndarray:
    """The tensor that the rule gives for a network's name and a tensor's, kernels times a gain."""
    generator = np.random.default_rng(crc32(f"{network}/{name}".encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_mean"):
        found = 0.1 * generator.standard_normal(shape)
    elif name.endswith("running_var"):
        found = generator.uniform(0.5, 1.5, shape)
    elif name.endswith("bias"):
        found = 0.05 * generator.standard_normal(shape)
    elif len(shape) == 1:
        found = generator.uniform(0.5, 1.5, shape)
    else:
        found = generator.standard_normal(shape) * sqrt(2 / prod(shape[1:])) * gain
    return np.asarray(found, np.float32)


def tensors(library: str, network: str) -> dict[str, np.ndarray]:
    """All tensors of a network."""
    return {name: tensor(network, name, shape) for name, shape in recorded_names()[f"{library}/{network}"]}
