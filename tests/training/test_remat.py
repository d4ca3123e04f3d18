"""Blocks that are computed anew in the backward pass: the same gradients, and less memory, as XLA counts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.diagnostics import DataError
from archspec.loading import load
from archspec.passes import Group
from archspec.passes.recompute import find
from archspec.training.feeding import Batch
from archspec.training.steps import make_steps

Write = Callable[..., Path]

NETWORK = """
input: {{height: 8, width: 8, channels: 3}}
blocks:
  unit:
    layers:
      - residual:
          layers: [conv: {{filters: 6, kernel: 3, pad: same}}, batch_norm, relu, dropout: 0.3]
      - max_pool: {{window: 2, name: pool}}
      - relu
layers:
  - conv: {{filters: 6, kernel: 3, pad: same, name: stem}}
  - repeat: {{times: 2, name: body, layers: [unit]}}
  - max_unpool: {{indices: body.1.pool, name: up}}
  - flatten
  - dense: {{name: out, units: 3}}
train: {{batch_size: 8, optimiser: {{sgd: {{learning_rate: 0.1}}}}{more}}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("parts", [pytest.param(1, marks=pytest.mark.minutes), 2])
def test_steps_are_the_same_with_batch_norm_dropout_and_indices(write: Write, parts: int) -> None:
    rng = np.random.default_rng(0)
    batch = Batch(
        {"input": jnp.asarray(rng.integers(0, 256, (8, 8, 8, 3)), jnp.uint8)},
        {"label": jnp.asarray(rng.integers(0, 3, 8), jnp.int32)},
        jnp.arange(8, dtype=jnp.int32),
    )
    found, text = [], []
    for more in ("", ", remat: [body.*]"):
        steps = make_steps(load(write(NETWORK.format(more=f", micro_batches: {parts}{more}"))), 1)
        state = steps.initial(None)
        text.append(str(jax.make_jaxpr(cast(Any, steps.train))(state, batch)))
        for _ in range(2):
            state, figures = steps.train(state, batch)
        found.append({**state["params"], **state["statistics"], "losses": figures["losses"]})
        assert cast(Any, steps.train)._cache_size() == 1
    assert text[1].count("conv_general_dilated") == text[0].count("conv_general_dilated") + 2
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, 1e-5, 1e-6, err_msg=name)
    assert found[0]["body.0.batch_norm1.mean"].any()


def test_blocks_are_named_as_elsewhere(write: Write) -> None:
    graph = load("resnet20").graph().pruned("train")
    rounds = find(graph, ("layer1.*", "layer3"))
    assert [group.path for group in rounds] == ["layer1.0", "layer1.1", "layer1.2", "layer3"]
    for group in rounds:
        inside = [node.path.startswith(f"{group.path}.") for node in graph.nodes]
        assert [index for index, here in enumerate(inside) if here] == list(group.members)
    assert [group.path for group in find(graph, "all")] == [
        f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)
    ]
    whole = Group("recompute", tuple(range(3, 24)), path="layer1")
    # Of blocks within one another the outermost.
    assert find(graph, ("layer1", "layer1.*")) == find(graph, ("layer1",)) == (whole,)
    with pytest.raises(DataError, match=r"`layer9.\*`, which is no block of resnet20"):
        find(graph, ("layer9.*",))
    with pytest.raises(DataError, match="finds no blocks in lenet5"):
        find(load("lenet5").graph().pruned("train"), "all")
