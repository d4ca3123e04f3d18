"""Cases of signals, and of kinds that know both maps and signals; the rule for numbers is that of cases.py."""

from __future__ import annotations

from typing import Any, NamedTuple


class Case(NamedTuple):
    """An entry of a `layers:` list, the shape of its input, channels last, and a factor of all weights."""

    entry: dict[str, Any] | str
    shape: tuple[int, ...]
    factor: float = 1.0


CASES: dict[str, Case] = {
    "conv": Case({"conv": {"filters": 4, "kernel": 3, "stride": 2, "pad": [[1, 1]]}}, (9, 3)),
    "conv_causal": Case({"conv": {"filters": 2, "kernel": 3, "dilation": 2, "pad": "causal"}}, (8, 3)),
    "conv_groups": Case({"conv": {"filters": 6, "kernel": 4, "groups": 3}}, (7, 3)),
    "transposed_conv": Case(
        {"transposed_conv": {"filters": 4, "kernel": 4, "stride": 3, "pad": 1, "output_pad": 2, "groups": 2}}, (5, 4)
    ),
    "transposed_conv_dilated": Case(
        {"transposed_conv": {"filters": 2, "kernel": 3, "stride": 2, "pad": 1, "dilation": 2}}, (5, 3)
    ),
    "max_pool": Case({"max_pool": {"window": 3, "stride": 2, "pad": 1, "rounding": "ceil"}}, (10, 2)),
    "max_pool_dilated": Case({"max_pool": {"window": 2, "stride": 2, "dilation": 3}}, (11, 2)),
    "avg_pool": Case(
        {"avg_pool": {"window": 3, "stride": 2, "pad": 1, "rounding": "ceil", "count_pad": False}}, (10, 2)
    ),
    "adaptive_avg_pool": Case({"adaptive_avg_pool": 3}, (8, 2)),
    "adaptive_max_pool": Case({"adaptive_max_pool": 3}, (8, 2)),
    "adaptive_max_pool_map": Case({"adaptive_max_pool": [3, 4]}, (7, 6, 2)),
    "adaptive_max_pool_enlarges": Case({"adaptive_max_pool": 5}, (3, 4, 2)),
    "global_max_pool": Case("global_max_pool", (7, 3)),
    "global_max_pool_map": Case("global_max_pool", (4, 5, 3)),
    "lrn": Case({"lrn": {"size": 3, "alpha": 0.3}}, (5, 7)),
    "prelu": Case("prelu", (6, 3)),
    "pad_reflect": Case({"pad": {"sides": [[2, 1]], "mode": "reflect"}}, (5, 2)),
    "pad_edge": Case({"pad": {"sides": [[0, 3]], "mode": "edge"}}, (5, 2)),
    "resize": Case({"resize": {"size": 11}}, (5, 2)),
    "resize_corners": Case({"resize": {"size": 8, "align_corners": True}}, (5, 2)),
    "resize_nearest": Case({"resize": {"size": 7, "mode": "nearest"}}, (5, 2)),
    "unpool": Case({"unpool": 3}, (4, 2)),
    "depthwise_conv": Case({"depthwise_conv": {"kernel": 3, "stride": 2, "pad": [[1, 0]], "multiplier": 2}}, (9, 3)),
    "depthwise_conv_map": Case({"depthwise_conv": {"kernel": [3, 2], "dilation": 2, "multiplier": 2}}, (7, 6, 3)),
    "locally_connected": Case({"locally_connected": {"filters": 2, "kernel": 3, "stride": 2, "pad": [[1, 1]]}}, (9, 2)),
    "locally_connected_map": Case(
        {"locally_connected": {"filters": 3, "kernel": [3, 2], "dilation": [1, 2]}}, (5, 6, 2)
    ),
    "self_attention": Case({"self_attention": {"heads": 2}}, (7, 6), 0.3),
    "self_attention_map": Case({"self_attention": {"heads": 3}}, (3, 4, 6), 0.3),
    "self_attention_non_local": Case({"self_attention": {"width": 3, "scale": False, "bias": False}}, (3, 4, 6), 0.3),
    "self_attention_botnet": Case(
        {"self_attention": {"heads": 2, "positions": "relative", "project": False, "bias": False}}, (3, 4, 6), 0.3
    ),
    "self_attention_relative_signal": Case(
        {"self_attention": {"heads": 2, "width": 4, "values": 6, "positions": "relative", "project": False}},
        (5, 3),
        0.3,
    ),
}

UNPOOLED: dict[str, Case] = {
    "unpool_odd": Case({"max_pool": {"window": 2, "rounding": "ceil"}}, (7, 2)),
    "unpool_padded": Case({"max_pool": {"window": 3, "stride": 3, "pad": 1}}, (8, 2)),
}
"""Poolings; the case doubles what they give, squares it and puts it back where the maxima were."""

NETWORK = """
input: {length: 16, channels: 2}
layers:
  - conv: {name: c1, filters: 4, kernel: 5, stride: 2, pad: [[4, 0]]}
  - batch_norm: {name: bn}
  - relu
  - max_pool: 2
  - transposed_conv: {name: up, filters: 3, kernel: 4, stride: 2, pad: 1}
  - self_attention: {name: att, width: 2, scale: false}
  - depthwise_conv: {name: own, kernel: 3, pad: same}
  - flatten
  - dense: {name: fc, units: 5}
"""
SHAPES: dict[str, tuple[int, ...]] = {
    "c1.weight": (4, 2, 5),
    "c1.bias": (4,),
    "bn.weight": (4,),
    "bn.bias": (4,),
    "bn.running_mean": (4,),
    "bn.running_var": (4,),
    "up.weight": (4, 3, 4),
    "up.bias": (3,),
    "att.query.weight": (2, 3),
    "att.query.bias": (2,),
    "att.key.weight": (2, 3, 1),
    "att.key.bias": (2,),
    "att.value.weight": (2, 3),
    "att.value.bias": (2,),
    "att.output.weight": (3, 2),
    "att.output.bias": (3,),
    "own.weight": (3, 1, 3),
    "own.bias": (3,),
    "fc.weight": (5, 24),
    "fc.bias": (5,),
}
"""The tensors of NETWORK in PyTorch's layout, by the rule with their number as offset and the factor 0.4; a variance is
its square and a half."""
