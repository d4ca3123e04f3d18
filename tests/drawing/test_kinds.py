"""Every kind of layer has a caption, a colour and a place in both looks, on maps, signals and vectors."""

from __future__ import annotations

import re

import pytest

from archspec.drawing import graph_look, paper_look
from archspec.drawing.captions import described
from archspec.drawing.layout import LINE_SIZE
from archspec.drawing.palette import FAMILIES
from archspec.drawing.scene import Text, shortened
from archspec.drawing.steps import what
from archspec.figures.receptive_field import POINT
from archspec.graph import Graph, GraphInput, Node, Output
from archspec.layers import Example
from tests.drawing.test_graph_look import check_text
from tests.drawing.test_paper_look import assert_complete, assert_legible
from tests.layers.test_conformance import CASES, from_example


def network(name: str, example: Example) -> Graph:
    """A network of this one layer."""
    layer, types = from_example(name, example)
    inputs = tuple(GraphInput(f"i{at}" if len(types) > 1 else "input", kind) for at, kind in enumerate(types))
    sources = tuple(-1 - at for at in range(len(types)))
    node = Node("layer", layer, sources, types, layer.infer(*types), POINT)
    return Graph("net", inputs, (node,), (Output("output", 0),))


@pytest.mark.parametrize(("name", "example"), CASES)
def test_every_kind_says_what_it_is_in_both_looks(name: str, example: Example) -> None:
    graph = network(name, example)
    (node,) = graph.nodes
    words = described(node)
    assert words.startswith(name) and what(node).startswith(name.replace("_", " "))
    assert node.layer.family in FAMILIES
    if node.input_types[0].is_signal:
        # Nothing of a signal has two sizes; what a slice takes is written with colons.
        assert not re.search(r"\d×\d", words + what(node)), words
    for field in ("kernel", "window"):
        value = getattr(node.layer, field, None)
        if value:
            axes = value if node.input_types[0].is_map else value[:1]
            assert "×".join(map(str, axes)) in words.split(",")[0], words
    for field in ("filters", "units", "heads", "multiplier", "rate", "groups"):
        value = getattr(node.layer, field, None)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value != 1:
            assert re.search(rf"\b{re.escape(f'{value:g}')}\b", words), (field, words)
    drawn = graph_look.scene(graph)
    check_text(drawn)
    assert shortened(words, 240, LINE_SIZE) in {shape.text for shape in drawn.shapes if isinstance(shape, Text)}
    figure = paper_look.scene(graph)
    assert_legible(figure)
    assert_complete(graph, figure)
