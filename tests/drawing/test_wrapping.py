"""Pictures in columns and rows: blocks that go on are named again, and dashed lines do not lie on others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path as File

import pytest

from archspec.drawing.columns import in_columns
from archspec.drawing.graph_look import drawn, scene
from archspec.drawing.layout import Direction, Outline, Picture, arranged, turned
from archspec.drawing.opening import chosen
from archspec.drawing.pieces import Pieces
from archspec.drawing.scene import Path, Text
from archspec.drawing.unfolding import unfold
from archspec.drawing.wires import LINK
from archspec.drawing.wrapping import wrapped
from archspec.graph import Graph
from archspec.loading import open_spec
from tests.drawing.shared import siamese
from tests.drawing.test_graph_look import check_text
from tests.drawing.test_layout import check_lines, check_links, check_places

U_NET = """
input: {height: 64, width: 64, channels: 3}
blocks:
  stage:
    args: {filters: 8}
    layers:
      - conv: {filters: $(filters), kernel: 3, pad: same}
      - conv: {filters: $(filters), kernel: 3, pad: same}
  up:
    args: {filters: 8}
    inputs: [x, skip]
    layers:
      - resize: {name: larger, from: x, like: skip}
      - concat: {from: [skip, larger]}
      - stage: {filters: $(filters)}
layers:
  - stage: {name: d1}
  - max_pool: 2
  - stage: {name: d2, filters: 16}
  - max_pool: 2
  - stage: {name: d3, filters: 32}
  - up: {name: u2, from: [d3, d2], filters: 16}
  - up: {name: u1, from: [u2, d1]}
  - conv: {filters: 2, kernel: 1}
"""


def picture_of(graph: Graph, direction: Direction) -> Picture:
    pieces = Pieces(graph)
    opened = chosen(pieces, 9)
    return unfold(arranged(pieces, direction, opened), opened)


def check_titles(graph: Graph, whole: Picture, picture: Picture) -> int:
    """Of each block the first part has its title and the others have it again, in full; how many those are."""
    titles = {outline.path: outline.heading for outline in whole.outlines}
    written = [shape.text for shape in drawn(graph, picture).shapes if isinstance(shape, Text)]
    parts: dict[str, list[Outline]] = {}
    for outline in picture.outlines:
        parts.setdefault(outline.path, []).append(outline)
    assert parts.keys() == titles.keys()
    for path, (first, *others) in parts.items():
        assert not first.continued
        assert first.heading == titles[path]
        name = titles[path].split(": ")[0]
        for other in others:
            assert other.continued
            assert other.heading in (f"{titles[path]} (continued)", f"{name} (continued)")
            assert other.heading in written
    return sum(len(others) for _, *others in parts.values())


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("resnet34", "right"),
        *((name, direction) for name in ("fcn8s", "enet") for direction in ("down", "right")),
    ],
)
def test_blocks_that_go_on_are_named_again(name: str, direction: Direction) -> None:
    graph = open_spec(name).graph().pruned("eval")
    whole = picture_of(graph, direction)
    picture = wrapped(whole)
    assert check_titles(graph, whole, picture) > 0
    check_text(drawn(graph, picture))
    if name == "resnet34":
        assert "layer1: 3 × basic (continued)" in [outline.heading for outline in picture.outlines]


@pytest.mark.parametrize("direction", ["down", "right"])
def test_a_picture_may_be_cut_at_any_height_between_boxes(direction: Direction, write: Callable[..., File]) -> None:
    for graph in (open_spec(str(write(U_NET))).graph().pruned("eval"), siamese(write)):
        whole = picture_of(graph, direction)
        upright = whole if direction == "down" else turned(whole)
        heights = sorted({round(box.y - box.height / 2 - 7, 3) for box in upright.boxes})
        free = [
            y
            for y in heights[1:]
            if not any(abs(y - box.y) < box.height / 2 + 3 for box in upright.boxes)
            and not any(abs(abs(y - outline.y) - outline.height / 2) < 4 for outline in upright.outlines)
        ]
        assert len(free) > 5
        for cuts in [[y] for y in free] + [list(pair) for pair in pairwise(free)] + [free]:
            picture = in_columns(upright, cuts, direction)
            picture = picture if direction == "down" else turned(picture, "right")
            check_places(picture)
            check_links(picture)
            check_lines(picture)
            check_text(drawn(graph, picture))


def test_a_dashed_line_is_not_drawn_on_another_of_its_tensor(write: Callable[..., File]) -> None:
    """A size is taken of what is also a value: one solid line goes to where both part, in the block that takes them."""
    graph = open_spec(str(write(U_NET))).graph().pruned("eval")
    folded = [shape for shape in scene(graph, depth=1).shapes if isinstance(shape, Path)]
    assert len(folded) == 11 and not any(shape.style.dash for shape in folded)
    lines: dict[bool, list[tuple[float, float, float, float]]] = {True: [], False: []}
    heads = 0
    for shape in scene(graph, depth=9).shapes:
        if isinstance(shape, Path) and shape.style.stroke == LINK:
            heads += shape.arrow and bool(shape.style.dash)
            for a, b in pairwise([shape.start, *(curve.end for curve in shape.curves)]):
                lines[bool(shape.style.dash)].append((min(a.x, b.x), min(a.y, b.y), max(a.x, b.x), max(a.y, b.y)))
    # Two into layers, one in the legend.
    assert heads == 3
    for x0, y0, x1, y1 in lines[True]:
        for u0, v0, u1, v1 in lines[False]:
            over = min(x1, u1) - max(x0, u0), min(y1, v1) - max(y0, v0)
            assert max(over) < 1 or min(over) < -0.5 or (x1 - x0 > 1) != (u1 - u0 > 1), (x0, y0, x1, y1)
