"""Passes: each finds, in a graph that is pruned to a mode, groups of calls that run together in another way.

A pass is a file with `find`; it is plain data and knows no JAX. `calling/` runs what was found. No pass changes an
array that a checkpoint, an optimiser or a file of weights sees: kernels are changed or joined for what runs alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Literal, get_args

from archspec.passes._base import Group as Group
from archspec.passes._base import outside

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.passes.recompute import Patterns
    from archspec.spec.train import Train

PassName = Literal["fold_batch_norm", "fuse_pointwise", "scan_blocks"]

NAMES: tuple[PassName, ...] = get_args(PassName)
"""The passes that can be chosen."""

DEFAULT: tuple[PassName, ...] = ("fold_batch_norm",)
"""Those that are always right; docs/speed.md has what they save."""


def groups_of(
    graph: Graph, names: Collection[str] = DEFAULT, remat: Patterns = (), frozen: Collection[str] = ()
) -> tuple[Group, ...]:
    """What passes find in a graph that is pruned to a mode.

    In evaluation nothing is folded or fused within the blocks of a loop. Blocks that `remat` names are computed anew in
    the backward pass; `frozen` are names of arrays and paths of layers that training leaves as they are. Raises
    `DataError` where `remat` names no block.
    """
    outer: tuple[Group, ...] = ()
    if remat and graph.mode == "train":
        from archspec.passes import recompute

        outer = recompute.find(graph, remat)
    if "scan_blocks" in names and graph.mode == "eval":
        from archspec.passes import scan_blocks

        loops = scan_blocks.find(graph)
        return (*loops, *_small(graph, names, outside(range(len(graph.nodes)), loops)))
    within = tuple(group._replace(inner=_small(graph, names, group.members)) for group in outer)
    found = (*within, *_small(graph, names, outside(range(len(graph.nodes)), outer)))
    if "scan_blocks" in names:
        from archspec.passes import scan_blocks

        return scan_blocks.find(graph, found, frozen)
    return found


def _small(graph: Graph, names: Collection[str], scope: Iterable[int]) -> tuple[Group, ...]:
    """The groups of a few calls among the nodes of a scope."""
    scope = list(scope)
    found: tuple[Group, ...] = ()
    if "fold_batch_norm" in names and graph.mode == "eval":
        from archspec.passes import fold_batch_norm

        found = fold_batch_norm.find(graph, scope)
    if "fuse_pointwise" in names:
        from archspec.passes import fuse_pointwise

        found = fuse_pointwise.find(graph, scope, found)
    return found


def chosen(names: str | Iterable[str]) -> tuple[PassName, ...]:
    """The passes of these names, given as a list or in one text with commas between them; of `none` none.

    Raises `ValueError` for another name, with what there is.
    """
    given = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    if given == ["none"]:
        return ()
    for name in given:
        if name not in NAMES:
            from archspec.diagnostics import did_you_mean

            hint = did_you_mean(name, NAMES) or f"there are {', '.join(NAMES)}; `none` for none of them"
            raise ValueError(f"there is no pass {name[:60]!r}; {hint}")
    return tuple(name for name in NAMES if name in given)


def used(recipe: Train | None, given: Iterable[PassName] | None = None) -> tuple[PassName, ...]:
    """The passes that are given, else the recipe's, else those that are always right."""
    if given is not None:
        return tuple(given)
    return DEFAULT if recipe is None else recipe.passes


def said(graph: Graph, names: Collection[str]) -> str:
    """What passes do with a graph that is pruned to a mode, in words: what is counted, and what stays as it is."""
    if not names:
        return "none: every layer runs by itself"
    if graph.mode == "train":
        names = [name for name in names if name != "fold_batch_norm"]
        if not names:
            return "nothing in training"
    from archspec.diagnostics import count

    groups = groups_of(graph, names)
    parts = []
    if "fold_batch_norm" in names:
        pairs = sum(own.how == "fold_batch_norm" for group in groups for own in (group, *group.inner))
        left = sum(node.kind == "batch_norm" for node in graph.nodes) - pairs
        folded = f"{count(pairs, 'batch norm')} folded into convolutions" if pairs or left else "no batch norms to fold"
        parts.append(folded + f", {left} left as they are" * (left > 0))
    if "fuse_pointwise" in names:
        fused = [group for group in groups if group.how == "fuse_pointwise"]
        number = sum(len(group.members) - len(group.inner) for group in fused)
        own = f"{count(number, '1×1 convolution')} computed as {len(fused)}"
        parts.append(own if fused else "no 1×1 convolutions share an input")
    if "scan_blocks" in names:
        loops = [group.rounds for group in groups if group.how == "scan_blocks"]
        own = f"{count(sum(loops), 'block')} computed in {count(len(loops), 'loop')}"
        parts.append(own if loops else "no three alike blocks follow one another")
    return "; ".join(parts)


def folds(groups: Iterable[Group]) -> bool:
    """Whether arrays can be folded beforehand for these groups."""
    return any(group.how == "fold_batch_norm" or folds(group.inner) for group in groups)
