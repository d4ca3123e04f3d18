"""Passes: what they find and leave, and that values and gradients are those of the network without them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.graph import Graph
from archspec.loading import load
from archspec.lower import Pure, outline
from archspec.passes import NAMES, Group, chosen, groups_of, said
from tests.test_zoo import numbers

Write = Callable[..., Path]
Arrays = dict[str, Any]

# What can be folded: any convolution, with and without groups, bias, and the norm's own scale and bias.
FOLDED = """
input: {height: 8, width: 8, channels: 4}
layers:
  - conv: {name: plain, filters: 6, kernel: 3, pad: same, bias: false}
  - batch_norm
  - relu
  - conv: {name: grouped, filters: 6, kernel: 3, groups: 2, pad: same}
  - batch_norm: {scale: false}
  - depthwise_conv: {name: depthwise, kernel: 3, pad: same, multiplier: 2}
  - batch_norm: {bias: false}
  - relu
  - transposed_conv: {name: up, filters: 6, kernel: 3, stride: 2, groups: 3}
  - batch_norm: {scale: false, bias: false, epsilon: 0.1}
  - relu
  - transposed_conv: {name: wide, filters: 4, kernel: 2, dilation: 2}
  - batch_norm
  - global_avg_pool
  - dense: {name: d, units: 5}
  - batch_norm
"""

# What is not: taken by others, an output, shared, or no convolution before it.
LEFT = """
input: {height: 6, width: 6, channels: 4}
layers:
  - batch_norm
  - conv: {name: two, filters: 4, kernel: 1}
  - batch_norm: {name: after_two}
  - add: {from: [two, after_two]}
  - conv: {name: returned, filters: 4, kernel: 3, pad: same}
  - batch_norm: {name: after_returned}
  - conv: {name: first, filters: 4, kernel: 1}
  - batch_norm: {name: one}
  - conv: {name: second, filters: 4, kernel: 1, weights: first}
  - batch_norm: {name: other}
  - conv: {name: third, filters: 4, kernel: 1}
  - batch_norm: {name: again, weights: one}
  - conv: {name: shape, filters: 4, kernel: 3, stride: 2, pad: 1}
  - batch_norm: {name: after_shape}
  - resize: {name: out, from: after_shape, like: shape}
outputs: {out: out, returned: returned}
"""

INCEPTION = """
input: {height: 7, width: 7, channels: 5}
layers:
  - conv: {name: stem, filters: 8, kernel: 3, pad: same}
  - relu
  - parallel:
      name: mixed
      join: concat
      branches:
        a: [conv: {filters: 3, kernel: 1, bias: false}, batch_norm, relu]
        b: [conv: {filters: 5, kernel: 1}, relu, conv: {filters: 4, kernel: 3, pad: same}]
        c: [conv: {filters: 2, kernel: 1, bias: false}, conv: {filters: 2, kernel: 3, pad: 1, bias: false}, batch_norm]
        d: [max_pool: {window: 3, stride: 1, pad: 1}, conv: {filters: 3, kernel: 1}]
        e: [conv: {filters: 2, kernel: 1, pad: 1}, crop: 1]
        f: [conv: {filters: 2, kernel: 1, groups: 2}]
  - conv: {name: l, filters: 4, kernel: 1, stride: 2}
  - conv: {name: r, filters: 4, kernel: 1, stride: 2, from: mixed}
  - conv: {name: s, filters: 4, kernel: 1, stride: 1, from: mixed}
  - add: {from: [l, r]}
  - dropout: 0.3
  - global_avg_pool
  - dense: {name: out, units: 3}
"""


def drawn(graph: Graph) -> tuple[Pure, Arrays, Arrays]:
    """A network whose norms have scales, biases and statistics that all differ from 0 and 1."""
    pure, *parts = outline(graph)
    params, statistics = ({name: numbers(name, own.shape) for name, own in part.items()} for part in parts)
    return pure, params, statistics


def sample(graph: Graph, size: int = 2) -> Any:
    return np.float32(np.random.default_rng(1).standard_normal((size, *graph.input.shape)))


def pairs(graph: Graph, groups: tuple[Group, ...]) -> list[list[str]]:
    return [[graph.nodes[index].path for index in group.members] for group in groups]


def close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Within a share of the largest number of each array."""
    for own, wanted in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        own, wanted = np.asarray(own), np.asarray(wanted)
        np.testing.assert_allclose(own, wanted, 0, tolerance * np.abs(wanted).max())


def test_batch_norms_are_folded_beforehand_and_within(write: Write) -> None:
    graph = load(write(FOLDED)).graph().pruned("eval")
    groups = groups_of(graph, ["fold_batch_norm"])
    assert [graph.nodes[group.first].path for group in groups] == ["plain", "grouped", "depthwise", "up", "wide", "d"]
    pure, params, statistics = drawn(graph)
    x = sample(graph)
    folded = pure.folding(groups)(params, statistics)
    assert [{name: value.shape for name, value in part.items()} for part in folded] == [
        {name: value.shape for name, value in part.items()} for part in (params, statistics)
    ]

    @jax.jit
    def outputs(params: Arrays, statistics: Arrays, folded: tuple[Arrays, Arrays], x: jax.Array) -> list[Any]:
        return [
            pure.apply(params, statistics, x, train=False)[0],
            pure.apply(params, statistics, x, train=False, groups=groups)[0],
            pure.apply(*folded, x, train=False, groups=groups, folded=True)[0],
            pure.apply(*folded, x, train=False, groups=groups, folded=True, precision=jnp.bfloat16)[0],
            pure.apply(*folded, x, train=False)[0],
        ]

    plain, within, beforehand, half, wrong = outputs(params, statistics, folded, x)
    close([within, beforehand], [plain, plain])
    close(half, plain, 0.05)
    # Arrays that are folded are no others' weights: the network as it is gives other numbers with them.
    assert not np.allclose(wrong, plain, 1e-2)


def test_a_folded_kernel_is_the_product_by_hand(write: Write) -> None:
    text = "input: {features: 3}\nlayers: [{dense: {name: d, units: 2}}, {batch_norm: {name: n, epsilon: 0.25}}]"
    graph = load(write(text)).graph().pruned("eval")
    pure, params, statistics = drawn(graph)
    folded, after = pure.folding(groups_of(graph))(params, statistics)
    w, b, scale, bias, mean, var = (
        np.float64({**params, **statistics}[name])
        for name in ("d.kernel", "d.bias", "n.scale", "n.bias", "n.mean", "n.var")
    )
    factor = scale / np.sqrt(var + 0.25)
    np.testing.assert_allclose(folded["d.kernel"], w * factor, 1e-6)
    np.testing.assert_allclose(-after["n.mean"], (b - mean) * factor + bias, 1e-5)


def test_what_others_see_is_not_folded(write: Write) -> None:
    graph = load(write(LEFT)).graph().pruned("eval")
    groups = groups_of(graph, NAMES)
    # A layer that takes the shape alone takes no numbers.
    assert pairs(graph, groups) == [["shape", "after_shape"]]
    assert said(graph, ["fold_batch_norm"]) == "1 batch norm folded into convolutions, 6 left as they are"
    pure, params, statistics = drawn(graph)
    x = sample(graph)
    folded = pure.folding(groups)(params, statistics)

    @jax.jit
    def outputs(params: Arrays, statistics: Arrays, folded: tuple[Arrays, Arrays], x: jax.Array) -> list[Any]:
        return [
            pure.apply(*folded, x, train=False, groups=groups, folded=True)[0],
            pure.apply(params, statistics, x, train=False)[0],
        ]

    found, plain = outputs(params, statistics, folded, x)
    close(found, plain)


def test_pointwise_convolutions_of_one_input_are_one(write: Write) -> None:
    network = load(write(INCEPTION)).graph()
    graph = network.pruned("eval")
    both, alone = groups_of(graph, NAMES), groups_of(graph, ["fuse_pointwise"])
    fused = [sorted(names) for names in pairs(graph, tuple(group for group in both if group.how == "fuse_pointwise"))]
    conv, norm = "mixed.a.conv1", "mixed.a.batch_norm1"
    assert fused == [sorted([conv, norm, "mixed.b.conv1", "mixed.c.conv1"]), ["l", "r"]]
    loops = "no three alike blocks follow one another"
    assert said(graph, NAMES) == f"2 batch norms folded into convolutions; 5 1×1 convolutions computed as 2; {loops}"
    trained = load("lenet5").graph().pruned("train")
    assert (
        said(trained, NAMES) == f"no 1×1 convolutions share an input; {loops}"
        and said(trained, NAMES[:1]) == "nothing in training"
    )
    assert said(trained.pruned("eval"), NAMES[:1]) == "no batch norms to fold"
    pure, params, statistics = drawn(network)
    x = sample(graph)

    @jax.jit
    def found(params: Arrays, statistics: Arrays, folded: tuple[Arrays, Arrays], x: jax.Array) -> Any:
        return [
            pure.apply(params, statistics, x, train=False)[0],
            pure.apply(params, statistics, x, train=False, groups=alone)[0],
            pure.apply(*folded, x, train=False, groups=both, folded=True)[0],
        ]

    own, *others = found(params, statistics, pure.folding(both)(params, statistics), x)
    close(others, [own, own])


@pytest.mark.slow
def test_steps_with_fused_convolutions_are_the_same(write: Write) -> None:
    """Gradients and statistics, dropout's keys included, and with a frozen branch."""
    graph = load(write(INCEPTION)).graph().pruned("train")
    groups = groups_of(graph, NAMES)
    assert {group.how for group in groups} == {"fuse_pointwise"}
    pure, params, statistics = drawn(graph)
    branch = frozenset({"mixed.a.conv1", "mixed.a.batch_norm1"})

    @partial(jax.jit, static_argnums=(2, 3))
    def step(params: Arrays, x: jax.Array, groups: tuple[Group, ...], frozen: frozenset[str]) -> Any:
        def loss(params: Arrays) -> Any:
            key = jax.random.key(3)
            y, after = pure.apply(params, statistics, x, train=True, key=key, groups=groups, frozen=frozen)
            return (y**2).sum(), after  # type: ignore[operator]

        return jax.value_and_grad(loss, has_aux=True)(params)

    x = sample(graph)
    plain, still = (step(params, x, (), frozen) for frozen in (frozenset[str](), branch))
    close(step(params, x, groups, frozenset()), plain)
    close(step(params, x, groups, branch), still)
    mean = "mixed.a.batch_norm1.mean"
    np.testing.assert_array_equal(still[0][1][mean], statistics[mean])
    assert not np.allclose(plain[0][0], still[0][0])


def test_groups_stay_within_blocks_that_are_computed_anew(write: Write) -> None:
    graph = load(write(INCEPTION)).graph().pruned("train")
    (block, outside) = groups_of(graph, ["fuse_pointwise"], remat=["mixed"])
    assert (block.how, block.path) == ("recompute", "mixed")
    assert [inner.how for inner in block.inner] == ["fuse_pointwise"]
    assert set(block.inner[0].members) < set(block.members)
    assert pairs(graph, (outside,)) == [["l", "r"]]


def test_passes_are_named_or_none() -> None:
    assert chosen("none") == chosen([]) == ()
    assert chosen("fuse_pointwise, fold_batch_norm") == NAMES[:2]
    with pytest.raises(ValueError, match="no pass 'fold_batchnorm'; did you mean `fold_batch_norm`"):
        chosen("fold_batchnorm")
    with pytest.raises(ValueError, match="there are fold_batch_norm, fuse_pointwise"):
        chosen("xyz")
