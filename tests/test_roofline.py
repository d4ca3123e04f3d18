"""The roofline model against figures worked out by hand from its definition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec import load
from archspec.cost import bytes_moved, width
from archspec.graph import Graph

Write = Callable[..., Path]


def network(write: Write, layers: str) -> Graph:
    """A network of 8×8×3 images."""
    return load(write(f"input: {{height: 8, width: 8, channels: 3}}\nlayers:\n{layers}")).graph()


def test_bytes_of_a_convolution_and_a_dense_layer_by_hand(write: Write):
    text = "- conv: {name: c, filters: 4, kernel: 3, pad: 1}\n- flatten: {name: v}\n- dense: {name: d, units: 10}"
    nodes = network(write, text).by_path()
    # 8×8×3 in, 8×8×4 out, 3·3·3·4 + 4 weights; then 256 in, 10 out, 2570 weights
    assert bytes_moved(nodes["c"]) == 4 * (192 + 256 + 112)
    assert bytes_moved(nodes["c"], 5) == 4 * (5 * (192 + 256) + 112)
    assert bytes_moved(nodes["c"], 5, "bfloat16") == 2 * (5 * (192 + 256) + 112)
    assert bytes_moved(nodes["c"], 5, "tf32") == bytes_moved(nodes["c"], 5, "float32")
    assert bytes_moved(nodes["v"], 5) == 0
    assert bytes_moved(nodes["d"], 5) == 4 * (5 * (256 + 10) + 2570)


def test_element_wise_layers_move_only_what_their_producer_does_not_hold(write: Write):
    text = """
- conv: {name: a, filters: 4, kernel: 1}
- batch_norm: {name: n}
- relu: {name: r}
- conv: {name: b, filters: 4, kernel: 1}
- add: {name: s, from: [b, r]}
- global_avg_pool: {name: p, keep_dims: true}
- conv: {name: g, filters: 4, kernel: 1}
- multiply: {name: m, from: [g, s]}
"""
    nodes = network(write, text).by_path()
    size = 8 * 8 * 4
    assert bytes_moved(nodes["r"], 2) == 0
    assert bytes_moved(nodes["n"], 2) == 4 * 4 * 4  # scale, bias, mean and variance of 4 channels
    assert bytes_moved(nodes["s"], 2) == 4 * 2 * size  # the other branch
    assert bytes_moved(nodes["m"], 2) == 4 * 2 * 4  # the gate, the map being the larger input
    assert bytes_moved(nodes["r"], 2, fusion=False) == 4 * 2 * 2 * size
    assert bytes_moved(nodes["s"], 2, fusion=False) == 4 * 2 * 3 * size


def test_a_layer_on_the_input_has_nothing_to_be_fused_into(write: Write):
    nodes = network(write, "- relu: {name: r}\n- conv: {filters: 1, kernel: 1}").by_path()
    assert bytes_moved(nodes["r"]) == 4 * 2 * 192


def test_indices_count_a_byte_and_shapes_nothing(write: Write):
    text = """
- max_pool: {name: p, window: 2}
- conv: {name: c, filters: 3, kernel: 1}
- max_unpool: {name: u, indices: p}
- crop: {name: k, like: c}
"""
    nodes = network(write, text).by_path()
    pooled = 4 * 4 * 3
    assert bytes_moved(nodes["p"]) == 4 * (192 + pooled)
    assert bytes_moved(nodes["p"], indices=True) == 4 * (192 + pooled) + pooled
    assert bytes_moved(nodes["u"], dtype="float16") == 2 * (pooled + 192) + pooled
    assert bytes_moved(nodes["k"]) == 4 * (192 + pooled)


def test_an_unknown_dtype_is_an_error():
    with pytest.raises(KeyError):
        width("float8")
