"""The parts of samples that excite units most."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from archspec.figures.receptive_field import Seen, seen_by
from archspec.graph import INPUT
from archspec.inspecting.subject import Subject
from archspec.inspecting.target import node_at


class Exciting(NamedTuple):
    """A sample, by its number, in which a channel answers with `value` at a position, and what that sees of the first
    input: None where that is a vector."""

    sample: int
    value: float
    position: tuple[int, ...]
    seen: Seen | None


def exciting(
    subject: Subject,
    batches: Iterable[tuple[Sequence[int], Mapping[str, jax.Array]]],
    path: str,
    channels: Sequence[int],
    top: int = 9,
) -> dict[int, list[Exciting]]:
    """Of each channel the samples with its largest values, the largest first (Zeiler and Fergus 2014, figure 2).

    A sample counts once, at the position where the channel answers most; of equal values the first sample and position.
    `batches` have the samples' numbers and the network's inputs, which may be filled up with more.
    """
    node = node_at(subject.graph, path)
    index = subject.paths.index(path)
    found: dict[int, list[tuple[float, int, int]]] = {channel: [] for channel in channels}
    for numbers, x in batches:
        values = np.asarray(subject.values(x, [path])[path])[: len(numbers)]
        flat = values.reshape(len(values), -1, values.shape[-1])
        places = flat.argmax(1)
        for channel, kept in found.items():
            for row, number in enumerate(numbers):
                place = int(places[row, channel])
                item = (float(flat[row, place, channel]), -int(number), place)
                if len(kept) < top:
                    heapq.heappush(kept, item)
                else:
                    heapq.heappushpop(kept, item)
    spatial = node.output.spatial

    def of(value: float, number: int, place: int) -> Exciting:
        position = tuple(int(at) for at in np.unravel_index(place, spatial)) if spatial else ()
        return Exciting(-number, value, position, seen_by(subject.graph, index, position).get(INPUT))

    return {channel: [of(*item) for item in sorted(kept, reverse=True)] for channel, kept in found.items()}
