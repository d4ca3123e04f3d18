"""What a layer's function is told where its batch is one device's part of a larger one."""

from __future__ import annotations

from math import prod
from typing import NamedTuple, TypeVar

import jax
from jax import lax

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

    @property
    def devices(self) -> int:
        return prod(self.mesh.sizes)

    def sample_part(self) -> jax.Array:
        """The number of this device's part of the batch."""
        return lax.axis_index(SAMPLES)

    def row_part(self) -> jax.Array:
        """The number of this device's part of the rows."""
        return lax.axis_index("spatial")
