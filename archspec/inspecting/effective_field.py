"""The effective receptive field: how much each pixel has to do with one position of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from archspec.figures.receptive_field import Seen, seen_by
from archspec.graph import INPUT
from archspec.inspecting.subject import Subject

SHARE = 0.9545
"""Of the whole that a square around the centre holds, as ±2 standard deviations of a normal distribution do: Luo et al.
count pixels above 1 − this share of the largest."""


class Field(NamedTuple):
    """Of a position of the node at `path`.

    `map`, (height, width) or (length,), is the mean of |∂y/∂x| over samples and the sum over the input's channels.
    `theoretical` is the part of the input outside of which nothing can have to do with it.
    """

    path: str
    position: tuple[int, ...]
    map: np.ndarray
    theoretical: Seen

    @property
    def outside(self) -> float:
        """The share of the whole that lies outside of the theoretical field: 0, unless something is wrong."""
        outside = self.map.astype(np.float64)
        outside[tuple(slice(*ends) for ends in zip(self.theoretical.first, self.theoretical.end, strict=True))] = 0
        return float(outside.sum() / max(float(self.map.sum(dtype=np.float64)), 1e-300))

    @property
    def pixels(self) -> int:
        """Pixels above 4.55 % of the largest (Luo et al. 2016, section 4)."""
        return int((self.map > (1 - SHARE) * self.map.max()).sum()) if self.map.max() > 0 else 0


def effective_fields(subject: Subject, x: Mapping[str, jax.Array], paths: Sequence[str]) -> list[Field]:
    """The fields of the middle positions of maps, in the first input (Luo et al. 2016, "Understanding the effective
    receptive field in deep convolutional neural networks").

    Of each sample it is the field of one channel, the one that answers most there: channels that were added up could
    cancel out, and of a closed rectifier nothing comes back. One program is compiled for all nodes.
    """
    nodes = {node.path: (index, node) for index, node in enumerate(subject.graph.nodes)}
    name = subject.graph.inputs[0].name
    batch = len(x[name])
    asked: dict[str, Any] = {path: np.zeros((batch, *nodes[path][1].output.shape), np.float32) for path in paths}
    values = subject.pulled(x, asked).values
    found = []
    for path in paths:
        index, node = nodes[path]
        position = tuple(size // 2 for size in node.output.spatial)
        strongest = np.moveaxis(np.asarray(values[path]), 0, -1)[position].argmax(0)
        weights = np.zeros_like(asked[path])
        weights[(np.arange(batch), *position, strongest)] = 1
        gradient = np.asarray(subject.pulled(x, {**asked, path: weights}).inputs[name])
        seen = seen_by(subject.graph, index, position)[INPUT]
        found.append(Field(path, position, np.abs(gradient).mean(0).sum(-1), seen))
    return found
