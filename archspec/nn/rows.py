"""Rows of maps (batch, height, width, channels) that the devices of `spatial` divide, within `jax.shard_map`.

Each device has an equal part, in order. Gradients are those of the sum of all devices' shares of a loss.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

from archspec.nn.shards import Shards

AXIS = "spatial"
Beyond = Literal["zeros", "least", "edge"]
"""What stands above and below the whole map."""


def with_neighbours(x: jax.Array, parts: int, top: int, bottom: int, beyond: Beyond) -> jax.Array:
    """A part with the last `top` rows of the part above it, and the first `bottom` of the part below."""
    pieces = [x]
    if top:
        above = _moved(x[:, -top:], [(part, part + 1) for part in range(parts - 1)])
        pieces.insert(0, _at_edge(above, x[:, :1], lax.axis_index(AXIS) == 0, beyond))
    if bottom:
        below = _moved(x[:, :bottom], [(part + 1, part) for part in range(parts - 1)])
        pieces.append(_at_edge(below, x[:, -1:], lax.axis_index(AXIS) == parts - 1, beyond))
    return jnp.concatenate(pieces, 1) if len(pieces) > 1 else x


def _moved(x: jax.Array, ways: list[tuple[int, int]]) -> jax.Array:
    taken: jax.Array = lax.ppermute(x, AXIS, ways)  # type: ignore[no-untyped-call]
    return taken


def _at_edge(taken: jax.Array, row: jax.Array, is_edge: jax.Array, beyond: Beyond) -> jax.Array:
    """What is taken of a neighbour, or stands for it at an edge of the map, where `row` is the last one."""
    if beyond == "zeros":
        # Whoever gets nothing has zeros.
        return taken
    return jnp.where(is_edge, row if beyond == "edge" else _least(taken), taken)


def _least(x: jax.Array) -> jax.Array:
    # No layer that gives whole numbers has windows beyond the edge.
    return jnp.asarray(-jnp.inf, x.dtype)


def part_of(x: jax.Array, parts: int, top: int = 0, bottom: int = 0, beyond: Beyond = "zeros") -> jax.Array:
    """The part of a map that is whole on every device, with so many rows beside it."""
    own = x.shape[1] // parts
    if top or bottom:
        x = _padded(x, (top, bottom), beyond)
    return lax.dynamic_slice_in_dim(x, lax.axis_index(AXIS) * own, own + top + bottom, 1)


def _padded(x: jax.Array, rows: tuple[int, int], beyond: Beyond) -> jax.Array:
    sides = [(0, 0), rows, *((0, 0) for _ in x.shape[2:])]
    if beyond == "edge":
        return jnp.pad(x, sides, mode="edge")
    return jnp.pad(x, sides, constant_values=0 if beyond == "zeros" else _least(x))


def gathered(x: jax.Array, axis: int = 1) -> jax.Array:
    """The parts of all devices, one after the other along an axis."""
    # Between processes a CPU's `psum_scatter` has a fixed time-out, which slow ones miss: it sums and cuts.
    return _gathered_on_cpu(x, axis) if jax.default_backend() == "cpu" else _all(x, axis)


def _all(x: jax.Array, axis: int) -> jax.Array:
    whole: jax.Array = lax.all_gather(x, AXIS, axis=axis, tiled=True)
    return whole


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _gathered_on_cpu(x: jax.Array, axis: int) -> jax.Array:
    return _all(x, axis)


def _gathered_forward(x: jax.Array, axis: int) -> tuple[jax.Array, int]:
    return _all(x, axis), x.shape[axis]


def _gathered_backward(axis: int, own: int, gradient: jax.Array) -> tuple[jax.Array]:
    total = _sum(gradient)
    return (lax.dynamic_slice_in_dim(total, lax.axis_index(AXIS) * own, own, axis),)


_gathered_on_cpu.defvjp(_gathered_forward, _gathered_backward)


def mean_of_parts(mean: jax.Array, shards: Shards | None) -> jax.Array:
    """The mean over a whole map of which this is the mean over its part, where rows are divided."""
    if shards is None or not shards.rows:
        return mean
    return _sum(mean) / shards.mesh.spatial


def _sum(x: jax.Array) -> jax.Array:
    total: jax.Array = lax.psum(x, AXIS)  # type: ignore[no-untyped-call]
    return total
