"""Why a loss is not finite: the failing step is done again, layer by layer."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from archspec.graph import INPUT, Graph
from archspec.images.numbers import normalised
from archspec.lower import Pure
from archspec.spec.network import Input


def first_broken_layer(
    graph: Graph, pure: Pure, state: dict[str, Any], images: jax.Array, input: Input, frozen: frozenset[str]
) -> str | None:
    """The path of the first layer whose output for a batch is not finite; None when all are.

    `state` is the state before the step. The first layer with weights that are not finite is named for those.
    """
    network = pure.merge(state["params"], state["statistics"])
    key = jax.random.fold_in(jax.random.wrap_key_data(state["key"]), state["step"])
    values = {INPUT: normalised(images, input)}
    for index, value in network.trace(values[INPUT], key, frozen):
        if not bool(jnp.isfinite(value).all()):
            return graph.nodes[index].path
    return None
