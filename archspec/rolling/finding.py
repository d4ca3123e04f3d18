"""The list of a graph with what comes again and again in it as blocks and repeats."""

from __future__ import annotations

from collections.abc import Set

from archspec.graph import INPUT, Graph
from archspec.rolling.entries import Chain
from archspec.rolling.found import Found, Way
from archspec.rolling.loops import Looping
from archspec.rolling.optional import optional
from archspec.rolling.reducing import Defaults, reduced
from archspec.rolling.shortcuts import project
from archspec.rolling.structures import structures
from archspec.rolling.units import units


def found_in(graph: Graph, way: Way, defaults: Defaults, banned: Set[object]) -> tuple[Chain, Found]:
    """The list of a graph, rolled up in one way, and the blocks that it calls."""
    flat = reduced(graph, defaults)
    found = Found(graph, flat, way, defaults, banned)
    project(found, flat.chain)
    if way.units != "none":
        units(found, flat.chain)
    if way.optional:
        optional(found, flat.chain)
    structures(found, flat.chain)
    return Looping(found).looped(flat.chain, INPUT if len(graph.inputs) == 1 else None), found
