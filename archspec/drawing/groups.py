"""The groups of a paper's figure: steps of one shape that follow each other, drawn as one row of slabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archspec.blocks import Part, tree
from archspec.drawing import DrawingError
from archspec.drawing.closing import compound, foldable, gathered, rows
from archspec.drawing.pieces import Pieces
from archspec.drawing.sharing import Sharing, Tie
from archspec.drawing.steps import Stage, around, is_whole, scope_of, sizes_of, steps_of
from archspec.graph import Graph

FEW = 30
"""Volumes that a figure may have before more blocks are folded."""

MANY = 90
"""Volumes beyond which nothing can be read."""


@dataclass
class Group:
    """Steps drawn as one row of slabs: a chain of steps whose outputs have one shape and that do the same."""

    steps: list[Stage]
    sources: list[int] = field(default_factory=list)
    dashed: set[int] = field(default_factory=set)

    @property
    def first(self) -> Stage:
        return self.steps[0]

    @property
    def last(self) -> Stage:
        return self.steps[-1]


def groups(graph: Graph) -> list[Group]:
    """The figure's groups in topological order: the input first, an output after the step that gives it.

    Blocks of one or two sizes of map are folded where values go side by side in them; if there are more than `FEW`
    groups, more blocks are folded, always of the kind by which the figure becomes shortest, and then what comes again
    and again without being a block. Raises DrawingError beyond `MANY`.
    """
    root = tree(graph)
    closed = compound(graph, root)
    root, growing = rows(graph, root, closed)
    closed |= growing
    result = _grouped(graph, steps_of(graph, root, closed))
    while len(result) > FEW:
        ways = [closed.union(part.path for part in parts) for parts in foldable(graph, root, closed)]
        found = [(way, _grouped(graph, steps_of(graph, root, way))) for way in ways]
        best = min(found, key=lambda pair: len(pair[1]), default=None)
        if best is None or len(best[1]) >= len(result):
            break
        closed, result = best
    if len(result) > FEW:
        stretches = [
            member
            for piece in Pieces(graph).root.walk()
            if piece.alike
            for member in piece.pieces
            if len(member.pieces) > 1
        ]
        if stretches:
            closed.update(stretch.path for stretch in stretches)
            result = _grouped(graph, steps_of(graph, gathered(root, stretches), closed))
    if len(result) > MANY:
        raise DrawingError(
            f"the figure would have {len(result):,} volumes, and more than {MANY} cannot be read: "
            "put layers that belong together in blocks, which are folded, or draw the graph instead"
        )
    return result


def ties_of(graph: Graph, found: Sequence[Group]) -> tuple[dict[str, Tie], dict[str, str], set[str]]:
    """Whose arrays steps use, by the steps' paths; of blocks that are others once more what is said at the first step
    in them, and the other steps in them.
    """
    sharing = Sharing(graph)
    if not sharing.holder:
        return {}, {}, set()
    around: dict[int, tuple[str, Tie]] = {}

    def look(part: Part) -> None:
        for inner in part.parts:
            tie = None if inner.is_layer else sharing.tie(inner.path, inner.nodes, unit=False)
            if tie and tie.exact:
                around.update(dict.fromkeys(inner.nodes, (inner.path, tie)))
            else:
                look(inner)

    look(tree(graph))
    ties: dict[str, Tie] = {}
    told: dict[str, str] = {}
    silent: set[str] = set()
    seen: set[str] = set()
    for step in (step for group in found for step in group.steps if step.nodes and step.role != "input"):
        tie = sharing.tie(step.path, step.nodes, unit=step.role == "layer")
        if not tie:
            continue
        ties[step.path] = tie
        block, same = around.get(step.nodes[0], ("", tie))
        if not block or block == step.path:
            continue
        if block in seen:
            silent.add(step.path)
        else:
            told[step.path] = f"{block}: weights of {same.path}"
            seen.add(block)
    return ties, told, silent


def _grouped(graph: Graph, steps: Sequence[Stage]) -> list[Group]:
    """Runs of like steps become groups; sources are then groups."""
    users: list[int] = [0] * len(steps)
    for step in steps:
        for source in step.sources:
            users[source] += 1
    sizes = sizes_of(graph)
    parts: list[Group] = []
    home: list[int] = []
    for index, step in enumerate(steps):
        rest = tuple(source for source in step.sources if source != index - 1)
        # An input that all take besides, as the steps of a recurrent network do, does not part them.
        along = all(steps[source].role == "input" for source in rest) and {home[source] for source in rest} <= set(
            parts[-1].sources if parts else ()
        )
        alone = index - 1 in step.sources and along and users[index - 1] == 1 and not step.dashed
        if alone and home[index - 1] == len(parts) - 1 and _alike(graph, sizes, parts[-1].last, step):
            parts[-1].steps.append(step)
        else:
            sources = list(dict.fromkeys(home[source] for source in step.sources))
            parts.append(Group([step], sources, {home[source] for source in step.dashed}))
        home.append(len(parts) - 1)
    return parts


def _alike(graph: Graph, sizes: Mapping[str, int], one: Stage, other: Stage) -> bool:
    if one.role != other.role or one.type.shape != other.type.shape:
        return False
    if one.role == "block":
        return one.does == other.does and around(one.path) == around(other.path)
    if one.role != "layer" or one.type.is_vector or not one.family == other.family == "convolution":
        return False
    # One label names all: by names in one scope, or by neighbouring scopes that do the same or hold nothing else.
    scope, another = scope_of(one.path), scope_of(other.path)
    if scope == another:
        return True
    beside = bool(scope and another) and around(scope) == around(another)
    whole = is_whole(graph, sizes, [one], scope) and is_whole(graph, sizes, [other], another)
    return beside and (whole or one.does == other.does)
