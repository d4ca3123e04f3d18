"""DOT, as Graphviz itself reads it."""

from __future__ import annotations

import pytest
from pygraphviz import AGraph

from archspec.drawing.dot import quoted, render
from archspec.drawing.layout import arrange
from archspec.drawing.opening import chosen
from archspec.drawing.pieces import Pieces
from archspec.drawing.unfolding import unfold
from archspec.loading import open_spec


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet50", "fcn8s", "segnet", "resnet1001_preact"])
@pytest.mark.parametrize("depth", [None, 1, 2, 9])
def test_graphviz_reads_the_boxes_and_edges_of_the_picture(name: str, depth: int | None) -> None:
    graph = open_spec(name).graph().pruned("eval")
    read = AGraph(render(graph, depth=depth))
    opened = chosen(Pieces(graph), depth)
    picture = unfold(arrange(graph, opened=opened), opened)
    assert {*map(str, read.nodes())} == {box.path for box in picture.boxes}
    box_of = {path: box.path for box in picture.boxes for path in box.layers}
    edges = {
        (box_of[graph.nodes[source].path] if source >= 0 else "@input", box_of[node.path], source, port)
        for node in graph.nodes
        for source, port in zip(node.inputs, node.ports, strict=True)
    }
    between = {edge for edge in edges if edge[0] != edge[1]}
    assert read.number_of_edges() == len(between) + len(graph.outputs)
    assert {(str(tail), str(head)) for tail, head in read.edges()} >= {edge[:2] for edge in between}
    clusters = {str(cluster.name) for cluster in read.subgraphs()}
    assert len(clusters) <= len(opened)
    assert {f"cluster_{outline.path}" for outline in picture.outlines} >= clusters


def test_shapes_are_on_the_edges() -> None:
    read = AGraph(render(open_spec("lenet5").graph().pruned("eval")))
    assert read.get_edge("@input", "c1").attr["label"] == "32×32×1"
    assert read.get_edge("c1", "s2").attr["label"] == "28×28×6"


def test_indices_are_dashed() -> None:
    read = AGraph(render(open_spec("segnet").graph().pruned("eval")))
    assert read.get_edge("pool1", "upsample1").attr["style"] == "dashed"


def test_direction() -> None:
    graph = open_spec("lenet5").graph().pruned("eval")
    for direction, axis in (("down", 1), ("right", 0)):
        read = AGraph(render(graph, direction=direction))  # type: ignore[arg-type]
        read.layout("dot")
        first, last = (read.get_node(name).attr["pos"].split(",") for name in ("@input", "@output.output"))
        assert (
            abs(float(first[axis]) - float(last[axis])) > 300 > 10 > abs(float(first[1 - axis]) - float(last[1 - axis]))
        )


def test_text_is_quoted() -> None:
    text = 'a"b\\c\nd'
    read = AGraph(f"digraph {{ {quoted('x')} [label={quoted(text)}] }}")
    assert read.get_node("x").attr["label"] == 'a\\"b\\\\c\\nd'.replace('\\"', '"')
