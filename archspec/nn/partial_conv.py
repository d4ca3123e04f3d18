"""Convolution by a connection table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from archspec.lowerings.case import Case
from archspec.lowerings.conv import library
from archspec.nn.pooling import Pair, Sides


class PartialConv(nnx.Module):
    """Holds the kernels of connected pairs only and scatters them into a dense kernel of zeros for the convolution.

    Each filter's kernels are drawn with that filter's own fan-in.
    """

    def __init__(
        self,
        channels: int,
        connections: tuple[tuple[int, ...], ...],
        *,
        kernel: Pair,
        stride: Pair,
        padding: Sides,
        dilation: Pair,
        use_bias: bool,
        kernel_init: Callable[..., jax.Array],
        bias_init: Callable[..., jax.Array],
        rngs: nnx.Rngs,
    ) -> None:
        self.channels = channels
        self.connections = connections
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        drawn = [kernel_init(rngs.params(), (*kernel, len(seen), 1))[..., 0] for seen in connections]
        self.kernel = nnx.Param(jnp.concatenate(drawn, axis=-1))
        self.bias = nnx.Param(bias_init(rngs.params(), (len(connections),))) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel: Any = self.kernel[...]
        sources = np.concatenate([np.asarray(seen) for seen in self.connections])
        filters = np.repeat(np.arange(len(self.connections)), [len(seen) for seen in self.connections])
        dense = jnp.zeros((*kernel.shape[:-1], self.channels, len(self.connections)), kernel.dtype)
        dense = dense.at[..., sources, filters].set(kernel)
        case = Case(
            "conv",
            x.shape[0],
            tuple(x.shape[1:-1]),
            self.channels,
            len(self.connections),
            kernel.shape[:-1],
            self.stride,
            self.padding,
            self.dilation,
            1,
            x.dtype.name,
        )
        y = library.forward(x, dense, case)
        return y if self.bias is None else y + self.bias[...]
