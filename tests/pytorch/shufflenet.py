"""A rule for every tensor of a network, such that numbers neither vanish nor grow on the way through it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tests.pytorch.cases import numbers

SIZE = (64, 48, 3)
"""Height, width and channels of the input."""


def tensor(name: str, shape: Sequence[int], number: int) -> np.ndarray:
    """A tensor by its name, its shape in PyTorch's layout and its place among all."""
    values = numbers(tuple(shape), 0.01 * number)
    if name.endswith("running_var"):
        return (1 + 0.2 * np.abs(values)).astype(np.float32)
    if len(shape) == 1:
        return (0.1 * values + (1 if name.endswith("weight") else 0)).astype(np.float32)
    return (values / np.sqrt(prod(shape[1:]))).astype(np.float32)
