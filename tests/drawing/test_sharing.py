"""What uses another's arrays says whose, once, and is led to them where both are in sight."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.drawing import dot, graph_look, paper_look
from archspec.drawing.layout import arrange, arranged
from archspec.drawing.opening import chosen
from archspec.drawing.pieces import Pieces
from archspec.drawing.scene import Bounds, Polygon, Rectangle, Scene
from archspec.drawing.scene import Path as Line
from archspec.drawing.tying import tied
from archspec.drawing.unfolding import unfold
from tests.drawing.shared import TOWER, Write, graph_of, sharing, siamese, texts, towers, unrolled
from tests.drawing.test_graph_look import check_text
from tests.drawing.test_layout import check, generated
from tests.drawing.test_paper_look import assert_complete, assert_legible

ROWS = """
inputs: {state: {features: 16}, sequence: {length: 28, channels: 4}}
layers:
  - repeat:
      name: t
      from: state
      times: 28
      as: i
      tied: true
      layers:
        - dense: {name: hidden, units: 16}
        - slice: {from: sequence, length: ["$(i)", "$(i + 1)"]}
        - flatten
        - dense: {name: step, units: 16}
        - add: {from: [previous, hidden]}
        - tanh
  - dense: 10
"""


def lines(drawn: Scene) -> list[list[tuple[float, float]]]:
    """The dashed lines without an arrow."""
    return [
        [(shape.start.x, shape.start.y), *((curve.end.x, curve.end.y) for curve in shape.curves)]
        for shape in drawn.shapes
        if isinstance(shape, Line) and shape.style.dash and not shape.arrow
    ]


def dashed(drawn: Scene) -> set[str]:
    return {
        shape.path
        for shape in drawn.shapes
        if isinstance(shape, (Rectangle, Polygon)) and shape.style.dash and shape.path
    }


def test_a_block_that_is_another_one_says_so_once(write: Write) -> None:
    graph = siamese(write)
    drawn = graph_look.scene(graph, depth=2)
    check_text(drawn)
    assert [text for text in texts(drawn) if "weights: " in text] == ["b: tower · weights: a"]
    assert dashed(drawn) == {"b"}
    picture = unfold(arrange(graph), ["a", "b"])
    (line,) = tied(picture, [])
    sides = {item.path: (item.x - item.width / 2, item.x + item.width / 2) for item in picture.outlines}
    # From the right side of the one to the left side of the other.
    assert [point.x for point in line] == pytest.approx([sides["a"][1], sides["b"][0]])
    folded = graph_look.scene(graph, depth=1)
    check_text(folded)
    assert {"weights: a", "8 layers"} <= set(texts(folded)) and len(lines(folded)) == 1
    assert 'label="b\ntower\n8 layers\nweights: a"'.replace("\n", "\\n") in dot.render(graph, depth=1)


def test_steps_with_one_set_of_arrays_are_folded_behind_the_first(write: Write) -> None:
    graph = unrolled(write, 50)
    drawn = graph_look.scene(graph)
    check_text(drawn)
    assert {"steps: 50 × step", "0: step", "step ×49", "1 … 49", "196 layers", "weights: steps.0"} <= set(texts(drawn))
    assert dashed(drawn) == {"steps.1…49"} and len(lines(drawn)) == 1
    assert "629 params" in texts(drawn)[0] + texts(drawn)[1], "544 of the steps, once, and 85 at the end"
    opened = graph_look.scene(graph, depth=3, open=["steps.7"])
    check_text(opened)
    # What is in a row that says whose arrays it uses does not say it again.
    assert sum("weights" in text for text in texts(opened)) == 1 + ("uses another's weights" in texts(opened))


def test_layers_of_chains_that_use_their_counterparts_are_folded(write: Write) -> None:
    drawn = graph_look.scene(towers(write, 50))
    check_text(drawn)
    found = texts(drawn)
    assert found.count("conv 3×3, 8 ×50") == 2
    assert {"l0 … l49", "50 layers · 29.2 k params", "r0 … r49", "50 layers", "weights: l0 … l49"} <= set(found)


def test_arrays_that_are_shared_otherwise_are_not_folded_together(write: Write) -> None:
    text = "input: {height: 8, width: 8, channels: 8}\nlayers:\n" + "".join(
        f"  - conv: {{name: c{at}, filters: 8, kernel: 3, pad: same}}\n" for at in range(14)
    )
    graph = graph_of(write, text)

    def runs(owners: dict[str, str]) -> list[str]:
        pieces = Pieces(sharing(graph, owners)).root.pieces
        return [piece.name for piece in pieces if piece.kind not in ("input", "output")]

    assert runs({}) == ["c0 … c13"]
    # All from the fifth on use the first one's; one of them another's.
    of_first = {f"c{at}": "c0" for at in range(5, 14)}
    assert runs(of_first) == ["c0 … c4", "c5 … c13"]
    assert runs({**of_first, "c9": "c1"}) == ["c0 … c4", "c5 … c8", "c9", "c10 … c13"]
    # Each of a stretch its counterpart's, five before it, and then all the same.
    mixed = {**{f"c{at}": f"c{at - 5}" for at in range(5, 10)}, **{f"c{at}": "c4" for at in range(10, 14)}}
    assert runs(mixed) == ["c0 … c4", "c5 … c9", "c10 … c13"]


def test_a_part_with_arrays_of_its_own_shares_partly(write: Write) -> None:
    owners = {node.path: node.shares for node in siamese(write).nodes if node.shares}
    del owners["b.fc"]
    partly = sharing(graph_of(write, TOWER.replace(", weights: a", "")), owners)
    drawn = graph_look.scene(partly, depth=1)
    assert "weights partly: a" in texts(drawn) and dashed(drawn) == set() and lines(drawn) == []
    opened = texts(graph_look.scene(partly, depth=2))
    assert opened.count("weights: a.conv2") == 1 and "b: tower · weights partly: a" in opened


def test_the_paper_look_tells_of_a_block_at_its_first_volume(write: Write) -> None:
    graph = siamese(write)
    figure = paper_look.scene(graph)
    assert_legible(figure)
    assert_complete(graph, figure)
    assert [text for text in texts(figure) if "weights" in text] == ["b: weights of a", "uses another's weights"]
    assert dashed(figure) == {"b.conv1", "b.conv2", "b.fc"}
    figure = paper_look.scene(towers(write, 50))
    assert_legible(figure)
    assert "weights: l0 – l49" in texts(figure)


@pytest.mark.parametrize("times", [5, 50])
def test_the_paper_look_counts_the_arrays_of_steps_once(times: int, write: Write) -> None:
    graph = unrolled(write, times)
    figure = paper_look.scene(graph)
    assert_legible(figure)
    assert_complete(graph, figure)
    assert {f"{times} × step", "one set of weights"} <= set(texts(figure))
    assert "steps.0" not in dashed(figure) and "steps.1" in dashed(figure)
    assert "629 parameters" in figure.title


def test_steps_that_each_take_a_row_are_folded_with_the_rows_told(write: Write) -> None:
    graph = graph_of(write, ROWS)
    drawn = graph_look.scene(graph)
    check_text(drawn)
    assert {"round ×27", "slice length 1:2 … length 27:28", "weights: t.0"} <= set(texts(drawn))
    figure = paper_look.scene(graph)
    assert_legible(figure)
    assert_complete(graph, figure)
    assert {"t", "28 × block", "one set of weights"} <= set(texts(figure))


def test_three_that_share_are_joined_side_by_side(write: Write) -> None:
    text = TOWER.replace("}}\nblocks", "}, third: {height: 28, width: 28, channels: 1}}\nblocks")
    text = text.replace("  - subtract", "  - tower: {name: c, from: third, weights: a}\n  - concat").replace(
        "[a, b]", "[a, b, c]"
    )
    graph = graph_of(write, text)
    drawn = graph_look.scene(graph, depth=2)
    check_text(drawn)
    ends = [[x for x, _ in line] for line in lines(drawn)]
    assert len(ends) == 2 and ends[0][1] < ends[1][0], "from a to b, and from b on to c"
    figure = paper_look.scene(graph)
    assert_legible(figure)
    inputs = {name: shape.box.top for shape in figure.shapes for name in ("left", "right", "third")
              if isinstance(shape, Polygon) and shape.path == f"@input.{name}"}  # fmt: skip
    assert sorted(inputs, key=lambda name: inputs[name]) == ["left", "right", "third"]


def test_rows_of_inputs_cross_no_others(write: Write) -> None:
    names = [f"x{at}" for at in range(12)]
    text = f"inputs: {{{', '.join(f'{name}: {{features: 8}}' for name in names)}}}\nlayers:\n"
    for at, name in enumerate(names):
        text += f"  - dense: {{name: h{at}, from: {name}, units: 8}}\n"
        text += f"  - add: {{name: s{at}, from: [h{at}, {'s' if at > 1 else 'h'}{at - 1}]}}\n" if at else ""
    graph = graph_of(write, text)
    figure = paper_look.scene(graph)
    assert_complete(graph, figure)
    assert_legible(figure)
    check_text(graph_look.scene(graph))


@pytest.mark.slow
def test_20_000_layers_that_share(write: Write) -> None:
    graph = unrolled(write, 5000)
    drawn = graph_look.scene(graph)
    check_text(drawn)
    assert len(graph.nodes) > 20_000 and "step ×4,999" in texts(drawn)


@settings(max_examples=5, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_generated_networks_that_share_in_any_way(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    graph = generated(data, tmp_path_factory.mktemp("specs"), ("input",), ("left", "right"))
    own: list[str] = []
    owners: dict[str, str] = {}
    for node in graph.nodes:
        if node.kind == "conv":
            if own and data.draw(st.booleans()):
                owners[node.path] = data.draw(st.sampled_from(own))
            else:
                own.append(node.path)
    graph = sharing(graph, owners)
    pieces = Pieces(graph)
    frames = arranged(pieces)
    opened = set(data.draw(st.lists(st.sampled_from(sorted(frames)), unique=True)))
    check(pieces, frames, opened)
    picture = unfold(frames, opened)
    for line in tied(picture, []):
        for (x0, y0), (x1, y1) in pairwise(line):
            part = Bounds(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            for box in picture.boxes:
                inside = Bounds(
                    box.x - box.width / 2, box.y - box.height / 2, box.x + box.width / 2, box.y + box.height / 2
                )
                assert not part.meets(inside, -0.01)
    # Every layer that shares is told of by its box, or by one around it that is another block once more.
    told = pieces.ties.keys()
    for piece in pieces.root.walk():
        if piece.kind == "unit" and any(graph.nodes[index].path in owners for index in piece.nodes):
            around = [
                outer for outer in pieces.root.walk() if set(piece.nodes) <= set(outer.nodes) and outer.path in told
            ]
            assert around, piece.path
    for direction in ("down", "right"):
        check_text(graph_look.scene(graph, depth=data.draw(st.integers(1, 4)), direction=direction), crossed=True)
    figure = paper_look.scene(graph)
    assert_complete(graph, figure)
    assert_legible(figure, crossed=True)
    assert chosen(pieces) <= {piece.path for piece in pieces.root.walk()}
