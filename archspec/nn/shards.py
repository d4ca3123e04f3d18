"""What a layer's function is told where its batch is one device's part of a larger one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry2x32_p

from archspec.mesh import AXES, SAMPLES, Mesh

Values = TypeVar("Values")


class Shards(NamedTuple):
    """A device's part of a batch, while a function is traced within `jax.shard_map` over all axes of a mesh.

    Samples are divided over `SAMPLES` in order. Each device adds a share to the loss, and the loss is the sum of all
    devices' shares: what all devices of `spatial` compute alike, each of them counts as its part of it. So a sum over
    *all* axes, over what is counted on all axes, is that of the whole batch, of its gradients too, whether rows are
    divided or not; and the gradient of what is whole on all devices is the sum of their gradients by it.

    `rows` says whether the rows of what this layer takes are divided over `spatial`; the layer then has its own rows,
    in order.
    """

    mesh: Mesh
    rows: bool = False

    def total(self, values: Values) -> Values:
        """The sums over all devices, of an array or of each of a tree."""
        summed: Values = lax.psum(values, AXES)  # type: ignore[no-untyped-call]
        return summed

    def together(self, sums: dict[str, jax.Array], joined: bool, axes: tuple[str, ...]) -> dict[str, jax.Array]:
        """What a metric gives of a batch, of what it gives of the parts along some axes: added up, or joined."""
        if joined:
            return {name: lax.all_gather(value, axes, axis=0, tiled=True) for name, value in sums.items()}
        added: dict[str, jax.Array] = lax.psum(sums, axes)  # type: ignore[no-untyped-call]
        return added

    @property
    def devices(self) -> int:
        return prod(self.mesh.sizes)

    @property
    def parts(self) -> int:
        """How many parts the numbers of a layer are divided into; each is on `devices/parts` devices alike."""
        return self.mesh.batches * (self.mesh.spatial if self.rows else 1)

    def sample_part(self) -> jax.Array:
        """The number of this device's part of the batch."""
        return lax.axis_index(SAMPLES)

    def row_part(self) -> jax.Array:
        """The number of this device's part of the rows."""
        return lax.axis_index("spatial")

    def bernoulli(
        self, key: jax.Array, p: float | jax.Array, shape: Sequence[int], whole: Collection[int]
    ) -> jax.Array:
        """This device's part, of this shape, of `jax.random.bernoulli(key, p, shape of the whole)`, bit for bit.

        Samples are the first axis and rows the second; an axis that is `whole` is so on each device. JAX's generator
        makes each number of the key and its place in the array alone, where it is threefry and the numbers are of 32
        bits: so none of other devices' are drawn. Otherwise the whole is drawn on each.
        """
        axes = [axis for axis in range(2 if self.rows else 1) if axis not in whole]
        parts = [(self.mesh.batches, self.mesh.spatial)[axis] if axis in axes else 1 for axis in range(len(shape))]
        begins: list[jax.Array | int] = [
            (self.sample_part, self.row_part)[axis]() * size if axis in axes else 0 for axis, size in enumerate(shape)
        ]
        sizes = tuple(size * part for size, part in zip(shape, parts, strict=True))
        kind = jnp.result_type(p)
        if not (_is_by_place(key) and kind == jnp.float32):
            return lax.dynamic_slice(jax.random.bernoulli(key, p, sizes), begins, tuple(shape))
        return _uniform(_bits(key, *_places(tuple(shape), sizes, begins))) < jnp.asarray(p, kind)


def averaged(arrays: dict[str, jax.Array], shards: Shards) -> dict[str, jax.Array]:
    """The mean over devices of each array, which are summed as one.

    Whole numbers, as counts of steps are, stay such.
    """
    if not arrays:
        return {}
    flat = jnp.concatenate([value.reshape(-1).astype(jnp.float32) for value in arrays.values()])
    mean = shards.total(flat) / shards.devices
    ends = np.cumsum([value.size for value in arrays.values()])
    own = {
        name: mean[end - value.size : end].reshape(value.shape)
        for (name, value), end in zip(arrays.items(), ends.tolist(), strict=True)
    }
    return {
        name: (value if jnp.issubdtype(arrays[name].dtype, jnp.floating) else jnp.round(value)).astype(
            arrays[name].dtype
        )
        for name, value in own.items()
    }


def _is_by_place(key: jax.Array) -> bool:
    """Whether each number that a key gives follows from its place alone, in the way of `_bits`."""
    partitionable: bool = jax.config.jax_threefry_partitionable
    return partitionable and str(jax.random.key_impl(key)) == "threefry2x32"


def _places(
    shape: tuple[int, ...], whole: tuple[int, ...], begins: Sequence[jax.Array | int]
) -> tuple[jax.Array, jax.Array]:
    """The place of each number of a part in the whole array, in its order: the high and the low 32 bits of it.

    The part begins at `begins`, and has all of the whole but for the first two axes.
    """
    rest = prod(whole[2:])
    rows, own_rows = (*whole[1:2], 1)[0], (*shape[1:2], 1)[0]
    first = jnp.uint32(begins[0]) + lax.iota(jnp.uint32, shape[0])
    row = first * jnp.uint32(rows) + jnp.uint32(begins[1] if len(begins) > 1 else 0)
    within = lax.iota(jnp.uint32, own_rows * rest).reshape(1, -1)
    high, low = _product(row, rest)
    place = low[:, None] + within
    # A sum of 32 bits that is below what was added has a carry.
    high = high[:, None] + (place < within).astype(jnp.uint32)
    return high.reshape(shape), place.reshape(shape)


def _product(number: jax.Array, factor: int) -> tuple[jax.Array, jax.Array]:
    """The high and the low 32 bits of number·factor, by halves of 16 bits as on paper."""
    ones, half = jnp.uint32(0xFFFF), jnp.uint32(16)
    a, b = number >> half, number & ones
    c, d = jnp.uint32(factor >> 16), jnp.uint32(factor & 0xFFFF)
    middle = a * d + (b * d >> half)  # below 2³²
    other = b * c + (middle & ones)
    return a * c + (middle >> half) + (other >> half), number * jnp.uint32(factor)


def _bits(key: jax.Array, high: jax.Array, low: jax.Array) -> jax.Array:
    """What `jax.random.bits` of a threefry key has at places (Salmon et al. 2011)."""
    one, two = jax.random.key_data(key)
    threefry: Any = threefry2x32_p.bind
    first, second = threefry(jnp.broadcast_to(one, low.shape), jnp.broadcast_to(two, low.shape), high, low)
    bits: jax.Array = first ^ second
    return bits


def _uniform(bits: jax.Array) -> jax.Array:
    """What `jax.random.uniform` makes of bits in float32: 23 of them are the fraction of a number from 1 to 2."""
    fraction = (bits >> jnp.uint32(9)) | jnp.uint32(0x3F800000)
    return lax.bitcast_convert_type(fraction, jnp.float32) - 1
