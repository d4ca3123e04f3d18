"""Self-attention over positions."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class SelfAttention(nnx.Module):
    """softmax(q·kᵀ/√d + q·r/√d)·v, head by head, over (batch, …, channels).

    The relative tables begin with normal numbers of the standard deviation 1/√d (Srinivas et al. 2021, their code).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        heads: int,
        width: int,
        values: int,
        filters: int | None,
        scale: bool,
        relative: bool,
        use_bias: bool,
        kernel_init: Callable[..., jax.Array],
        bias_init: Callable[..., jax.Array],
        rngs: nnx.Rngs,
    ) -> None:
        def linear(inner: int, outer: int) -> nnx.Linear:
            return nnx.Linear(inner, outer, use_bias=use_bias, kernel_init=kernel_init, bias_init=bias_init, rngs=rngs)

        *self.sizes, channels = shape
        self.heads = heads
        self.factor = 1 / sqrt(width // heads) if scale else 1.0
        self.query = linear(channels, width)
        self.key = linear(channels, width)
        self.value = linear(channels, values)
        self.output = None if filters is None else linear(values, filters)
        tables = [
            nnx.Param(jax.random.normal(rngs.params(), (2 * size - 1, width // heads)) / sqrt(width // heads))
            for size in (self.sizes if relative else ())
        ]
        self.relative = relative
        if relative and len(self.sizes) == 2:
            self.relative_height, self.relative_width = tables
        elif relative:
            (self.relative_length,) = tables

    def __call__(self, x: jax.Array) -> jax.Array:
        batch, *sizes, _ = x.shape
        query, key, value = (
            part(x).reshape(batch, -1, self.heads, part.out_features // self.heads)
            for part in (self.query, self.key, self.value)
        )
        if self.factor != 1:
            query = query * self.factor
        logits = jnp.einsum("bqnd,bknd->bnqk", query, key)
        if self.relative:
            logits = logits + self._relative(query.reshape(batch, *sizes, *query.shape[2:])).reshape(logits.shape)
        # Exponentials and their sum are of float32, whatever the precision.
        weights = jax.nn.softmax(logits.astype(jnp.float32)).astype(logits.dtype)
        y = jnp.einsum("bnqk,bknd->bqnd", weights, value).reshape(batch, *sizes, -1)
        return y if self.output is None else self.output(y)

    def _relative(self, query: jax.Array) -> jax.Array:
        """q·r for every position and every other one, (batch, heads, …, …): the tables' rows by distance."""

        def rows(table: Any) -> jax.Array:
            size = (table.shape[0] + 1) // 2
            distance = np.arange(size)[None, :] - np.arange(size)[:, None] + size - 1
            found: jax.Array = table[...][distance]
            return found

        if len(self.sizes) == 1:
            return jnp.einsum("bind,iud->bniu", query, rows(self.relative_length))
        down = jnp.einsum("bijnd,iud->bniju", query, rows(self.relative_height))
        across = jnp.einsum("bijnd,jvd->bnijv", query, rows(self.relative_width))
        return down[..., :, None] + across[..., None, :]
