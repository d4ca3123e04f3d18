"""Networks that others have counted, written with the kinds that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.loading import load

Write = Callable[..., Path]

CONVNEXT = """
input: {height: 224, width: 224, channels: 3}
args: {depths: [3, 3, 9, 3], dims: [96, 192, 384, 768], drop: 0.1}
defaults: {layer_norm: {epsilon: 1e-6}}
blocks:
  cn:
    args: {dim: int, rate: 0.0}
    layers:
      - residual:
          layers:
            - depthwise_conv: {kernel: 7, pad: same}
            - layer_norm
            - conv: {filters: $(4 * dim), kernel: 1}
            - gelu
            - conv: {filters: $(dim), kernel: 1}
            - layer_scale
            - stochastic_depth: {rate: $(rate)}
layers:
  - conv: {filters: 96, kernel: 4, stride: 4}
  - layer_norm
  - repeat:
      times: 4
      as: s
      layers:
        - layer_norm: {when: $(s > 0)}
        - conv: {when: $(s > 0), filters: "$(dims[s])", kernel: 2, stride: 2}
        - repeat: {times: "$(depths[s])", as: i, layers: [cn: {dim: "$(dims[s])", rate: $(drop * i / 18)}]}
  - global_avg_pool
  - layer_norm
  - dense: 1000
"""
RES2NET = """
input: {height: 224, width: 224, channels: 3}
args: {depths: [3, 4, 6, 3]}
defaults: {conv: {bias: false}}
blocks:
  cbr:
    args: {filters: int, kernel: 1, stride: 1}
    layers: [{conv: {filters: $(filters), kernel: $(kernel), stride: $(stride), pad: same}}, batch_norm, relu]
  b2n:
    args: {width: int, planes: int, stride: 1, first: false}
    layers:
      - residual:
          shortcut: auto
          layers:
            - cbr: {filters: $(4 * width)}
            - split: {name: s, parts: 4}
            - cbr: {name: y0, from: s.0, filters: $(width), kernel: 3, stride: $(stride)}
            - add: {name: z1, from: [y0, s.1], when: $(not first)}
            - identity: {name: w1, from: s.1, when: $(first)}
            - cbr: {name: y1, filters: $(width), kernel: 3, stride: $(stride)}
            - add: {name: z2, from: [y1, s.2], when: $(not first)}
            - identity: {name: w2, from: s.2, when: $(first)}
            - cbr: {name: y2, filters: $(width), kernel: 3, stride: $(stride)}
            - avg_pool: {name: p3, from: s.3, window: 3, stride: $(stride), pad: 1, when: $(first)}
            - identity: {name: q3, from: s.3, when: $(not first)}
            - identity: {name: r3}
            - concat: {from: [y0, y1, y2, r3]}
            - conv: {filters: $(4 * planes), kernel: 1}
            - batch_norm
      - relu
layers:
  - cbr: {filters: 64, kernel: 7, stride: 2}
  - max_pool: {window: 3, stride: 2, pad: 1}
  - repeat:
      times: 4
      as: k
      layers:
        - b2n: {width: $(26 * 2**k), planes: $(64 * 2**k), stride: "$(1 if k == 0 else 2)", first: true}
        - repeat: {times: "$(depths[k] - 1)", layers: [b2n: {width: $(26 * 2**k), planes: $(64 * 2**k)}]}
  - global_avg_pool
  - dense: 1000
"""
DCGAN = """
input: {features: 100}
layers:
  - reshape: [1, 1, 100]
  - transposed_conv: {filters: 512, kernel: 4, bias: false}
  - batch_norm
  - relu
  - repeat:
      times: 3
      as: i
      layers:
        - transposed_conv: {filters: $(256 // 2**i), kernel: 4, stride: 2, pad: 1, bias: false}
        - batch_norm
        - relu
  - transposed_conv: {filters: 3, kernel: 4, stride: 2, pad: 1, bias: false}
  - tanh
"""


@pytest.mark.parametrize(
    ("text", "params", "giga"),
    [
        pytest.param(CONVNEXT, "28,589,128", "4.456", id="torchvision's convnext_tiny"),
        pytest.param(RES2NET, "25.7 M", "4.3", id="timm's model card of res2net50_26w_4s"),
        pytest.param(DCGAN, "3,576,704", None, id="the generator of PyTorch's DCGAN tutorial"),
    ],
)
def test_parameters_and_multiply_adds(write: Write, text: str, params: str, giga: str | None) -> None:
    graph = load(write(text)).graph()
    assert params in (f"{graph.params:,}", f"{graph.params / 1e6:.1f} M")
    assert giga in (None, f"{graph.macs / 1e9:.3f}", f"{graph.macs / 1e9:.1f}")
