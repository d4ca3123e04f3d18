"""The tree of blocks that the paths of a graph's layers make: what reports and drawings fold and unfold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.diagnostics import Span
from archspec.graph import Graph


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
