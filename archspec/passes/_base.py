"""What a pass finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from archspec.graph import Graph


class Group(NamedTuple):
    """Calls of a graph that is pruned to a mode, which run together in the place of the first of them.

    Whatever they take from outside the group is there before the first; what others take of them is there once the
    group has run.
    """

    how: str
    """The pass that found it, which names the function of `calling/` that runs it."""
    members: tuple[int, ...]
    """Indices of its nodes, in order."""
    inner: tuple[Group, ...] = ()
    """Groups of its members that run together within it."""
    path: str = ""
    """The block that it is, or begins with, where it is one."""
    rounds: int = 1
    """How many alike blocks its members make, one after the other; the inner groups are those of the second."""

    @property
    def first(self) -> int:
        return self.members[0]

    @property
    def last(self) -> int:
        return self.members[-1]


def consumers(graph: Graph) -> dict[int, list[int]]:
    """By index, the nodes that take a node's value or indices, each as often as it takes them; shapes are no values."""
    found: dict[int, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for source, port in zip(node.inputs, node.ports, strict=True):
            if port != "shape":
                found.setdefault(source, []).append(index)
    return found


def outside(scope: Iterable[int], groups: Sequence[Group]) -> list[int]:
    """The nodes of a scope that are in no group."""
    inside = {index for group in groups for index in group.members}
    return [index for index in scope if index not in inside]
