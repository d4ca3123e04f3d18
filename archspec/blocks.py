"""The tree of blocks that the paths of a graph's layers make: what reports and drawings fold and unfold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from archspec.diagnostics import DataError, Span, did_you_mean, listed
from archspec.graph import Graph
from archspec.patterns import compiled


@dataclass
class Part:
    """A layer, or a block with the parts in it, in the order of their first layers.

    `path` is the layer's path or the prefix of the block's layers, `name` its last part. `kind` is the layer's kind,
    the name of the block in the spec, or what else made the scope: repeat, round, parallel, branch, residual, shortcut.
    `nodes` are the indices of the layers inside, one for a layer.
    """

    path: str
    name: str
    kind: str
    span: Span | None
    nodes: list[int] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def is_layer(self) -> bool:
        return not self.parts

    @property
    def depth(self) -> int:
        """Levels of blocks inside; 0 for a layer."""
        return 1 + max(part.depth for part in self.parts) if self.parts else 0

    def walk(self) -> Iterator[Part]:
        """This part and all inside it, from the outside in."""
        yield self
        for part in self.parts:
            yield from part.walk()


def tree(graph: Graph) -> Part:
    """The whole network as one part with the path "".

    Where a path has a dot in a name that no block was written for, as in elaborated specs, the part is a "block".
    """
    root = Part("", graph.name, "network", None)
    known = {"": root}
    for index, node in enumerate(graph.nodes):
        at = root
        at.nodes.append(index)
        names = node.path.split(".")
        for count, name in enumerate(names[:-1], 1):
            path = ".".join(names[:count])
            part = known.get(path)
            if part is None:
                use = graph.blocks.get(path)
                kind = use.kind if use else "round" if name.isdigit() else "block"
                part = Part(path, name, kind, use.span if use else node.span)
                known[path] = part
                at.parts.append(part)
            part.nodes.append(index)
            at = part
        at.parts.append(Part(node.path, names[-1], node.kind, node.span, [index]))
    return root


def folded(graph: Graph, depth: int) -> list[Part]:
    """What is seen when blocks below a depth are folded: at 1 the outermost blocks and layers.

    Raises ValueError when the depth is not positive.
    """
    if depth < 1:
        raise ValueError("the depth must be 1 or more")

    def seen(part: Part, level: int) -> Iterator[Part]:
        for inner in part.parts:
            if inner.is_layer or level == depth:
                yield inner
            else:
                yield from seen(inner, level + 1)

    return list(seen(tree(graph), 1))


class Stretch(NamedTuple):
    """Layers that lie one after the other in a graph, from the index `first` to `last`, and the block they make."""

    first: int
    last: int
    path: str


def recomputed(graph: Graph, patterns: Sequence[str] | Literal["all"]) -> tuple[Stretch, ...]:
    """The blocks that patterns of paths name, of a graph that is pruned to training, in order.

    Of blocks within one another the outermost is taken. "all" are the outermost blocks of the network, and of a repeat
    its rounds. A block between whose layers others lie is several stretches. Raises `DataError` where a pattern names
    no block.
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
                hint = did_you_mean(pattern, names)
                raise DataError(
                    "E515",
                    f"`remat` names `{pattern[:100]}`, which is no block of {graph.name}",
                    help=[hint or (f"blocks: {listed(names, 8)}" if names else "its layers are in no scopes")],
                )
        chosen = list(_outermost(root, patterns))
    return tuple(stretch for part in chosen for stretch in _stretches(part))


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


def _stretches(part: Part) -> Iterator[Stretch]:
    nodes = sorted(part.nodes)
    ends = [place for place in range(1, len(nodes)) if nodes[place] != nodes[place - 1] + 1]
    for begin, end in zip([0, *ends], [*ends, len(nodes)], strict=True):
        yield Stretch(nodes[begin], nodes[end - 1], part.path)
