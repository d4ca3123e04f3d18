"""Blocks whose layers the backward pass computes anew, so that nothing of them is kept (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.blocks import Part, tree
from archspec.diagnostics import DataError, did_you_mean, listed
from archspec.passes._base import Group
from archspec.patterns import compiled

if TYPE_CHECKING:
    from archspec.graph import Graph

Patterns = Sequence[str] | Literal["all"]


def find(graph: Graph, patterns: Patterns) -> tuple[Group, ...]:
    """The blocks that patterns of paths name, of a graph that is pruned to training, in order.

    Of blocks within one another the outermost is taken. "all" are the outermost blocks of the network, and of a repeat
    its rounds. A block between whose layers others lie is several groups. Raises `DataError` where a pattern names no
    block.
    """
    root = tree(graph)
    if patterns == "all":
        chosen = [part for block in root.parts if not block.is_layer for part in _units(block)]
        if not chosen:
            raise DataError("E515", f"`remat: all` finds no blocks in {graph.name}: its layers are in no scopes")
    else:
        blocks = [part for part in root.walk() if not part.is_layer and part.path]
        for pattern in patterns:
            if not any(compiled(pattern).fullmatch(part.path) for part in blocks):
                names = [part.path for part in blocks]
                hint = did_you_mean(pattern, [*names, "all", "auto"])
                raise DataError(
                    "E515",
                    f"`remat` names `{pattern[:100]}`, which is no block of {graph.name}",
                    help=[hint or (f"blocks: {listed(names, 8)}" if names else "its layers are in no scopes")],
                )
        chosen = list(_outermost(root, patterns))
    return tuple(group for part in chosen for group in _stretches(part))


def _units(block: Part) -> list[Part]:
    rounds = [part for part in block.parts if not part.is_layer]
    return rounds if block.kind == "repeat" and len(rounds) == len(block.parts) else [block]


def _outermost(part: Part, patterns: Sequence[str]) -> Iterator[Part]:
    for inner in part.parts:
        if inner.is_layer:
            continue
        if any(compiled(pattern).fullmatch(inner.path) for pattern in patterns):
            yield inner
        else:
            yield from _outermost(inner, patterns)


def _stretches(part: Part) -> Iterator[Group]:
    """The layers of a block, as many of them as follow one another in each group."""
    nodes = sorted(part.nodes)
    ends = [place for place in range(1, len(nodes)) if nodes[place] != nodes[place - 1] + 1]
    for begin, end in zip([0, *ends], [*ends, len(nodes)], strict=True):
        yield Group("recompute", tuple(nodes[begin:end]), path=part.path)
