"""A network as one device of a mesh has it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from archspec.mesh import Mesh
from archspec.sharding.rows import Rows, rows_of

if TYPE_CHECKING:
    from archspec.graph import Graph


def local(graph: Graph, mesh: Mesh) -> Graph:
    """The graph, pruned to training, with the rows of one device.

    Raises ValueError where `spatial` has several devices, and divides the rows of no layer.
    """
    if mesh.spatial == 1:
        return graph.pruned("train")
    placed = rows(graph, mesh.spatial)
    if not any(place.on is not None for place in placed.places):
        raise ValueError(f"spatial={mesh.spatial} divides the rows of no layer of {graph.name}")
    return placed.part()


def rows(graph: Graph, parts: int) -> Rows:
    """How the rows are divided by so many devices; found once."""
    return _rows(_Same(graph), parts)


class _Same:
    """A graph as a key: by what it is, not by what it holds."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.graph is self.graph


@lru_cache(maxsize=32)
def _rows(graph: _Same, parts: int) -> Rows:
    return rows_of(graph.graph, Mesh(spatial=parts))
