"""The paper look: to scale, complete, and legible."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path as File

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archspec
from archspec.drawing import DrawingError, svg
from archspec.drawing.groups import FEW, groups
from archspec.drawing.paper_look import scene
from archspec.drawing.scene import Bounds, Path, Polygon, Scene, Text
from archspec.graph import Graph
from archspec.zoo import zoo_variants
from tests.zoo import sampled

ZOO = [name for name, (_, variant) in zoo_variants().items() if variant]


def drawn(text: str, write: Callable[..., File]) -> tuple[Graph, Scene]:
    graph = archspec.load(write(text)).graph()
    return graph, scene(graph)


def texts(figure: Scene) -> list[Text]:
    return [shape for shape in figure.shapes if isinstance(shape, Text)]


def assert_legible(figure: Scene, crossed: bool = False) -> None:
    """No label on another, none cut, none crossed by an arrow unless that is allowed, and nothing outside the page."""
    page = Bounds(0, 0, figure.width, figure.height)
    for shape in figure.shapes:
        assert shape.box.within(page), shape
    labels = texts(figure)
    for one, other in combinations(labels, 2):
        # Lines of one label are set close: letters, not the room above and below them, must stay apart.
        assert not one.box.meets(other.box, -0.4), (one.text, other.text)
    for route in figure.shapes:
        if isinstance(route, Path) and route.arrow and not crossed:
            at = route.start
            for curve in route.curves:
                left, right = sorted((at.x, curve.end.x))
                top, bottom = sorted((at.y, curve.end.y))
                for label in labels:
                    assert not Bounds(left, top, right, bottom).meets(label.box, -0.5), (label.text, route)
                at = curve.end


def assert_complete(graph: Graph, figure: Scene) -> None:
    """Every layer stands in one step, what changes the shape begins one, and each group and input is drawn."""
    found = groups(graph)
    assert [group.first.type for group in found if group.first.role == "input"] == [item.type for item in graph.inputs]
    steps = [step for group in found for step in group.steps]
    assert sorted(index for step in steps for index in step.nodes) == list(range(len(graph.nodes)))
    for step in steps:
        if step.role == "layer":
            for node in (graph.nodes[index] for index in step.nodes[1:]):
                # The two layers of a separable convolution are one step.
                assert node.path.startswith(step.path + ".") or node.output.shape == node.input_types[0].shape
    paths = {shape.path for shape in figure.shapes if not isinstance(shape, Text)}
    for group in found:
        if group.first.role != "output":
            assert {group.first.path, group.last.path} <= paths
    words = {text.text for text in texts(figure)}
    for group in found:
        if group.first.role == "output":
            assert any(group.first.name.startswith(word.split("…")[0]) for word in words)


def fronts(figure: Scene) -> dict[str, Bounds]:
    """The faces turned to the reader, by layers' paths."""
    return {shape.path: shape.box for shape in figure.shapes if isinstance(shape, Polygon) and shape.path}


def assert_to_scale(graph: Graph, figure: Scene) -> None:
    """Heights of maps to one scale, lengths of signals as roots, and the depths of both together as √channels."""
    boxes = fronts(figure)
    types = {step.path: step.type for group in groups(graph) for step in group.steps if step.role == "input"}
    for group in groups(graph):
        for step in group.steps:
            if step.nodes and step.role != "symbol":
                types[step.path] = graph.nodes[step.nodes[-1]].output
    deepest = max((path for path in boxes if types[path].spatial), key=lambda path: types[path].channels, default="")
    for dimensions in (3, 2):
        alike = {path: box for path, box in boxes.items() if len(types[path].shape) == dimensions}
        largest = max(alike, key=lambda path: types[path].shape[0], default="")
        for path, box in alike.items():
            exact = alike[largest].height * (types[path].shape[0] / types[largest].shape[0]) ** (
                1 if dimensions == 3 else 0.5
            )
            assert box.height == pytest.approx(max(exact, 1.6), rel=1e-6), path
            exact = boxes[deepest].width * (types[path].channels / types[deepest].channels) ** 0.5
            assert box.width == pytest.approx(max(exact, 1.6), rel=1e-6), path


@pytest.mark.parametrize("name", sampled(ZOO))
def test_figures_of_the_zoo(name: str) -> None:
    for mode in ("eval", "train"):
        graph = archspec.load(name).graph().pruned(mode)
        figure = scene(graph)
        assert_legible(figure)
        assert_complete(graph, figure)
        assert_to_scale(graph, figure)
        assert len(groups(graph)) <= FEW + len(graph.outputs)
        if mode == "train" and len(graph.outputs) == 1:
            break


def test_equal_graphs_give_equal_figures() -> None:
    one, two = (svg.render(scene(archspec.load("fcn8s").graph())) for _ in range(2))
    assert one == two


def test_skips_of_segnet_join_each_pooling_to_its_unpooling() -> None:
    figure = scene(archspec.load("segnet_basic").graph())
    boxes = fronts(figure)
    arcs = [shape for shape in figure.shapes if isinstance(shape, Path) and shape.arrow and len(shape.curves) == 5]
    # The innermost pair stands side by side; its indices go straight along.
    assert len(arcs) == 3
    for number, arc in zip((3, 2, 1), sorted(arcs, key=lambda arc: -arc.box.top), strict=True):
        pool, unpool = boxes[f"pool{number}"], boxes[f"upsample{number}"]
        assert pool.left - 60 < arc.start.x < pool.right + 60
        assert unpool.left < arc.curves[-1].end.x < unpool.right + 80
        assert arc.style.dash
    tops = [arc.box.top for arc in sorted(arcs, key=lambda arc: arc.start.x)]
    assert tops == sorted(tops)


def test_windows_of_lenet_are_to_scale() -> None:
    figure = scene(archspec.load("lenet5").graph())
    height = fronts(figure)["input"].height
    glass = [shape for shape in figure.shapes if isinstance(shape, Polygon) and shape.style.opacity < 1]
    assert len(glass) == 4
    (x1, y1), _, (x2, y2), (x3, y3) = glass[0].points
    assert y3 - y1 == pytest.approx(height * 5 / 32)
    assert x1 == x3 and x2 > x1 and y2 != y1


def test_repeats_beyond_a_few_are_left_out_and_counted() -> None:
    graph = archspec.load("resnet152").graph()
    figure = scene(graph)
    words = {text.text for text in texts(figure)}
    assert {"layer3", "36 × bottleneck", "14×14×1024"} <= words
    slabs = [path for path in fronts(figure) if path.startswith("layer3.")]
    assert slabs == ["layer3.0", "layer3.1", "layer3.35"]


@pytest.mark.parametrize(
    "text",
    [
        "input: {height: 8, width: 8, channels: 1}\nlayers:\n  - relu\n",
        "input: {height: 8, width: 8, channels: 3}\nlayers:\n  - flatten\n  - dense: 10\n  - dense: 4\n  - softmax\n",
        "input: {height: 1, width: 4000, channels: 1}\nlayers:\n  - conv: {filters: 8, kernel: [1, 9]}\n",
        "input: {height: 2000, width: 1, channels: 700}\nlayers:\n  - conv: {filters: 1, kernel: 1}\n",
        # branches side by side without blocks
        """input: {height: 16, width: 16, channels: 3}
layers:
  - conv: {name: stem, filters: 8, kernel: 3}
  - conv: {name: left, filters: 8, kernel: 3}
  - conv: {name: right, from: stem, filters: 24, kernel: 3}
  - conv: {name: third, from: stem, filters: 2, kernel: 3}
  - concat: {name: joined, from: [left, right, third]}
  - max_pool: {name: pool, window: 2}
  - flatten
  - dense: {name: a, units: 5}
  - dense: {name: b, from: flatten1, units: 7}
  - dense: {name: c, from: flatten1, units: 3}
outputs: {a: a, b: b, c: c, again: a, middle: pool}
""",
        # a skip from a map that also feeds a branch below
        """input: {height: 16, width: 16, channels: 4}
layers:
  - conv: {name: one, filters: 4, kernel: 3, pad: same}
  - conv: {name: two, filters: 4, kernel: 3, pad: same}
  - conv: {name: three, filters: 4, kernel: 3, pad: same}
  - add: {name: sum, from: [three, one]}
  - conv: {name: side, from: one, filters: 4, kernel: 3, pad: same}
  - add: {name: all, from: [sum, side, input]}
  - multiply: {name: gated, from: [all, two]}
""",
        """input: {height: 16, width: 16, channels: 4}
blocks:
  whole:
    layers:
      - parallel:
          branches:
            - - conv: {filters: 4, kernel: 1}
            - - conv: {filters: 8, kernel: 1}
              - conv: {filters: 8, kernel: 3, pad: same}
layers:
  - whole: {name: everything}
""",
    ],
)
def test_small_and_odd_networks(text: str, write: Callable[..., File]) -> None:
    graph, figure = drawn(text, write)
    assert_legible(figure)
    assert_complete(graph, figure)
    assert_to_scale(graph, figure)


def test_a_u_net_in_one_block_is_opened(write: Callable[..., File]) -> None:
    text = """input: {height: 64, width: 64, channels: 3}
blocks:
  u_net:
    layers:
      - conv: {name: down1, filters: 16, kernel: 3, pad: same}
      - max_pool: {name: pool1, window: 2}
      - conv: {name: down2, filters: 32, kernel: 3, pad: same}
      - max_pool: {name: pool2, window: 2}
      - conv: {name: bottom, filters: 64, kernel: 3, pad: same}
      - transposed_conv: {name: up2, filters: 32, kernel: 2, stride: 2}
      - concat: {name: joined2, from: [up2, down2]}
      - transposed_conv: {name: up1, filters: 16, kernel: 2, stride: 2}
      - concat: {name: joined1, from: [up1, down1]}
      - conv: {name: score, filters: 2, kernel: 1}
layers:
  - u_net: {name: net}
"""
    graph, figure = drawn(text, write)
    assert_legible(figure)
    assert_complete(graph, figure)
    assert {"down1", "bottom", "joined1"} <= {text.text for text in texts(figure)}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(8, 300),
    chain=st.lists(
        st.tuples(
            st.sampled_from(["conv", "max_pool", "relu", "batch_norm", "unpool", "transposed_conv", "dropout"]),
            st.integers(1, 2000),
            st.text("abcdefgWM_", min_size=1, max_size=40),
        ),
        max_size=14,
    ),
    ending=st.lists(st.integers(1, 30000), max_size=4),
)
def test_any_chain_is_legible(
    size: int, chain: list[tuple[str, int, str]], ending: list[int], write: Callable[..., File]
) -> None:
    fields = {
        "conv": "filters: {0}, kernel: 3, pad: same",
        "max_pool": "window: 2, rounding: ceil",
        "unpool": "factor: 2",
        "transposed_conv": "filters: {0}, kernel: 2, stride: 2",
        "dropout": "rate: 0.5",
    }
    lines = [f"input: {{height: {size}, width: {size}, channels: 3}}", "layers:"]
    side, ups = size, 0
    for index, (kind, number, name) in enumerate(chain):
        # A pooling needs more than one pixel; maps must not grow beyond all bounds, nor be flattened to 2³¹ values.
        if (kind == "max_pool" and side == 1) or (
            kind in ("unpool", "transposed_conv") and (ups == 3 or 2 * side > 1000)
        ):
            kind = "relu"
        if kind == "max_pool":
            side = -(-side // 2)
        elif kind in ("unpool", "transposed_conv"):
            side, ups = 2 * side, ups + 1
        more = fields.get(kind, "").format(number)
        lines.append(f"  - {kind}: {{name: n{index}{name}{', ' if more else ''}{more}}}")
    lines.append("  - flatten")
    lines += [f"  - dense: {units}" for units in ending]
    graph, figure = drawn("\n".join(lines) + "\n", write)
    assert_legible(figure)
    assert_complete(graph, figure)
    assert_to_scale(graph, figure)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given=st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=3, unique=True), min_size=1, max_size=12),
    count=st.integers(1, 4),
)
def test_any_joins_are_legible(given: list[list[int]], count: int, write: Callable[..., File]) -> None:
    inputs = ["left", "right", "third", "a_" + "long" * 9][:count] if count > 1 else ["input"]
    lines = [
        f"inputs: {{{', '.join(f'{name}: {{height: 24, width: 24, channels: 4}}' for name in inputs)}}}",
        "layers:",
    ]
    for index, sources in enumerate(given):
        names = list(dict.fromkeys(f"n{source}" if source < index else inputs[source % count] for source in sources))
        kind = "add: {" if len(names) > 1 else "conv: {filters: 4, kernel: 3, pad: same, "
        lines.append(f"  - {kind}name: n{index}, from: [{', '.join(names)}]}}")
    lines.append(f"outputs: {{{', '.join(f'o{index}: n{index}' for index in range(len(given)))}}}")
    graph, figure = drawn("\n".join(lines) + "\n", write)
    assert_complete(graph, figure)
    assert_to_scale(graph, figure)
    assert_legible(figure, crossed=True)


def test_long_chains_fold_into_one_row_of_slabs(write: Callable[..., File]) -> None:
    text = """input: {height: 8, width: 8, channels: 4}
layers:
  - repeat:
      times: 5000
      layers:
        - conv: {filters: 4, kernel: 3, pad: same}
        - relu
"""
    _, figure = drawn(text, write)
    assert len(figure.shapes) < 80
    assert "5,000 × conv 3×3" in {text.text for text in texts(figure)}


def test_what_cannot_be_read_is_refused(write: Callable[..., File]) -> None:
    layers = "".join(f"  - conv: {{filters: {index + 1}, kernel: 1}}\n" for index in range(200))
    graph = archspec.load(write("input: {height: 8, width: 8, channels: 4}\nlayers:\n" + layers)).graph()
    with pytest.raises(DrawingError, match="would have 202 volumes"):
        scene(graph)


def test_blocks_of_unnamed_layers_are_called_by_the_blocks_names(write: Callable[..., File]) -> None:
    text = """
input: {height: 32, width: 32, channels: 3}
blocks:
  double:
    layers:
      - conv: {filters: 8, kernel: 3, pad: same}
      - relu
      - conv: {filters: 8, kernel: 3, pad: same}
layers:
  - double: {name: enc1}
  - max_pool: 2
  - double: {name: enc2}
"""
    _, figure = drawn(text, write)
    said = [shape.text for shape in texts(figure)]
    assert said.count("enc1") == said.count("enc2") == 1 and not any(text.startswith("conv1") for text in said)


@pytest.mark.parametrize(
    ("layers", "labels"),
    [
        # `conv1` and all of `stage1`, which is a `conv2`, are no `conv1–2`.
        (
            "  - conv: {name: conv1, filters: 8, kernel: 3, pad: same}\n"
            "  - repeat: {name: stage1, times: 1, layers: [{conv: {name: conv2, filters: 8, kernel: 3, pad: same}}]}\n",
            {"conv1", "stage1"},
        ),
        # Two rounds, each with a `conv1` and a `conv2`.
        (
            "  - repeat: {name: body, times: 2, layers: [{conv: {name: conv1, filters: 8, kernel: 3, pad: same}}, "
            "{conv: {name: conv2, filters: 8, kernel: 3, pad: same}}]}\n",
            {"body"},
        ),
        (
            "  - conv: {name: conv1, filters: 8, kernel: 3, pad: same}\n"
            "  - conv: {name: conv2, filters: 8, kernel: 3, pad: same}\n"
            "  - conv: {name: head.conv3, filters: 8, kernel: 3, pad: same}\n",
            {"conv1–2", "head"},
        ),
    ],
)
def test_a_label_is_of_names_in_one_scope(layers: str, labels: set[str], write: Callable[..., File]) -> None:
    _, figure = drawn(f"input: {{height: 16, width: 16, channels: 3}}\nlayers:\n{layers}", write)
    bold = {text.text for text in texts(figure) if text.bold}
    assert bold - {"net", "input", "output"} == labels


def test_what_an_unnamed_layer_does_is_two_lines_and_not_cut(write: Callable[..., File]) -> None:
    _, figure = drawn(
        "input: {height: 8, width: 8, channels: 4}\n"
        "layers:\n"
        "  - transposed_conv: {filters: 8, kernel: 4, stride: 2, pad: 1}\n"
        "  - transposed_conv: {filters: 4, kernel: 2, stride: 2}\n",
        write,
    )
    words = [label.text for label in texts(figure)]
    assert words.count("transposed") == 2
    assert "conv 4×4 ×2" in words and "conv 2×2 ×2" in words
    assert not any("…" in word for word in words)
    assert_legible(figure)
