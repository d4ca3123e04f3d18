"""The steps of a paper's figure: which layers one volume stands for, and how values go from volume to volume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from archspec.blocks import Part
from archspec.drawing.pieces import INPUT_PATH
from archspec.drawing.words import ranges, spacing, window
from archspec.graph import Graph, Node, input_number
from archspec.layers import Family
from archspec.types import TensorType

Role = Literal["input", "layer", "block", "symbol", "output"]

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
