"""The steps of a paper's figure: which layers one volume stands for, and how values go from volume to volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from archspec.blocks import Part, tree
from archspec.drawing import DrawingError
from archspec.drawing.pieces import INPUT_PATH, Piece, Pieces
from archspec.drawing.sharing import Sharing, Tie
from archspec.drawing.words import ranges, spacing, window
from archspec.graph import Graph, Node, input_number
from archspec.layers import Family
from archspec.types import TensorType

Role = Literal["input", "layer", "block", "symbol", "output"]

FEW = 30
"""Volumes that a figure may have before more blocks are folded."""

MANY = 90
"""Volumes beyond which nothing can be read."""

MAX_SIZES = 2
"""Sizes of maps or signals that a block may have inside to be folded: one, or two where it changes the size."""

_SCOPES = ("repeat", "round", "parallel", "branch", "residual", "shortcut", "block", "network")
_SYMBOLS = {"add": "+", "multiply": "×", "subtract": "−"}


@dataclass
class Stage:
    """One volume: a layer with the layers after it that keep the shape, a folded block, or a join's symbol.

    `nodes` are the layers it stands for and `sources` the steps whose values it takes. `marks` are families of merged
    layers in their order, `split` the channels that a concatenation stacks, `dashed` the sources of indices of maxima.
    """

    role: Role
    path: str
    name: str
    does: str
    family: Family
    type: TensorType
    nodes: list[int] = field(default_factory=list)
    sources: tuple[int, ...] = ()
    dashed: frozenset[int] = frozenset()
    marks: list[Family] = field(default_factory=list)
    split: tuple[int, ...] = ()


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
    groups, more blocks are folded, those with the most layers first, and then what comes again and again without being
    a block. Raises DrawingError beyond `MANY`.
    """
    root = tree(graph)
    closed = set(_compound(graph, root))
    result = _grouped(_steps(graph, root, closed))
    for _ in range(MANY):
        if len(result) <= FEW:
            break
        parts = _next_to_fold(graph, root, closed)
        if not parts:
            break
        closed.update(part.path for part in parts)
        result = _grouped(_steps(graph, root, closed))
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
            result = _grouped(_steps(graph, _gathered(root, stretches), closed))
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


def what(node: Node) -> str:
    """A layer's kind, window, stride and dilation, as figures write them: `conv 3×3 /2`."""
    return " ".join(filter(None, [node.kind.replace("_", " "), window(node), *spacing(node), *ranges(node)]))


def _compound(graph: Graph, root: Part) -> Iterator[str]:
    """Paths of the outermost blocks that are folded from the start."""
    most = 0.6 * sum(1 for node in graph.nodes if node.cost.macs)

    def look(part: Part) -> Iterator[str]:
        for inner in part.parts:
            if inner.is_layer:
                continue
            weighty = sum(1 for index in inner.nodes if graph.nodes[index].cost.macs)
            whole = weighty > most and len(root.parts) <= 3
            if not whole and _few_sizes(graph, inner) and not _is_chain(graph, inner) and not _is_row(graph, inner):
                yield inner.path
            else:
                yield from look(inner)

    yield from look(root)


def _is_chain(graph: Graph, part: Part) -> bool:
    """Whether each layer inside takes the value of the one before it and nothing else."""
    before: int | None = None
    for index in part.nodes:
        node = graph.nodes[index]
        values = [source for source, port in zip(node.inputs, node.ports, strict=True) if port != "shape"]
        if len(values) > 1 or (before is not None and values != [before]):
            return False
        before = index
    return True


def _is_row(graph: Graph, part: Part) -> bool:
    """Whether the parts inside are blocks, and each takes values of the one before it alone."""
    before: set[int] = set()
    for inner in part.parts:
        if inner.is_layer:
            return False
        mine = set(inner.nodes)
        outside = {source for index in inner.nodes for source in graph.nodes[index].inputs} - mine
        if before and not outside <= before:
            return False
        before = mine
    return True


def _gathered(part: Part, stretches: Sequence[Piece]) -> Part:
    """The part with the layers of each stretch in a part of their own, where they are neighbours in one block."""
    whole = {stretch.nodes[0]: stretch for stretch in stretches}
    mine = set(part.nodes)
    parts: list[Part] = []
    for inner in part.parts:
        stretch = whole.get(inner.nodes[0])
        if parts and inner.nodes[0] in parts[-1].nodes:
            parts[-1].parts.append(inner)
        elif stretch and len(stretch.nodes) > len(inner.nodes) and mine.issuperset(stretch.nodes):
            parts.append(Part(stretch.path, stretch.name, "block", None, stretch.nodes, [inner]))
        else:
            parts.append(inner if inner.is_layer else _gathered(inner, stretches))
    return replace(part, parts=parts)


def _few_sizes(graph: Graph, part: Part) -> bool:
    sizes = {graph.nodes[index].output.spatial for index in part.nodes}
    return len(sizes) <= MAX_SIZES


def _next_to_fold(graph: Graph, root: Part, closed: set[str]) -> list[Part]:
    """The open block of few sizes with most layers, and those like it."""

    def candidates(part: Part) -> Iterator[Part]:
        for inner in part.parts:
            if not inner.is_layer and inner.path not in closed:
                if len(inner.nodes) < len(graph.nodes) / 2 and _few_sizes(graph, inner):
                    yield inner
                else:
                    yield from candidates(inner)

    parts = list(candidates(root))
    if not parts:
        return []
    largest = max(parts, key=lambda part: len(part.nodes))
    return [part for part in parts if part.kind == largest.kind]


def _steps(graph: Graph, root: Part, closed: set[str]) -> list[Stage]:
    several = len(graph.inputs) > 1
    steps = [
        Stage(
            "input",
            f"{INPUT_PATH}.{item.name}" if several else "input",
            item.name if several else "input",
            "",
            "other",
            item.type,
        )
        for item in graph.inputs
    ]
    home = {input_number(at): at for at in range(len(steps))}
    outputs: dict[int, list[str]] = {}
    for output in graph.outputs:
        outputs.setdefault(output.node, []).append(output.name)
    for part in _seen(root, closed):
        sources, dashed = _sources(graph, part, home)
        last = graph.nodes[part.nodes[-1]]
        if part.is_layer and len(sources) == 1 and _keeps_shape(last):
            at = sources[0]
            steps[at].nodes.extend(part.nodes)
            steps[at].marks.append(last.layer.family)
        else:
            at = len(steps)
            step = _layer(part, last) if part.is_layer else _block(graph, part)
            steps.append(replace(step, sources=tuple(sources), dashed=frozenset(dashed)))
        for index in part.nodes:
            home[index] = at
    for node, names in outputs.items():
        kind = graph.source_type(node)
        steps.append(Stage("output", "", ", ".join(names), "", "other", kind, sources=(home[node],)))
    return steps


def _seen(part: Part, closed: set[str]) -> Iterator[Part]:
    """Layers and closed blocks. Layers of a block that lie among others' are told as they come."""
    for inner in part.parts:
        if inner.is_layer or inner.path in closed:
            yield inner
        else:
            yield from _seen(inner, closed)


def _sources(graph: Graph, part: Part, home: dict[int, int]) -> tuple[list[int], set[int]]:
    """Steps whose values, and of those the ones whose indices, enter a part."""
    inside = set(part.nodes)
    values: dict[int, None] = {}
    indices: set[int] = set()
    for index in part.nodes:
        node = graph.nodes[index]
        for source, port in zip(node.inputs, node.ports, strict=True):
            if source in inside or port == "shape" or source not in home:
                continue
            values[home[source]] = None
            if port == "indices":
                indices.add(home[source])
    return list(values), indices


def _keeps_shape(node: Node) -> bool:
    return (
        node.layer.family in ("activation", "normalisation", "other")
        and node.output.shape == node.input_types[0].shape
        and not node.cost.macs
    )


def _layer(part: Part, node: Node) -> Stage:
    symbol = _SYMBOLS.get(node.kind) if len(node.inputs) > 1 else None
    step = Stage(
        "symbol" if symbol else "layer",
        part.path,
        name_of(part.path),
        symbol or what(node),
        node.layer.family,
        node.output,
        list(part.nodes),
    )
    return replace(step, split=_split(node))


def name_of(path: str) -> str:
    """The last part of a path that says something: a unit's name for its `conv`."""
    return _taken_apart(path)[1]


def scope_of(path: str) -> str:
    """The scope that a path's name is in."""
    return _taken_apart(path)[0]


def _taken_apart(path: str) -> tuple[str, str]:
    """The scope of a path's name, and the name."""
    *scopes, last = path.split("…")[0].split(".")
    if scopes and last.isdigit():
        *scopes, outer = scopes
        last = f"{outer}.{last}"
    elif scopes and last == "conv":
        *scopes, last = scopes
    return ".".join(scopes), last


def _split(node: Node) -> tuple[int, ...]:
    if node.kind != "concat":
        return ()
    return tuple(kind.channels for kind in node.input_types)


def _block(graph: Graph, part: Part) -> Stage:
    nodes = [graph.nodes[index] for index in part.nodes]
    split: tuple[int, ...] = ()
    for node in reversed(nodes):
        if not _keeps_shape(node):
            split = _split(node)
            break
    kinds = [part.kind, *(inner.kind for inner in part.walk() if not inner.is_layer)]
    named = next((kind for kind in kinds if kind not in _SCOPES), None)
    does = named or ("residual" if "residual" in kinds or nodes[-1].kind == "add" else "block")
    repeated = [inner for inner in part.parts if inner.kind == named] if part.kind == "repeat" else []
    if len(repeated) > 1:
        does = f"{len(repeated)} × {does}"
    does = does.replace("_", " ")
    return Stage(
        "block", part.path, name_of(part.path), does, "convolution", nodes[-1].output, list(part.nodes), split=split
    )


def _grouped(steps: Sequence[Stage]) -> list[Group]:
    """Runs of like steps become groups; sources are then groups."""
    users: list[int] = [0] * len(steps)
    for step in steps:
        for source in step.sources:
            users[source] += 1
    parts: list[Group] = []
    home: list[int] = []
    for index, step in enumerate(steps):
        rest = tuple(source for source in step.sources if source != index - 1)
        # An input that all take besides, as the steps of a recurrent network do, does not part them.
        along = all(steps[source].role == "input" for source in rest) and {home[source] for source in rest} <= set(
            parts[-1].sources if parts else ()
        )
        alone = index - 1 in step.sources and along and users[index - 1] == 1 and not step.dashed
        if alone and home[index - 1] == len(parts) - 1 and _alike(parts[-1].last, step):
            parts[-1].steps.append(step)
        else:
            sources = list(dict.fromkeys(home[source] for source in step.sources))
            parts.append(Group([step], sources, {home[source] for source in step.dashed}))
        home.append(len(parts) - 1)
    return parts


def _alike(one: Stage, other: Stage) -> bool:
    if one.role != other.role or one.type.shape != other.type.shape:
        return False
    if one.role == "block":
        return one.does == other.does and _scope(one.path) == _scope(other.path)
    if one.role != "layer" or one.type.is_vector or not one.family == other.family == "convolution":
        return False
    # One label names all: by names in one scope, or by neighbouring scopes.
    scope, another = scope_of(one.path), scope_of(other.path)
    return scope == another or bool(scope and another and _scope(scope) == _scope(another))


def _scope(path: str) -> str:
    return path.rpartition(".")[0]
