"""Dropout whose key is given at the call, so that a module holds no random state."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.nn.shards import Shards


class Dropout(nnx.Module):
    """Drops elements while training; along the axes that are `whole` all of them or none."""

    def __init__(self, rate: float, whole: tuple[int, ...] = ()) -> None:
        self.rate = rate
        self.whole = whole

    def __call__(
        self,
        x: jax.Array,
        *,
        train: bool = False,
        key: jax.Array | None = None,
        rate: jax.Array | None = None,
        shards: Shards | None = None,
    ) -> jax.Array:
        """A `rate` that is an array takes the place of the module's own; where it is 0 all elements are kept.

        Of a part of a batch, what is dropped is what would be of the whole.
        """
        chosen = self.rate if rate is None else rate
        if not train or (rate is None and self.rate == 0):
            return x
        if key is None:
            raise ValueError("dropout needs a key while training")
        shape = tuple(1 if axis in self.whole else size for axis, size in enumerate(x.shape))
        if shards is None:
            keep = jax.random.bernoulli(key, 1 - chosen, shape)
        else:
            keep = shards.bernoulli(key, 1 - chosen, shape, self.whole)
        return jnp.where(keep, x / (1 - chosen), 0)
