"""Why a loss is not finite: the failing step is done again, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import listed
from archspec.graph import Graph
from archspec.lower import Arrays, Inputs, Network
from archspec.lowerings.choosing import Lowerings
from archspec.training.scaling import LEAST

ALL_FINITE = "every layer's output is finite, so that it is the loss itself that leaves the range of numbers"


def first_broken_layer(
    graph: Graph,
    network: Network,
    x: Inputs,
    key: jax.Array | None,
    frozen: frozenset[str] = frozenset(),
    *,
    train: bool = True,
    precision: Any = None,
    lowerings: Lowerings | None = None,
) -> str:
    """In words, the first layer whose output for a batch is not finite, or what else is to blame.

    `graph` is pruned to the mode; `x` is what the step gave the network, an array or arrays by name, augmentation
    included, `key` the step's own, so that the same elements are dropped, `precision` the 16-bit type of its passes and
    `lowerings` what chooses how its operations are computed. The first layer with weights that are not finite is named
    for those.
    """
    for name, array in x.items() if isinstance(x, Mapping) else [("", x)]:
        if not _finite(array):
            broken = [index for index, sample in enumerate(array) if not _finite(sample)]
            numbers = listed((str(index + 1) for index in broken), 6)
            what = f"input `{name}` is" if name else "images are"
            return (
                f"the batch's {what} not finite {'itself' if name else 'themselves'}: number {numbers} of {len(array)}"
            )
    for index, value in network.trace(x, key, frozen, train=train, precision=precision, lowerings=lowerings):
        if not _finite(value):
            return f"the first layer whose output is not finite is {graph.nodes[index].path}"
    return ALL_FINITE


def _finite(value: jax.Array) -> bool:
    return bool(jnp.isfinite(value).all())


def broken_arrays(arrays: Arrays) -> list[str]:
    """The names of those arrays that hold NaN or infinity.

    They are looked for on the host, where a checkpoint's digests need them anyway: a program with a result for each of
    some hundred arrays takes seconds to compile.
    """
    return [name for name, value in jax.device_get(arrays).items() if not np.isfinite(value).all()]


def in_words(precision: str, scale: float | None, where: str) -> tuple[str, str, list[str]]:
    """What is not finite in a step that failed, where, and what helps beside a smaller learning rate.

    `scale` is the loss's before the step, in float16; `where` what `first_broken_layer` found. Where a loss in float16
    is finite, its gradients are not, down to the least scale.
    """
    if precision != "float16":
        return "the loss is not finite", where, []
    help = ["`precision: bfloat16` has the range of float32"]
    if where == ALL_FINITE and scale is not None and scale / 2 < LEAST:
        return "gradients are not finite", f"the loss is, and was scaled down to {scale:.3g} times itself before", help
    return "the loss is not finite", f"in float16, where nothing is above 65,504, {where}", help
