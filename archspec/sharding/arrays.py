"""Which axis of each parameter is divided over `fsdp`, with its gradient and what the optimiser keeps of it."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.graph import Graph
from archspec.layers import Weight
from archspec.mesh import Mesh
from archspec.patterns import path_matches

LEAST = 1024
"""Arrays of fewer numbers stay whole: to gather them takes longer than what they would save is worth."""


def axes_of(graph: Graph, mesh: Mesh, chosen: Mapping[str, str] = {}) -> dict[str, int]:
    """The axis of each trainable array by its name, `conv1.kernel`, that is divided; others are not named.

    It is the largest that `fsdp` divides, the last of equal ones, or what the last pattern of `chosen` that names the
    array says: the letter of one of its `Weight.axes`, or `none`. Raises ValueError where such an axis is not there or
    cannot be divided.
    """
    found: dict[str, int] = {}
    for node in graph.nodes:
        for weight in node.weights:
            if weight.role == "statistics" or mesh.fsdp == 1:
                continue
            name = f"{node.owner}.{weight.name}"
            axis = _asked(name, weight, mesh.fsdp, chosen)
            if axis is not None:
                found[name] = axis
    return found


def _asked(name: str, weight: Weight, parts: int, chosen: Mapping[str, str]) -> int | None:
    own = [letter for pattern, letter in chosen.items() if path_matches(pattern, name)]
    if not own:
        if weight.size < LEAST:
            return None
        sizes = [(size, axis) for axis, size in enumerate(weight.shape) if size % parts == 0]
        return max(sizes)[1] if sizes else None
    if own[-1] == "none":
        return None
    places = [axis for axis, letter in enumerate(weight.axes) if letter == own[-1]]
    if not places:
        raise ValueError(f"{name} has the axes {weight.axes}, and none is {own[-1]}")
    if weight.shape[places[0]] % parts:
        raise ValueError(
            f"the axis {own[-1]} of {name} is {weight.shape[places[0]]} long, which {parts} does not divide"
        )
    return places[0]
