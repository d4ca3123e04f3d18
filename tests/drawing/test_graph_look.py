"""The look of a graph: text fits, nothing is cut, and what is open by default can be read."""

from __future__ import annotations

import gc
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path as File

import pytest

from archspec.drawing import DrawingError, svg
from archspec.drawing.captions import described
from archspec.drawing.graph_look import scene
from archspec.drawing.layout import Direction, arrange
from archspec.drawing.opening import MANY, chosen, visible
from archspec.drawing.palette import WORDS
from archspec.drawing.pieces import Pieces
from archspec.drawing.scene import Bounds, Path, Rectangle, Scene, Text, stretch
from archspec.drawing.steps import what
from archspec.drawing.wires import LINK
from archspec.graph import Graph
from archspec.loading import open_spec
from tests.drawing.shared import texts
from tests.zoo import SAMPLE


def graph_of(name: str, mode: str = "eval") -> Graph:
    return open_spec(name).graph().pruned(mode)


def check_text(drawn: Scene, *, crossed: bool = False) -> None:
    """Nothing leaves the picture, no two texts overlap, and a box's is in its rectangles; no line goes through one,
    but where `crossed` says that there may be no place without lines.
    """
    page = Bounds(0, 0, drawn.width, drawn.height)
    assert all(shape.box.within(page) for shape in drawn.shapes)
    written = [shape for shape in drawn.shapes if isinstance(shape, Text)]
    rectangles: dict[str, list[Bounds]] = {}
    for shape in drawn.shapes:
        if isinstance(shape, Rectangle) and shape.path:
            rectangles.setdefault(shape.path, []).append(shape.box)
    for text in written:
        if text.path:
            assert any(text.box.within(around) for around in rectangles[text.path]), text
    written.sort(key=lambda text: text.box.top)
    for index, one in enumerate(written):
        for other in written[index + 1 :]:
            if other.box.top > one.box.bottom:
                break
            assert not one.box.meets(other.box, gap=-2.5), (one.text, other.text)
    parts = [
        stretch(a, b)
        for shape in drawn.shapes
        if isinstance(shape, Path) and shape.style.stroke == LINK
        for a, b in pairwise([shape.start, *(curve.end for curve in shape.curves)])
        if a.x == b.x or a.y == b.y
    ]
    for text in written:
        assert crossed or not any(text.box.meets(part, gap=-1.5) for part in parts), text


@pytest.mark.parametrize("name", SAMPLE)
def test_text_fits_by_default(name: str) -> None:
    graph = graph_of(name)
    check_text(scene(graph))


@pytest.mark.parametrize("name", ["googlenet", "fcn8s", "segnet", "resnet50", "unet"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_text_fits_at_every_depth_and_direction(name: str, depth: int) -> None:
    graph = graph_of(name, "train")
    check_text(scene(graph, depth=depth))
    check_text(scene(graph, depth=depth, direction="right"))


@pytest.mark.parametrize("name", SAMPLE)
def test_default_pictures_have_few_boxes_and_show_a_block_of_each_kind(name: str) -> None:
    pieces = Pieces(graph_of(name))
    opened = chosen(pieces)
    assert visible(pieces.root, opened) <= max(MANY, len(pieces.root.pieces))
    outermost = [piece for piece in pieces.root.pieces if piece.kind == "block"]
    if outermost and len(pieces.root.pieces) + max(len(piece.pieces) for piece in outermost) < MANY:
        assert opened & {piece.path for piece in outermost}


def test_a_stride_that_enlarges_is_a_factor() -> None:
    found = texts(scene(graph_of("fcn8s")))
    assert "transposed_conv 16×16, 21, ×8" in found and "max_pool 2×2 /2" in found


def test_the_picture_names_input_outputs_and_shapes() -> None:
    found = texts(scene(graph_of("googlenet", "train")))
    assert {"googlenet", "input 224×224×3", "logits", "aux1", "aux2", "output 1000", "56×56×64"} <= set(found)
    assert found[:2] == [
        "GoogLeNet, as the paper has it",
        "googlenet · 157 layers · 13.38 M params · 1.591 G MACs · as trained",
    ]
    assert "aux1" not in texts(scene(graph_of("googlenet")))


def test_layers_say_how_they_change_the_size(write: Callable[..., File]) -> None:
    """Strides make smaller, those of transposed convolutions larger, in both looks."""
    text = """input: {height: 8, width: 8, channels: 4}
layers:
  - conv: {filters: 8, kernel: 3, pad: 2, stride: 2, dilation: 2, groups: 4}
  - max_pool: {window: 2, stride: [1, 2]}
  - transposed_conv: {filters: 8, kernel: [4, 2], stride: 2}
  - unpool: 2
  - resize: {factor: 1.5}
  - resize: {size: [30, 40]}
  - adaptive_avg_pool: {size: [3, 2]}
"""
    graph = open_spec(str(write(text))).graph()
    assert [described(node) for node in graph.nodes] == [
        "conv 3×3, 8, /2, dilation 2, groups 4",
        "max_pool 2×2 /1×2",
        "transposed_conv 4×2, 8, ×2",
        "unpool ×2",
        "resize ×1.5",
        "resize 30×40",
        "adaptive_avg_pool 3×2",
    ]
    assert [what(node) for node in graph.nodes][:5] == [
        "conv 3×3 /2 dilation 2",
        "max pool 2×2 /1×2",
        "transposed conv 4×2 ×2",
        "unpool ×2",
        "resize ×1.5",
    ]


@pytest.mark.parametrize("direction", ["down", "right"])
def test_what_is_too_long_for_a_box_is_cut(direction: Direction, write: Callable[..., File]) -> None:
    name = "first_" + "x" * 80 + "_last"
    text = f"""input: {{height: 8, width: 8, channels: 4}}
layers:
  - conv: {{name: {name}, filters: 8, kernel: 1}}
  - repeat: {{name: {name}2, times: 2, layers: [{{residual: {{layers: [{{conv: {{filters: 8, kernel: 1}}}}, relu]}}}}]}}
"""
    drawn = scene(open_spec(str(write(text))).graph(), depth=3, direction=direction)
    check_text(drawn)
    assert max(shape.width for shape in drawn.shapes if isinstance(shape, Rectangle) and shape.path == name) < 280
    assert any(text.startswith("first_x") and text.endswith("x_last") and "…" in text for text in texts(drawn))
    assert name in svg.render(drawn), "the tooltip has all of it"


def test_the_legend_has_the_families_that_are_there() -> None:
    found = texts(scene(graph_of("lenet5")))
    assert WORDS["convolution"] in found and WORDS["dense"] in found
    assert WORDS["join"] not in found and WORDS["normalisation"] not in found


def test_alike_blocks_in_a_row_are_one_box() -> None:
    found = texts(scene(graph_of("resnet152")))
    assert {"bottleneck ×35", "1 … 35", "350 layers · 39.1 M params"} <= set(found)


def test_open_takes_paths_and_patterns() -> None:
    pieces = Pieces(graph_of("resnet152"))
    assert chosen(pieces, None, ["layer3.5"]) == {"layer3", "layer3.1…35", "layer3.5"}
    assert chosen(pieces, None, ["layer*.0"]) == {f"layer{n}{rest}" for n in range(1, 5) for rest in ("", ".0")}
    assert chosen(pieces, None, ["layer2.0.conv3"]) >= {"layer2", "layer2.0"}
    assert chosen(pieces, 1) == set()
    with pytest.raises(DrawingError, match="did you mean `layer3`"):
        chosen(pieces, None, ["layer_3"])


def test_long_pictures_are_wrapped() -> None:
    for name in ("vgg16", "resnet152", "googlenet", "segnet", "fcn8s"):
        drawn = scene(graph_of(name))
        assert 0.7 < drawn.width / drawn.height < 2, name


def test_svg_is_well_formed_and_leads_to_the_layers() -> None:
    graph = graph_of("resnet50")
    root = ET.fromstring(svg.render(scene(graph)))
    assert root.tag.endswith("svg")
    paths = {element.get("data-path") for element in root.iter()} - {None}
    assert {"layer1.0", "layer1.0.conv1", "layer3.1…5", "@input", "@output.output"} <= paths


SMALL = "input: {height: 8, width: 8, channels: 8}\n"
PARTS: dict[str, Callable[[int], str]] = {
    "a chain": lambda count: (
        SMALL + "layers:\n" + "  - conv: {filters: 8, kernel: 3, pad: same}\n  - relu\n" * (count // 2)
    ),
    "a chain of unlike layers": lambda count: (
        SMALL + "layers:\n" + "".join(f"  - conv: {{filters: {8 + index % 7}, kernel: 1}}\n" for index in range(count))
    ),
    "blocks": lambda count: (
        SMALL
        + "blocks:\n  b:\n    layers:\n"
        + "      - conv: {filters: 8, kernel: 1}\n      - relu\n" * 10
        + "layers:\n"
        + "  - b\n" * (count // 20)
    ),
    "branches": lambda count: (
        SMALL
        + "layers:\n  - parallel:\n      branches:\n"
        + "        - [{conv: {filters: 8, kernel: 1}}, relu]\n" * (count // 2)
    ),
}


@pytest.mark.parametrize(
    ("kind", "layers"),
    [
        ("a chain", 20_000),
        ("blocks", 20_000),
        ("a chain of unlike layers", 4_000),
        ("branches", 4_000),
        pytest.param("a chain of unlike layers", 20_000, marks=pytest.mark.slow),
        pytest.param("branches", 20_000, marks=pytest.mark.slow),
    ],
)
def test_thousands_of_layers_are_folded(kind: str, layers: int, write: Callable[..., File]) -> None:
    # As the command does: what is made here lives as long as it runs.
    gc.disable()
    try:
        graph = open_spec(str(write(PARTS[kind](layers)))).graph()
        drawn = scene(graph)
    finally:
        gc.enable()
    assert len(graph.nodes) >= layers
    check_text(drawn)
    assert len(drawn.shapes) < 600
    boxes = arrange(graph, opened=())[""].boxes
    assert sum(len(box.layers) for box in boxes) == len(graph.nodes)


def test_more_boxes_than_can_be_drawn_are_refused(write: Callable[..., File]) -> None:
    graph = open_spec(str(write(PARTS["a chain of unlike layers"](3_500)))).graph()
    with pytest.raises(DrawingError, match="--depth"):
        scene(graph, open=["*"])


def test_boxes_of_one_picture_have_one_path_each() -> None:
    for name in ("googlenet", "resnet50"):
        frames = arrange(graph_of(name))
        paths = [box.path for frame in frames.values() for box in frame.boxes]
        assert len(paths) == len(set(paths))
        assert all(one != other for one, other in combinations(frames, 2))
