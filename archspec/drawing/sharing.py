"""Whose arrays a part of a network uses, said once: of a whole block that shares, and not of each layer in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archspec.graph import Graph


class Tie(NamedTuple):
    """What a part uses the arrays of: the `path` of a layer or block, or of the first and last of several.

    `whole` says that the part has no arrays of its own, `exact` that it is that layer or block once more: then what is
    inside need not say so itself.
    """

    path: str
    whole: bool
    exact: bool

    def __str__(self) -> str:
        """As the language has it, `weights: left`."""
        return f"weights: {self.path}" if self.whole else f"weights partly: {self.path}"


class Sharing:
    """Which layers of a graph use arrays that are counted at another layer."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        counted = {node.owner: index for index, node in enumerate(graph.nodes) if node.counted}
        self.holder = {
            index: counted[node.owner]
            for index, node in enumerate(graph.nodes)
            if not node.counted and node.owner in counted and node.arrays
        }
        """Of each layer that shares, the one at which its arrays are counted, both by their numbers."""

    def tie(self, path: str, nodes: Sequence[int], *, unit: bool) -> Tie | None:
        """What a block or a unit with these layers uses the arrays of; None where all are its own.

        Where a block is another one once more, that is the other; of another block what all the layers are in whose
        arrays it uses, and of a unit the first of these.
        """
        sharing = self._outside(nodes)
        if not sharing:
            return None
        whole = self.is_whole(nodes)
        holders = [self._nodes[holder].path for holder in sharing.values()]
        others = {
            self._other(path, self._nodes[index].path, holder) for index, holder in zip(sharing, holders, strict=True)
        }
        other = others.pop() if len(others) == 1 else None
        if other:
            return Tie(other, whole, whole)
        return Tie(holders[0] if unit else _around(holders), whole, unit and whole)

    def is_whole(self, nodes: Sequence[int]) -> bool:
        """Whether all arrays that layers use, of which there are some, are those of layers not among them."""
        sharing = self._outside(nodes)
        return bool(sharing) and all(index in sharing or not self._nodes[index].arrays for index in nodes)

    def _outside(self, nodes: Sequence[int]) -> dict[int, int]:
        inside = set(nodes)
        return {index: self.holder[index] for index in nodes if self.holder.get(index, index) not in inside}

    @staticmethod
    def _other(path: str, layer: str, holder: str) -> str | None:
        """The block in which a layer's holder lies as the layer does in the block of a path."""
        rest = layer[len(path) :]
        return holder[: len(holder) - len(rest)] if layer.startswith(path) and holder.endswith(rest) else None


def _around(paths: Sequence[str]) -> str:
    """The innermost block that these paths are in, or the first of them."""
    parts = [path.split(".") for path in paths]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    return ".".join(parts[0][:shared]) or paths[0]
