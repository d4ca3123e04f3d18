"""The kernels of the layer that looks at the input first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from archspec.graph import Graph, is_input

SLIDING = ("HWIO", "LIO")
"""Axes of kernels that are moved over an image or a signal."""


class Filters(NamedTuple):
    """The kernels of the node at `path`, (filters, height, width, channels), or (filters, length, channels)."""

    path: str
    kernels: np.ndarray


def first_filters(graph: Graph, arrays: Mapping[str, jax.Array]) -> Filters | None:
    """The filters of the first layer that moves kernels over an input itself; None where there is none.

    What layers without arrays do to the input before it, such as a border or a change of size, does not matter.
    """
    plain: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if not all(is_input(source) or source in plain for source in node.inputs):
            continue
        sliding = next((weight for weight in node.arrays if weight.axes in SLIDING), None)
        if sliding is not None:
            return Filters(node.path, np.moveaxis(np.asarray(arrays[f"{node.owner}.{sliding.name}"]), -1, 0))
        if not node.arrays:
            plain.add(index)
    return None
