"""Networks over one axis, from the spec to the elaborated one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.loading import load, open_spec
from archspec.spec.writing import elaborated_yaml

Write = Callable[..., Path]

M5 = """
input: {length: 8000, channels: 1}
blocks:
  part:
    args: {filters: int, kernel: 3, stride: 1}
    layers:
      - conv: {filters: $(filters), kernel: $(kernel), stride: $(stride)}
      - batch_norm
      - relu
      - max_pool: 4
layers:
  - part: {filters: 32, kernel: 80, stride: 16}
  - part: 32
  - part: 64
  - part: 64
  - global_avg_pool
  - dense: 35
"""


def test_m5_is_pytorchs(write: Write) -> None:
    """M5 (Dai et al. 2017) of PyTorch's tutorial on speech commands, which prints 26,915 parameters."""
    graph = load(write(M5)).graph()
    assert graph.params == 26_915
    shapes = [str(node.output) for node in graph.nodes if node.kind in ("conv", "max_pool")]
    assert shapes == ["496×32", "124×32", "122×32", "30×32", "28×64", "7×64", "5×64", "1×64"]
    assert graph.by_path()["part1.conv1"].cost.macs == 496 * 32 * 80
    # The stem, and what each pooling and convolution adds: its window less one, times the distance of its positions.
    field = 80 + 16 * 3 + 64 * (2 + 3) + 256 * (2 + 3) + 1024 * 2
    assert graph.by_path()["part4.conv1"].receptive_field.size[0] == field


CAUSAL = """
input: {length: 50, channels: 2}
layers:
  - conv: {name: first, filters: 4, kernel: 3, dilation: 4, pad: [[8, 0]]}
  - residual:
      shortcut: projection
      layers:
        - conv: {filters: 6, kernel: 3, stride: 2, pad: same}
        - max_pool: {name: pool, window: 2, rounding: ceil}
        - max_unpool: {indices: pool}
        - pad: [[1, 2]]
        - crop: [[2, 1]]
  - residual:
      shortcut: zero_pad
      layers: [conv: {filters: 8, kernel: 2, stride: 3, pad: [[0, 1]]}]
  - transposed_conv: {filters: 3, kernel: 4, stride: 3, pad: [[1, 0]]}
  - resize: {like: first}
"""


def test_what_show_writes_is_the_same_network(write: Write) -> None:
    spec = load(write(CAUSAL))
    graph = spec.graph()
    again = load(write(elaborated_yaml(spec), name="again.yaml", whole=True)).graph()
    assert [(node.path, node.layer, node.inputs, node.output) for node in again.nodes] == [
        (node.path, node.layer, node.inputs, node.output) for node in graph.nodes
    ]
    outputs = {node.path: str(node.output) for node in graph.nodes}
    assert outputs["first"] == "50×4"
    assert outputs["shortcut1.conv"] == outputs["conv1"] == outputs["max_unpool1"] == "25×6"
    assert outputs["shortcut2.pad_channels"] == outputs["conv2"] == "9×8"
    assert outputs["transposed_conv1"] == "27×3"
    assert outputs["resize1"] == "50×3"


@pytest.mark.parametrize("kind", ["conv: {filters: 2, kernel: 3, stride: 2, pad: causal%s}", "avg_pool: {window: 2%s}"])
def test_positions_that_are_left_over_are_told_of_unless_that_is_asked_for(
    write: Callable[..., Path], kind: str
) -> None:
    length = 10 if "causal" in kind else 9
    text = f"input: {{length: {length}, channels: 1}}\nlayers: [{kind}]\n"
    (item,) = open_spec(str(write(text % ""))).diagnostics
    assert item.code == "W301" and item.help[0].startswith("`rounding: floor` says that it is meant")
    assert not open_spec(str(write(text % ", rounding: floor"))).diagnostics
