"""What the volumes of the paper look are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile

from archspec.drawing.groups import Group
from archspec.drawing.steps import Stage, around, is_whole, name_of, scope_of, sizes_of
from archspec.drawing.words import is_counted, spanned
from archspec.graph import Graph


def names_of(graph: Graph, groups: Sequence[Group]) -> list[str]:
    """The name of each group; where several would have the same, with the scope that it lies in."""
    sizes = sizes_of(graph)
    found = [_Naming(graph, group, sizes).name() for group in groups]
    often = Counter(name for _, name in found)
    return [
        f"{name_of(scope)}.{name}"
        if often[name] > 1 and scope and "." not in name and group.first.role in ("layer", "block")
        else name
        for (scope, name), group in zip(found, groups, strict=True)
    ]


class _Naming:
    """One group to be named."""

    def __init__(self, graph: Graph, group: Group, sizes: Mapping[str, int]) -> None:
        self.graph, self.steps, self.sizes = graph, group.steps, sizes

    def name(self) -> tuple[str, str]:
        """The scope of the group's name, and the name: its one step's, that of the scope that it is all of, or the
        first and the last in one scope.
        """
        first, last = self.steps[0], self.steps[-1]
        scope = around(first.path)
        unnamed = all(map(self._is_unnamed, self.steps))
        # Nor does the only layer's name say as much as that of the row that it is all of.
        alone = scope_of(first.path).rpartition(".")[2].isdigit()
        scope = scope_of(first.path) if alone and first is last and first.role == "layer" else scope
        if first.role in ("layer", "block") and scope and (unnamed or alone or first is not last):
            shared = _shared(scope, around(last.path))
            if is_whole(self.graph, self.sizes, self.steps, shared):
                return self._whole(shared)
            # The name of a block says more than `conv1`, which each has.
            if unnamed and first.role == "layer" and all(step.path.startswith(scope + ".") for step in self.steps):
                return scope_of(scope), name_of(scope) if first is not last else f"{name_of(scope)}.{first.name}"
        if first is last:
            return scope_of(first.path), first.name
        one, two = scope_of(first.path), scope_of(last.path)
        if one != two:
            # Both may be called conv1: their scopes tell them apart.
            return scope_of(one), spanned(name_of(one), name_of(two))
        return one, spanned(first.name, last.name)

    def _whole(self, scope: str) -> tuple[str, str]:
        """The name of a scope that is nothing but the group, or of one around it if that says more."""
        while self._says_nothing(scope) and is_whole(self.graph, self.sizes, self.steps, around(scope)):
            scope = around(scope)
        outer, name = scope_of(scope), name_of(scope)
        if self._says_nothing(scope) and outer:
            return scope_of(outer), f"{name_of(outer)}.{name}"
        return outer, name

    def _is_unnamed(self, step: Stage) -> bool:
        if step.role == "block":
            return self._says_nothing(step.path)
        return step.role == "layer" and is_counted(step.name, self.graph.nodes[step.nodes[0]].kind)

    def _says_nothing(self, path: str) -> bool:
        """Whether a block's or scope's name is a number, or what it is and a number."""
        name, use = path.rpartition(".")[2], self.graph.blocks.get(path)
        return name.isdigit() or (use is not None and is_counted(name, use.kind))


def _shared(one: str, other: str) -> str:
    """The innermost scope that two scopes lie in, or are."""
    pairs = zip(one.split("."), other.split("."), strict=False)
    return ".".join(name for name, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
