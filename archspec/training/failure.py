"""Why a loss is not finite: the failing step is done again, layer by layer."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from archspec.diagnostics import listed
from archspec.graph import Graph
from archspec.lower import Arrays, Network


def first_broken_layer(
    graph: Graph,
    network: Network,
    x: jax.Array,
    key: jax.Array | None,
    frozen: frozenset[str] = frozenset(),
    *,
    train: bool = True,
) -> str:
    """In words, the first layer whose output for a batch is not finite, or what else is to blame.

    `graph` is pruned to the mode; `x` is what the step gave the network, augmentation included, and `key` the step's
    own, so that the same elements are dropped. The first layer with weights that are not finite is named for those.
    """
    if not _finite(x):
        broken = [index for index, image in enumerate(x) if not _finite(image)]
        numbers = listed((str(index + 1) for index in broken), 6)
        return f"the batch's images are not finite themselves: number {numbers} of {len(x)}"
    for index, value in network.trace(x, key, frozen, train=train):
        if not _finite(value):
            return f"the first layer whose output is not finite is {graph.nodes[index].path}"
    return "every layer's output is finite, so that it is the loss itself that leaves the range of numbers"


def _finite(value: jax.Array) -> bool:
    return bool(jnp.isfinite(value).all())


@jax.jit
def _all_finite(arrays: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {name: jnp.isfinite(value).all() for name, value in arrays.items()}


def broken_arrays(arrays: Arrays) -> list[str]:
    """The names of those arrays that hold NaN or infinity; looked for on the device."""
    return [name for name, fine in jax.device_get(_all_finite(arrays)).items() if not fine]
