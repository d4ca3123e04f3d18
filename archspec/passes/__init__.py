"""Passes: each finds, in a graph that is pruned to a mode, groups of calls that run together in another way.

A pass is a file with `find`; it is plain data and knows no JAX. `calling/` runs what was found. No pass changes an
array that a checkpoint, an optimiser or a file of weights sees: kernels are changed or joined while the program runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.passes import recompute
from archspec.passes._base import Group as Group

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.passes.recompute import Patterns


def groups_of(graph: Graph, remat: Patterns = ()) -> tuple[Group, ...]:
    """The groups of a graph that is pruned to a mode.

    Blocks that `remat` names are computed anew in the backward pass. Raises `DataError` where it names no block.
    """
    return recompute.find(graph, remat) if remat and graph.mode == "train" else ()
