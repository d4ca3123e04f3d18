"""What the paper look folds: all blocks of a kind or none, whatever they are called and however they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.drawing.paper_look import placed, scene
from archspec.loading import open_spec
from tests.drawing.test_paper_look import assert_complete, assert_legible, assert_to_scale

Write = Callable[..., Path]

BLOCKS = """
input: {height: 64, width: 64, channels: 3}
blocks:
  mix:
    args: {width: int, stride: 1}
    layers:
      - depthwise_conv: {kernel: 3, stride: $(stride), pad: same}
      - relu
      - conv: {filters: $(width), kernel: 1}
      - relu
  inverted_residual:
    args: {width: int, stride: 1}
    layers:
      - conv: {name: expand, filters: $(4 * input.channels), kernel: 1}
      - depthwise_conv: {kernel: 3, stride: $(stride), pad: same}
      - conv: {name: project, filters: $(width), kernel: 1}
      - add: {when: $(stride == 1 and input.channels == width), from: [project, input]}
  gated:
    args: {width: int, stride: 1}
    layers:
      - conv: {filters: $(width), kernel: 3, stride: $(stride), pad: same}
      - parallel:
          join: multiply
          branches:
            - []
            - [global_avg_pool, {dense: $(width // 4)}, {dense: $(width)}, sigmoid, {reshape: [1, 1, $(width)]}]
  unit:
    args: {width: int}
    layers: [{conv: {filters: $(width), kernel: 3, pad: same}}, batch_norm, relu]
  dense_layer:
    layers:
      - conv: {name: conv1, filters: 16, kernel: 1}
      - conv: {name: conv2, filters: 4, kernel: 3, pad: same}
      - concat: {from: [input, conv2]}
  dense_block:
    args: {depth: int}
    layers: [{repeat: {times: $(depth), as: i, layers: [{dense_layer: {name: denselayer$(i + 1)}}]}}]
layers:
  - conv: {name: stem, filters: 8, kernel: 3, pad: same}
"""


def labels(write: Write, layers: str) -> list[str]:
    """The labels of a figure, the input's, the stem's and the output's left out, without shapes."""
    graph = open_spec(str(write(BLOCKS + layers))).graph()
    figure, _ = placed(graph)
    drawn = scene(graph)
    assert_legible(drawn)
    assert_complete(graph, drawn)
    assert_to_scale(graph, drawn)
    return [" ".join(volume.lines[:-1]) for volume in figure.volumes[2:-1]]


STAGES = """
  - repeat: {name: stage1, times: 1, layers: [{BLOCK: {width: 8}}]}
  - repeat: {name: stage2, times: 2, as: i, layers: [{BLOCK: {width: 12, stride: $(2 - i)}}]}
  - repeat: {name: stage3, times: 4, as: i, layers: [{BLOCK: {width: 16, stride: $(2 if i == 0 else 1)}}]}
"""


@pytest.mark.parametrize("block", ["inverted_residual", "gated", "mix"])
def test_stages_of_one_block_are_all_folded(block: str, write: Write) -> None:
    does = block.replace("_", " ")
    found = labels(write, STAGES.replace("BLOCK", block))
    assert found == [f"stage1 {does}", f"stage2 2 × {does}", f"stage3 4 × {does}"]


def test_a_chain_of_blocks_without_names_is_told_apart_by_numbers(write: Write) -> None:
    layers = "".join(f"  - mix: {{width: {width}}}\n" for width in (8, 12, 12, 16, 16, 16))
    assert labels(write, layers) == ["mix1", "mix2–3 2 × mix", "mix4–6 3 × mix"]
    body = "  - repeat: {name: body, times: 4, as: i, layers: [{mix: {width: $(8 if i == 0 else 12)}}]}\n"
    assert labels(write, body) == ["body.0 mix", "body.1–3 3 × mix"]


def test_blocks_that_do_not_come_again_are_open(write: Write) -> None:
    assert labels(write, "  - mix: {name: a, width: 16}\n  - mix: {name: b, width: 12}\n") == [
        "a.depthwise_conv1 depthwise conv 3×3",
        "a.conv1 conv 1×1",
        "b.depthwise_conv1 depthwise conv 3×3",
        "b.conv1 conv 1×1",
    ]


def test_a_run_of_equal_convolutions_shows_each_as_a_slab(write: Write) -> None:
    body = "  - repeat: {name: body, times: 6, layers: [BODY]}\n"
    assert labels(write, body.replace("BODY", "{unit: 8}")) == ["body 6 × conv 3×3"]
    assert labels(write, body.replace("BODY", "{unit: 8}, {unit: 8}")) == ["body 6 × 2 × unit"]


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ("  - repeat: {name: dense1, times: 6, layers: [dense_layer]}\n", "dense1"),
        ("  - repeat: {times: 6, layers: [dense_layer]}\n", "dense_layer1–6"),
        ("  - dense_block: {name: dense1, depth: 6}\n", "dense1"),
        ("  - dense_layer\n" * 6, "dense_layer1–6"),
    ],
)
def test_blocks_that_differ_in_what_comes_in_are_one_volume(layers: str, name: str, write: Write) -> None:
    after = "  - conv: {name: half, filters: 16, kernel: 1}\n  - max_pool: {name: pool, window: 2}\n"
    found = labels(write, layers + after)
    assert found[:2] == [f"{name} 6 × dense layer 8 → 32 channels", "half conv 1×1"]


def test_a_block_of_blocks_is_of_its_own_kind(write: Write) -> None:
    pair = "  pair:\n    args: {width: int, skip: true}\n    layers:\n      - unit: {name: a, width: $(width)}\n"
    pair += "      - unit: {name: b, width: $(width)}\n      - add: {when: $(skip), from: [b, input]}\n"
    text = BLOCKS.replace("  dense_layer:", pair + "  dense_layer:", 1)
    layers = "  - repeat: {name: stage, times: 3, as: i, layers: [{pair: {width: 16, skip: $(i > 0)}}]}\n"
    figure, _ = placed(open_spec(str(write(text + layers))).graph())
    assert figure.volumes[2].lines[:2] == ["stage", "3 × pair"]


def test_a_stage_of_a_layer_and_a_row_is_open_and_block_is_a_name(write: Write) -> None:
    stage = """
  block:
    layers: [{residual: {layers: [{unit: {width: 12}}]}}]
  stage:
    args: {times: int}
    layers:
      - conv: {name: down, filters: 12, kernel: 3, stride: 2, pad: 1, rounding: floor}
      - repeat: {name: blocks, times: $(times), layers: [block]}
  dense_layer:"""
    text = BLOCKS.replace("\n  dense_layer:", stage, 1)
    layers = "  - stage: {name: s1, times: 1}\n  - stage: {name: s2, times: 4}\n"
    figure, _ = placed(open_spec(str(write(text + layers))).graph())
    assert [volume.lines[:-1] for volume in figure.volumes[2:-1]] == [
        ["s1.down", "conv 3×3 /2"],
        ["s1.blocks"],
        ["s2.down", "conv 3×3 /2"],
        ["s2.blocks", "4 × block"],
    ]


def test_what_folds_more_is_folded_first(write: Write) -> None:
    """Of a figure with too many volumes, the blocks that fill most of it and not the largest."""
    units = ", ".join(f"{{unit: {width}}}" for width in (4, 8, 12, 16))
    five = f"  five:\n    args: {{width: int}}\n    layers: [{units}, {{unit: $(width)}}]\n"
    big = "  big:\n    layers: [{repeat: {name: row, times: 7, layers: [{gated: {width: 8}}]}}]\n"
    text = BLOCKS.replace("  dense_layer:", five + big + "  dense_layer:", 1)
    layers = "  - big: {name: tall}\n" + "".join(f"  - five: {{name: f{at}, width: {20 + at}}}\n" for at in range(7))
    figure, _ = placed(open_spec(str(write(text + layers))).graph())
    assert [volume.lines[:2] for volume in figure.volumes[2:4]] == [["row", "7 × gated"], ["f0", "five"]]
    assert len(figure.volumes[2].group.steps) == 7


def test_the_only_layer_of_a_row_is_called_by_the_row(write: Write) -> None:
    found = labels(write, "  - repeat: {name: stage1, times: 1, layers: [{unit: {width: 12}}]}\n")
    assert found == ["stage1 conv 3×3"]
    named = "{conv: {name: wide, filters: 12, kernel: 1}}, relu"
    assert labels(write, f"  - repeat: {{name: stage1, times: 1, layers: [{named}]}}\n") == ["stage1 conv 1×1"]


def test_blocks_given_other_widths_are_no_growing_row(write: Write) -> None:
    layers = "".join(f"  - gated: {{name: b{width}, width: {width}}}\n" for width in (12, 16, 20, 24))
    assert labels(write, layers) == [f"b{width} gated" for width in (12, 16, 20, 24)]


def test_a_separable_convolution_is_one_volume(write: Write) -> None:
    layers = """
  - separable_conv: {filters: 12, kernel: 3, stride: 2, pad: same}
  - relu
  - separable_conv: {name: last, filters: 16, kernel: 3, pad: same}
"""
    assert labels(write, layers) == ["separable_conv1 separable conv 3×3 /2", "last separable conv 3×3"]


def test_equal_names_are_told_apart_by_their_scopes(write: Write) -> None:
    text = BLOCKS.replace(
        "\n  unit:",
        "\n  down:\n    layers:\n      - conv: {name: reduce, filters: 12, kernel: 1}\n      - max_pool: 2\n  unit:",
    )
    layers = "  - down: {name: one}\n  - down: {name: two}\n"
    graph = open_spec(str(write(text + layers))).graph()
    figure, _ = placed(graph)
    assert [volume.name for volume in figure.volumes[2::2][:2]] == ["one.reduce", "two.reduce"]


def test_a_long_name_stands_in_two_lines(write: Write) -> None:
    graph = open_spec(
        str(write(BLOCKS + STAGES.replace("BLOCK", "inverted_residual").replace("name: stage2, ", "")))
    ).graph()
    figure, _ = placed(graph)
    assert ["inverted_", "residual1–2", "2 × inverted residual"] in [volume.lines[:3] for volume in figure.volumes]
    assert_legible(scene(graph))


def test_the_label_of_a_low_volume_is_clear_of_the_outputs(write: Write) -> None:
    layers = "  - avg_pool: 32\n  - conv: {name: map_of_the_scores, filters: 255, kernel: 1}\n"
    figure, _ = placed(open_spec(str(write(BLOCKS + layers))).graph())
    last, output = figure.volumes[-2:]
    assert output.x > last.label_middle + last.label_width / 2
