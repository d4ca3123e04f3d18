"""What comes again and again in a chain is one box, whatever it is made of and however it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.drawing.captions import caption
from archspec.drawing.groups import groups
from archspec.drawing.layout import arranged
from archspec.drawing.opening import chosen, visible
from archspec.drawing.pieces import Piece, Pieces
from archspec.graph import Graph
from archspec.loading import open_spec
from tests.drawing.test_layout import check

CONV = "conv: {filters: 16, kernel: 3, pad: same}"
RESIDUAL = f"residual: {{layers: [{{{CONV}}}, batch_norm, relu, {{{CONV}}}]}}"
Write = Callable[..., Path]


def graph_of(write: Write, layers: list[str], blocks: str = "") -> Graph:
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return open_spec(str(write(f"input: {{height: 8, width: 8, channels: 16}}\n{blocks}layers:\n{lines}"))).graph()


def shown(graph: Graph) -> list[str]:
    """The network's boxes without its input and outputs, a run with how often it comes."""
    return [
        f"{piece.what} ×{len(piece.pieces)}" if piece.alike else piece.name
        for piece in Pieces(graph).root.pieces
        if piece.kind not in ("input", "output")
    ]


def numbered(times: int, *layers: str) -> list[str]:
    return [layer for _ in range(times) for layer in layers]


RESIDUALS = {
    "written out": numbered(30, RESIDUAL),
    "repeated": [f"repeat: {{times: 30, layers: [{{{RESIDUAL}}}]}}"],
    "named": [f"repeat: {{times: 30, as: i, layers: [{{{RESIDUAL.replace('{layers', '{name: u$(i), layers')}}}]}}"],
    "added by name": [
        line
        for at in range(30)
        for line in (
            f"conv: {{name: a{at}, filters: 16, kernel: 3, pad: same}}",
            "relu",
            f"add: {{name: s{at}, from: [relu{at + 1}, {'first' if at == 0 else f's{at - 1}'}]}}",
        )
    ],
}


@pytest.mark.parametrize("writing", RESIDUALS)
def test_equal_residual_units_are_one_box(writing: str, write: Write) -> None:
    graph = graph_of(write, [CONV.replace("{", "{name: first, "), *RESIDUALS[writing]])
    assert shown(graph) == ["first", "residual ×30"]
    volumes = groups(graph)
    assert [len(group.steps) for group in volumes] == [1, 1, 30, 1]
    assert volumes[2].first.does == "residual"


@pytest.mark.parametrize("times", [30, 8])
def test_a_block_that_is_one_run_shows_it_as_one_box(times: int, write: Write) -> None:
    body = f"repeat: {{name: body, times: {times}, layers: [{{{RESIDUAL}}}]}}"
    pieces = Pieces(graph_of(write, [CONV, body]))
    (block,) = (piece for piece in pieces.root.pieces if piece.name == "body")
    assert caption(pieces, block, "").lines[0] == f"{times} × residual"
    # Input, first layer, output, and what is in the open block.
    assert visible(pieces.root, {"body"}) == visible(pieces.root, chosen(pieces)) == 4


BLOCKS = """blocks:
  unit:
    layers: [{conv: {filters: 16, kernel: 1}}, {max_pool: {window: 3, stride: 1, pad: 1}}]
  down:
    layers: [{conv: {filters: 16, kernel: 1}}, {avg_pool: 2}]
  dense_layer:
    layers: [{conv: {name: a, filters: 8, kernel: 3, pad: same}}, {concat: {from: [input, a]}}]
"""


def inside(graph: Graph, path: str) -> list[str]:
    pieces = Pieces(graph)
    block = pieces.by_path()[path]
    return [
        " | ".join((text.heading, *text.lines[:-1])) for text in (caption(pieces, part, path) for part in block.pieces)
    ]


def test_all_stages_fold_what_is_alike_and_the_first_of_a_kind_can_be_opened(write: Write) -> None:
    stages = [f"repeat: {{name: s{at}, times: {times}, layers: [unit]}}" for at, times in enumerate((3, 8, 9, 2))]
    graph = graph_of(write, stages, BLOCKS)
    assert inside(graph, "s0") == ["0: unit", "unit ×2 | 1 … 2"]
    assert [inside(graph, path) for path in ("s1", "s2", "s3")] == [
        ["unit ×8 | 0 … 7"],
        ["unit ×9 | 0 … 8"],
        ["unit ×2 | 0 … 1"],
    ]
    pieces = Pieces(graph)
    assert chosen(pieces) == {"s0", "s0.0", "s1", "s2", "s3"}
    assert shown(graph_of(write, ["unit"] * 4, BLOCKS)) == ["unit1", "unit ×3"]


def test_blocks_that_differ_in_what_comes_in_are_one_box(write: Write) -> None:
    stages = ["repeat: {name: d1, times: 5, layers: [dense_layer]}", "down", *["dense_layer"] * 3]
    graph = graph_of(write, stages, BLOCKS)
    assert inside(graph, "d1") == ["0: dense_layer", "dense_layer ×4 | 1 … 4 | 24 → 56 channels"]
    assert inside(graph, "")[2:4] == ["down1 | down", "dense_layer ×3 | dense_layer1 … dense_layer3 | 16 → 40 channels"]


def test_blocks_that_differ_in_what_training_drops_are_one_box(write: Write) -> None:
    drop = "blocks:\n  deep:\n    args: {rate: 0.0}\n    layers:\n      - residual:\n          layers:\n"
    drop += "            - conv: {filters: 16, kernel: 1}\n            - stochastic_depth: $(rate)\n"
    body = "repeat: {name: body, times: 6, as: i, layers: [{deep: {rate: $(0.1 * i)}}]}"
    found = inside(graph_of(write, [body], drop), "body")
    assert found == ["0: deep", "deep ×5 | 1 … 5 | stochastic_depth 0.1 … 0.5"]


def test_blocks_that_make_maps_smaller_are_not_one_box(write: Write) -> None:
    assert shown(graph_of(write, ["down"] * 3, BLOCKS)) == ["down1", "down2", "down3"]


def test_stages_that_differ_in_length_alone_are_of_one_kind(write: Write) -> None:
    """Where not all can be opened the first is, and not those that are short enough."""
    pair = "    layers: [{conv: {filters: $(width), kernel: 1}}, {max_pool: 1}]\n"
    widths = f"blocks:\n  pair:\n    args: {{width: int}}\n{pair}"
    stages = [
        f"repeat: {{name: s{at}, times: {at + 8}, as: i, layers: [{{pair: {{width: $(i + 1)}}}}]}}" for at in range(6)
    ]
    assert chosen(Pieces(graph_of(write, stages, widths))) >= {"s0", "s0.0"}
    assert not chosen(Pieces(graph_of(write, stages, widths))) & {f"s{at}" for at in range(1, 6)}


def test_a_prefix_that_differs_stands_by_itself(write: Write) -> None:
    first = RESIDUAL.replace("[{conv: {", "[{conv: {dilation: 2, ")
    graph = graph_of(write, [CONV, first, *numbered(9, RESIDUAL), "global_avg_pool"])
    assert shown(graph) == ["conv1", "conv2", "conv3", "add1", "residual ×9", "global_avg_pool1"]


def test_blocks_that_take_turns_are_one_box(write: Write) -> None:
    blocks = f"blocks:\n  a:\n    layers: [{{{CONV}}}, {{{RESIDUAL}}}]\n  b:\n    layers: [{{{RESIDUAL}}}, sigmoid]\n"
    graph = graph_of(write, numbered(7, "a", "b"), blocks)
    assert shown(graph) == ["a – b ×7"]


def test_stretches_with_repeats_inside_are_one_box(write: Write) -> None:
    graph = graph_of(write, numbered(5, *numbered(4, RESIDUAL), "max_pool: {window: 3, stride: 1, pad: 1}"))
    assert shown(graph) == ["residual – max_pool ×5"]
    (run,) = (piece for piece in Pieces(graph).root.pieces if piece.alike)
    assert [[part.name for part in member.pieces] for member in run.pieces[:1]] == [["conv1 … add4", "max_pool1"]]


def test_blocks_equal_but_for_their_names_are_one_box(write: Write) -> None:
    def block(name: str) -> str:
        # The unpooling refers to its own block's pooling.
        return (
            f"  {name}:\n    layers:\n      - max_pool: {{name: p{name}, window: 2, stride: 2}}\n"
            f"      - {CONV}\n      - max_unpool: {{indices: p{name}}}\n      - {CONV}\n"
        )

    graph = graph_of(write, ["a", "b", "a", "b"], "blocks:\n" + block("a") + block("b"))
    assert shown(graph) == [" ×4"]
    pieces = Pieces(graph)
    run = next(box for box in arranged(pieces)[""].boxes if box.kind == "run")
    assert run.heading == "block ×4"


def test_a_run_ends_where_a_value_is_taken_elsewhere_too(write: Write) -> None:
    unit = "conv: {name: c$(i), filters: 16, kernel: 3, pad: same}"
    chain = f"repeat: {{times: 6, as: i, layers: [{{{unit}}}, {{max_pool: {{window: 3, stride: 1, pad: 1}}}}]}}"
    assert shown(graph_of(write, [chain])) == ["conv – max_pool ×6"]
    skipped = shown(graph_of(write, [chain, "concat: {from: [c2, max_pool6]}"]))
    assert skipped == ["conv – max_pool ×3", "conv – max_pool ×3", "concat1"]


def test_paths_of_runs_are_each_their_own_and_all_unfold(write: Write) -> None:
    unit = f"repeat: {{name: body, times: 30, layers: [{{{RESIDUAL}}}, sigmoid]}}"
    mixed = numbered(70, CONV, "max_pool: {window: 3, stride: 1, pad: 1}", RESIDUAL)
    for layers in ([unit], mixed, numbered(5, *numbered(3, RESIDUAL, CONV), "sigmoid")):
        pieces = Pieces(graph_of(write, layers))
        walked: list[Piece] = [piece for piece in pieces.root.walk() if piece.opens]
        assert len({piece.path for piece in walked}) == len(walked)
        opened = {piece.path for piece in walked}
        frames = arranged(pieces)
        check(pieces, frames, opened)
        check(pieces, frames, chosen(pieces))
