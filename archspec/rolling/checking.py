"""Whether a text is the graph that it was written of: read again, elaborated, and held to it node for node."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from archspec.diagnostics import Findings, SpecError, count
from archspec.graph import Graph, Node, is_input
from archspec.loading import open_spec
from archspec.rolling.entries import Chain, layers_of
from archspec.rolling.reducing import layer_of
from archspec.source import OneText, laid

PLACE = Path("/rolled up/spec.yaml")
"""Where the text lies for those who read it; there is no such file."""

EITHER_WAY = ("add", "multiply", "maximum", "average")
"""Joins that give the same of two inputs in either order, to the last bit."""


def read(text: str) -> Graph:
    """The graph of a text. Raises `SpecError`."""
    with laid(OneText(PLACE, text)):
        return open_spec(str(PLACE), findings=Findings()).graph()


def order(chain: Chain) -> list[int]:
    """The nodes of a list in the order in which they are expanded."""
    return [layer.out for layer in layers_of(chain)]


def pairs(graph: Graph, text: str, nodes: Iterable[int]) -> tuple[dict[str, str] | None, str]:
    """Old paths to new ones where the text gives the same graph, its nodes in this order; else None and the reason."""
    try:
        made = read(text)
    except SpecError as error:
        first = error.diagnostics[0]
        return None, f"{first.code}: {first.message}"
    own = list(nodes)
    if len(made.nodes) != len(own) or len(own) != len(graph.nodes):
        return None, f"{count(len(made.nodes), 'layer')} in place of {len(graph.nodes)}"
    place = {index: number for number, index in enumerate(own)}
    renamed = {graph.nodes[index].path: made.nodes[number].path for number, index in enumerate(own)}
    for number, index in enumerate(own):
        reason = difference(graph.nodes[index], made.nodes[number], place, renamed)
        if reason is not None:
            return None, f"{graph.nodes[index].path}: {reason}"
    before = [output._replace(node=place.get(output.node, output.node)) for output in graph.outputs]
    if before != list(made.outputs):
        return None, "outputs"
    if graph.inputs != made.inputs:
        return None, "inputs"
    return renamed, ""


def difference(one: Node, other: Node, place: dict[int, int], renamed: dict[str, str]) -> str | None:
    """What two nodes differ in, but for names; None where it is nothing."""
    if one.kind != other.kind:
        return "kind"
    if layer_of(one, 0).fields != layer_of(other, 0).fields or set(one.layer.referred()) != set(other.layer.referred()):
        return "fields"
    inputs = tuple(source if is_input(source) else place[source] for source in one.inputs)
    swapped = inputs[::-1] if len(inputs) == 2 and one.kind in EITHER_WAY else inputs
    if other.inputs not in (inputs, swapped):
        return "inputs"
    if one.output != other.output or (renamed[one.shares] if one.shares is not None else None) != other.shares:
        return "output" if one.output != other.output else "shared arrays"
    return None
