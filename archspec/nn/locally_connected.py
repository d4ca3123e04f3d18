"""Convolution whose filters are other ones at each position."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from archspec.nn.pooling import Pair, Sides, tap_of


class LocallyConnected(nnx.Module):
    """y[i] = Σ x[i·S + d·t − P]·K[i, t] + b[i]; the filters of each position are drawn with their own fan-in."""

    def __init__(
        self,
        channels: int,
        filters: int,
        *,
        places: Pair,
        kernel: Pair,
        stride: Pair,
        padding: Sides,
        dilation: Pair,
        use_bias: bool,
        kernel_init: Callable[..., jax.Array],
        bias_init: Callable[..., jax.Array],
        rngs: nnx.Rngs,
    ) -> None:
        self.places = places
        self.window = kernel
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        keys = jax.random.split(rngs.params(), prod(places))
        drawn = jax.vmap(lambda key: kernel_init(key, (*kernel, channels, filters)))(keys)
        self.kernel = nnx.Param(drawn.reshape(*places, *drawn.shape[1:]))
        self.bias = nnx.Param(bias_init(rngs.params(), (*places, filters))) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel: Any = self.kernel[...]
        padded = lax.pad(
            x, jnp.zeros((), x.dtype), [(0, 0, 0), *((before, after, 0) for before, after in self.padding), (0, 0, 0)]
        )
        taps = [tap_of(padded, place, self.places, self.stride, self.dilation) for place in np.ndindex(*self.window)]
        seen = jnp.concatenate(taps, axis=-1)
        own = kernel.reshape(*self.places, seen.shape[-1], kernel.shape[-1])
        y = jnp.einsum("bhws,hwsf->bhwf" if x.ndim == 4 else "bls,lsf->blf", seen, own)
        return y if self.bias is None else y + self.bias[...]
