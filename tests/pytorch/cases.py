"""Cases that archspec and PyTorch both compute: entries of a spec, input shapes, and a rule for every number.

Arrays come from the rule, so that the recorded fixture holds results only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """An entry of a `layers:` list, and the shape (height, width, channels) or (features,) of its input."""

    entry: dict[str, Any] | str
    shape: tuple[int, ...]


CASES: dict[str, Case] = {
    "conv": Case({"conv": {"filters": 4, "kernel": 3, "pad": 1}}, (6, 7, 3)),
    "conv_groups": Case({"conv": {"filters": 6, "kernel": [3, 2], "groups": 3, "stride": [2, 1]}}, (7, 6, 3)),
    "conv_dilated": Case({"conv": {"filters": 2, "kernel": 3, "dilation": [2, 1], "pad": "same"}}, (7, 7, 2)),
    "conv_sides": Case({"conv": {"filters": 2, "kernel": 3, "stride": 2, "pad": [[0, 2], [1, 0]]}}, (6, 7, 2)),
    "dense": Case({"dense": 5}, (7,)),
    "max_pool": Case({"max_pool": {"window": 3, "stride": 2, "pad": 1}}, (7, 8, 2)),
    "max_pool_ceil": Case({"max_pool": {"window": 3, "stride": 2, "rounding": "ceil"}}, (6, 8, 2)),
    "max_pool_dilated": Case({"max_pool": {"window": 2, "stride": 1, "dilation": 2}}, (6, 7, 2)),
    "max_pool_drop": Case({"max_pool": {"window": 2, "stride": 2, "pad": 1, "rounding": "ceil"}}, (5, 5, 1)),
    "avg_pool": Case({"avg_pool": {"window": [2, 3], "stride": 2, "pad": 1}}, (7, 8, 2)),
    "avg_pool_excluded": Case({"avg_pool": {"window": 3, "stride": 2, "pad": 1, "count_pad": False}}, (7, 8, 2)),
    "avg_pool_ceil": Case({"avg_pool": {"window": 3, "stride": 2, "pad": 1, "rounding": "ceil"}}, (6, 8, 2)),
    "adaptive_avg_pool": Case({"adaptive_avg_pool": [3, 4]}, (7, 6, 2)),
    "lrn": Case({"lrn": {"size": 5, "alpha": 0.3, "beta": 0.75, "k": 2.0}}, (3, 4, 7)),
    "lrn_even": Case({"lrn": {"size": 4, "alpha": 0.3}}, (3, 3, 6)),
    "prelu": Case("prelu", (3, 3, 4)),
    "relu": Case("relu", (9,)),
    "relu6": Case("relu6", (9,)),
    "leaky_relu": Case({"leaky_relu": {"slope": 0.2}}, (9,)),
    "elu": Case({"elu": {"alpha": 0.7}}, (9,)),
    "gelu": Case("gelu", (9,)),
    "gelu_tanh": Case({"gelu": {"approximate": True}}, (9,)),
    "silu": Case("silu", (9,)),
    "sigmoid": Case("sigmoid", (9,)),
    "hard_sigmoid": Case("hard_sigmoid", (9,)),
    "hard_swish": Case("hard_swish", (9,)),
    "tanh": Case("tanh", (9,)),
    "softmax": Case("softmax", (9,)),
    "transposed_conv": Case({"transposed_conv": {"filters": 3, "kernel": 4, "stride": 2, "pad": 1}}, (4, 5, 2)),
    "transposed_conv_output_pad": Case(
        {"transposed_conv": {"filters": 4, "kernel": [3, 2], "stride": [2, 3], "pad": [1, 0], "output_pad": [1, 2]}},
        (4, 3, 2),
    ),
    "transposed_conv_groups": Case(
        {"transposed_conv": {"filters": 6, "kernel": 3, "stride": 2, "groups": 2, "output_pad": 1}}, (3, 4, 4)
    ),
    "transposed_conv_dilated": Case(
        {"transposed_conv": {"filters": 4, "kernel": 3, "stride": 2, "pad": 1, "dilation": 2, "groups": 2}}, (4, 5, 4)
    ),
    "transposed_conv_sparse": Case({"transposed_conv": {"filters": 2, "kernel": 2, "stride": 3}}, (3, 4, 2)),
    "resize_bilinear": Case({"resize": {"size": [7, 11]}}, (4, 5, 2)),
    "resize_bilinear_down": Case({"resize": {"size": [3, 2]}}, (7, 5, 2)),
    "resize_corners": Case({"resize": {"size": [7, 11], "align_corners": True}}, (4, 5, 2)),
    "resize_corners_down": Case({"resize": {"size": [3, 1], "align_corners": True}}, (7, 5, 2)),
    "resize_nearest": Case({"resize": {"size": [7, 11], "mode": "nearest"}}, (4, 5, 2)),
    "resize_nearest_twice": Case({"resize": {"factor": 2, "mode": "nearest"}}, (4, 5, 2)),
}

UNPOOLED: dict[str, Case] = {
    "unpool_even": Case({"max_pool": 2}, (6, 8, 2)),
    "unpool_odd": Case({"max_pool": {"window": 2, "rounding": "ceil"}}, (7, 9, 2)),
    "unpool_floor": Case({"max_pool": {"window": [3, 2], "stride": [3, 2]}}, (8, 7, 3)),
    "unpool_padded": Case({"max_pool": {"window": 2, "stride": 2, "pad": 1}}, (5, 7, 2)),
    "unpool_gaps": Case({"max_pool": {"window": 2, "stride": 3}}, (7, 9, 2)),
}
"""Poolings; the case doubles what they give, squares it and puts it back where the maxima were."""

BATCH = 3
IGNORED = [0, 1, -1, 3, 4, -1]
"""Labels of the cross-entropy case with labels that do not count, and its class weights."""
CLASS_WEIGHTS = [0.5, 2.0, 1.0, 0.25, 3.0]
BATCH_NORM_STEPS = 10
OPTIMISER_STEPS = 12
OPTIMISERS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "sgd_nesterov": {"learning_rate": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    "sgd_plain": {"learning_rate": 0.2, "momentum": 0.0},
    "adam": {"learning_rate": 0.05, "weight_decay": 0.1},
    "adamw": {"learning_rate": 0.05, "weight_decay": 0.1},
    "rmsprop": {"learning_rate": 0.02, "momentum": 0.5, "weight_decay": 0.01},
}
"""Recipes for `tests/test_pytorch.py`: the part of a name before `_` is the optimiser, decay applies to all arrays."""


def numbers(shape: tuple[int, ...], offset: float) -> np.ndarray:
    """The rule: 2·sin(0.9·i² + 0.37·i + 0.21 + offset) for the i-th element, which repeats nowhere and is never 0."""
    index = np.arange(int(np.prod(shape)), dtype=np.float64)
    return (2 * np.sin(0.9 * index * index + 0.37 * index + 0.21 + offset)).reshape(shape).astype(np.float32)
