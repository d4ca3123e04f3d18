"""A separable convolution: two layers of one entry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import SpecError
from archspec.loading import load

Write = Callable[..., Path]

XCEPTION = """
input: {height: 299, width: 299, channels: 3}
defaults: {conv: {bias: false}}
blocks:
  sep:
    args: {filters: int}
    layers:
      - separable_conv: {filters: $(filters), kernel: 3, pad: same, bias: false}
      - batch_norm
  entry:
    args: {filters: int, first: true}
    layers:
      - residual:
          shortcut: projection
          layers:
            - relu: {when: $(first)}
            - sep: {filters: $(filters)}
            - relu
            - sep: {filters: $(filters)}
            - max_pool: {window: 3, stride: 2, pad: 1}
layers:
  - conv: {filters: 32, kernel: 3, stride: 2}
  - batch_norm
  - relu
  - conv: {filters: 64, kernel: 3}
  - batch_norm
  - relu
  - entry: {filters: 128, first: false}
  - entry: {filters: 256}
  - entry: {filters: 728}
  - repeat:
      times: 8
      layers:
        - residual:
            layers:
              - repeat: {times: 3, layers: [relu, sep: {filters: 728}]}
  - residual:
      shortcut: projection
      layers:
        - relu
        - sep: {filters: 728}
        - relu
        - sep: {filters: 1024}
        - max_pool: {window: 3, stride: 2, pad: 1}
  - sep: {filters: 1536}
  - relu
  - sep: {filters: 2048}
  - relu
  - global_avg_pool
  - dense: 1000
"""

INPUT = "input: {height: 32, width: 30, channels: 8}\n"


def test_counts_and_paths(write: Write) -> None:
    """Keras' SeparableConv2D(64, 3, strides=2, depth_multiplier=2) on 8 channels: 3·3·16 + 16·64 + 64 parameters."""
    graph = load(
        write(
            INPUT
            + "layers:\n"
            + "  - separable_conv: {filters: 64, kernel: 3, pad: same, stride: 2, multiplier: 2}\n"
            + "  - separable_conv: {name: sep, filters: 10, kernel: [3, 1], bias: false}\n"
            + "  - relu: {from: sep}\n"
        )
    ).graph()
    assert [(node.path, node.kind, str(node.output), node.params, node.cost.macs) for node in graph.nodes] == [
        ("separable_conv1.depthwise", "depthwise_conv", "16×15×16", 144, 16 * 15 * 144),
        ("separable_conv1.pointwise", "conv", "16×15×64", 1088, 16 * 15 * 1024),
        ("sep.depthwise", "depthwise_conv", "14×15×64", 192, 14 * 15 * 192),
        ("sep.pointwise", "conv", "14×15×10", 640, 14 * 15 * 640),
        ("relu1", "relu", "14×15×10", 0, 0),
    ]
    assert graph.blocks["sep"].kind == "separable_conv"


def test_signals_defaults_and_loops(write: Write) -> None:
    path = write(
        "input: {length: 100, channels: 4}\n"
        "defaults: {conv: {init: he_normal, bias: false}, depthwise_conv: {init: {normal: 0.5}}}\n"
        "layers:\n"
        "  - repeat: {times: 2, as: i, layers: [separable_conv: {filters: $(8 + i), kernel: 5, pad: [[4, 0]]}]}\n"
    )
    nodes = load(path).graph().nodes
    assert [str(node.output) for node in nodes] == ["100×4", "100×8", "100×8", "100×9"]
    assert [node.params for node in nodes] == [5 * 4, 4 * 8 + 8, 5 * 8, 8 * 9 + 9]
    assert [node.layer.init.kind for node in nodes] == ["normal", "he_normal"] * 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("{filters: 3}", "separable_conv needs `kernel`"),
        ("{filters: 3, kernel: 3, groups: 2}", "separable_conv has no field `groups`"),
        ("{filters: 3, kernel: 0}", "`kernel` of depthwise_conv must be a whole number of 1 or more"),
        ("{filters: x, kernel: 3}", "`filters` of conv must be a whole number"),
        ("{name: s, filters: 3, kernel: 50}", "s.depthwise does not fit"),
    ],
)
def test_mistakes_are_told_once(write: Write, fields: str, told: str) -> None:
    """In every round of a repeat the entry is the same."""
    path = write(INPUT + f"layers: [repeat: {{name: r, times: 3, layers: [separable_conv: {fields}]}}]")
    with pytest.raises(SpecError) as error:
        load(path).graph()
    assert [told in item.message for item in error.value.diagnostics] == [True]


def test_xception_is_keras(write: Write) -> None:
    """keras.applications.Xception: 22,910,480 parameters, of which 54,528 are statistics (Chollet 2017)."""
    graph = load(write(XCEPTION)).graph()
    assert (graph.count("trainable"), graph.count("statistics")) == (22_910_480 - 54_528, 54_528)
    assert sum(node.kind == "depthwise_conv" for node in graph.nodes) == 34


def test_one_that_uses_anothers_arrays_takes_its_fields(write: Write) -> None:
    spec = """
input: {height: 8, width: 8, channels: 4}
layers:
  - separable_conv: {name: a, filters: 4, kernel: 3, pad: same, multiplier: 2, bias: false}
  - separable_conv: {name: b, weights: a%s}
"""
    graph = load(write(spec % "")).graph()
    assert graph.params == 4 * 9 * 2 + 8 * 4
    assert [node.shares for node in graph.nodes] == [None, None, "a.depthwise", "a.pointwise"]
    assert str(graph.nodes[-1].output) == "8×8×4"
    with pytest.raises(SpecError, match=r"b\.depthwise cannot use the arrays of a\.depthwise: they differ in `kernel`"):
        load(write(spec % ", kernel: 5")).graph()


def test_its_fields_see_what_comes_in(write: Write) -> None:
    """As those of any other layer do."""
    spec = """
input: {height: 8, width: 8, channels: 4}
layers:
  - separable_conv: {filters: $(previous.channels + 1), kernel: "$(3 if input.height > 4 else 1)", pad: same}
"""
    graph = load(write(spec)).graph()
    assert graph.params == 4 * 9 + 4 * 5 + 5
