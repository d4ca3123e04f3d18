"""The steps of a paper's figure: which layers one volume stands for, and how values go from volume to volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from archspec.blocks import Part
from archspec.drawing.pieces import INPUT_PATH
from archspec.drawing.words import alike, ranges, spacing, window
from archspec.graph import Graph, Node, input_number
from archspec.layers import Family
from archspec.types import TensorType

Role = Literal["input", "layer", "block", "symbol", "output"]

SCOPES = ("repeat", "round", "parallel", "branch", "residual", "shortcut", "block", "network")
SEPARABLE = "separable_conv"
"""What the language writes as one convolution is drawn as one."""

_SYMBOLS = {"add": "+", "multiply": "×", "subtract": "−"}


@dataclass
class Stage:
    """One volume: a layer with the layers after it that keep the shape, a folded block, or a join's symbol.

    `nodes` are the layers it stands for and `sources` the steps whose values it takes. `marks` are families of merged
    layers in their order, `split` the channels that a concatenation stacks, `dashed` the sources of indices of maxima,
    `note` what else is said.
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
    note: str = ""


def is_named(graph: Graph, part: Part) -> bool:
    """Whether a part is a block that the spec names; such a one may be called `block`, as a part without is."""
    return not part.is_layer and (part.kind not in SCOPES or (part.kind == "block" and part.path in graph.blocks))


def same_layers(graph: Graph, one: Part, other: Part) -> bool:
    """Whether two parts have layers of the same kinds and fields, whatever comes in."""
    if len(one.nodes) != len(other.nodes):
        return False
    pairs = ((graph.nodes[first], graph.nodes[second]) for first, second in zip(one.nodes, other.nodes, strict=True))
    return all(first.kind == second.kind and alike(first.layer) == alike(second.layer) for first, second in pairs)


def weighty(graph: Graph, part: Part) -> int:
    """How many layers of a part multiply and add."""
    return sum(1 for index in part.nodes if graph.nodes[index].cost.macs)


def what(node: Node) -> str:
    """A layer's kind, window, stride and dilation, as figures write them: `conv 3×3 /2`."""
    return " ".join(filter(None, [node.kind.replace("_", " "), window(node), *spacing(node), *ranges(node)]))


def steps_of(graph: Graph, root: Part, closed: set[str]) -> list[Stage]:
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
            if part.is_layer:
                step = _layer(part, last)
            else:
                step = _separable(graph, part) if part.kind == SEPARABLE else _block(graph, part)
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


def _separable(graph: Graph, part: Part) -> Stage:
    """The two layers of a separable convolution as one."""
    first, last = graph.nodes[part.nodes[0]], graph.nodes[part.nodes[-1]]
    does = what(first).replace("depthwise", "separable")
    return Stage("layer", part.path, name_of(part.path), does, "convolution", last.output, list(part.nodes))


def name_of(path: str) -> str:
    """The last part of a path that says something: a unit's name for its `conv`."""
    return _taken_apart(path)[1]


def scope_of(path: str) -> str:
    """The scope that a path's name is in."""
    return _taken_apart(path)[0]


def around(path: str) -> str:
    """The scope that a path lies in."""
    return path.rpartition(".")[0]


def sizes_of(graph: Graph) -> Mapping[str, int]:
    """How many layers each scope has."""
    sizes: Counter[str] = Counter()
    for node in graph.nodes:
        scope = around(node.path)
        while scope:
            sizes[scope] += 1
            scope = around(scope)
    return sizes


def is_whole(graph: Graph, sizes: Mapping[str, int], steps: Sequence[Stage], scope: str) -> bool:
    """Whether steps have all layers of a scope."""
    paths = (graph.nodes[index].path for step in steps for index in step.nodes)
    return bool(scope) and sum(path.startswith(scope + ".") for path in paths) == sizes[scope]


def _taken_apart(path: str) -> tuple[str, str]:
    """The scope of a path's name, and the name."""
    *scopes, last = path.split("…")[0].split(".")
    if scopes and last == "conv":
        *scopes, last = scopes
    # A number alone says nothing.
    while scopes and last.split(".")[0].isdigit():
        *scopes, outer = scopes
        last = f"{outer}.{last}"
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
    inside = [inner for inner in part.walk() if not inner.is_layer]
    # What it is, or what it is a row of: not what lies deeper in it.
    seen = [part, *(inner for inner in part.parts if part.kind in ("repeat", "round", "block") and not inner.is_layer)]
    named = next((inner.kind for inner in seen if is_named(graph, inner)), None)
    residual = nodes[-1].kind == "add" or any(inner.kind == "residual" for inner in inside)
    does = named or ("residual" if residual else "parallel" if part.kind == "parallel" else "block")
    note = ""
    row = [inner for inner in part.parts if inner.kind == named] if part.kind == "repeat" else list(part.parts)
    if len(row) > 1 and {inner.kind for inner in row} == {row[0].kind} and not row[0].is_layer:
        sizes = [graph.nodes[inner.nodes[-1]].output.channels for inner in row]
        grows = all(one < two for one, two in pairwise(sizes))
        if len(row) > 2 and grows and all(same_layers(graph, row[0], inner) for inner in row[1:]):
            # Each adds to what comes in: how much comes in and goes out tells of all.
            note, split = f"{nodes[0].input_types[0].channels} → {sizes[-1]} channel{'s' * (sizes[-1] != 1)}", ()
        if is_named(graph, row[0]) and (note or not is_named(graph, part)):
            does = f"{len(row)} × {row[0].kind}"
    name = part.name if "…" in part.path else name_of(part.path)
    does = does.replace("_", " ")
    step = Stage("block", part.path, name, does, "convolution", nodes[-1].output, list(part.nodes))
    return replace(step, split=split, note=note)
