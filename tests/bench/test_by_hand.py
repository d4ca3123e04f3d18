"""The networks that are written by hand are those of the zoo."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import pytest
from flax import nnx

from archspec.by_hand import NETWORKS, make
from archspec.loading import load


@pytest.mark.parametrize("name", NETWORKS)
def test_arrays_are_those_of_the_spec(name: str) -> None:
    """Trained numbers and statistics, with the heads that training has."""
    graph = load(name).graph().pruned("train")
    height, width, _ = graph.inputs[0].type.shape
    network = nnx.eval_shape(lambda: make(name, (height, width), nnx.Rngs(0)))

    def numbers(kind: type[nnx.Variable[Any]]) -> int:
        return sum(prod(value.shape) for value in jax.tree.leaves(nnx.state(network, kind)))

    assert (numbers(nnx.Param), numbers(nnx.BatchStat)) == (graph.count("trainable"), graph.count("statistics"))
