"""Enlarging maps (batch, height, width, channels) and signals (batch, length, channels).

Copies, interpolation, transposed convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from archspec.lowerings.case import Case
from archspec.lowerings.choosing import Lowerings, default
from archspec.lowerings.convolution import convolve
from archspec.nn.pooling import Pair, Sides


def repeated(x: jax.Array, *, factor: Pair) -> jax.Array:
    """Every pixel as a block of copies."""
    batch, *sizes, channels = x.shape
    blocks = [item for pair in zip(sizes, factor, strict=True) for item in pair]
    copies = jnp.broadcast_to(
        jnp.expand_dims(x, [2 * axis + 2 for axis in range(len(sizes))]), (batch, *blocks, channels)
    )
    return copies.reshape(batch, *(size * step for size, step in zip(sizes, factor, strict=True)), channels)


def bed_of_nails(x: jax.Array, *, factor: Pair) -> jax.Array:
    """Every pixel in the upper left corner of a block of zeros, or at its beginning."""
    config = [(0, 0, 0), *((0, step - 1, step - 1) for step in factor), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def nearest(x: jax.Array, *, size: Pair) -> jax.Array:
    """Pixel floor(i·W1/W2) on each axis."""
    sizes = x.shape[1:-1]
    factors = tuple(after // before for before, after in zip(sizes, size, strict=True))
    if all(before * factor == after for before, after, factor in zip(sizes, size, factors, strict=True)):
        return repeated(x, factor=factors)
    for axis, after in enumerate(size, 1):
        x = jnp.take(x, np.arange(after) * x.shape[axis] // after, axis=axis)
    return x


def interpolation(before: int, after: int, align_corners: bool) -> np.ndarray:
    """Row i has the weights of output pixel i on one axis: at most two are not 0."""
    if align_corners:
        places = np.arange(after) * ((before - 1) / (after - 1) if after > 1 else 0.0)
    else:
        places = np.maximum((np.arange(after) + 0.5) * (before / after) - 0.5, 0)
    low = np.minimum(places.astype(int), before - 1)
    high = np.minimum(low + 1, before - 1)
    share = places - low
    matrix = np.zeros((after, before))
    np.add.at(matrix, (np.arange(after), low), 1 - share)
    np.add.at(matrix, (np.arange(after), high), share)
    return matrix.astype(np.float32)


def linear(x: jax.Array, *, size: Pair, align_corners: bool) -> jax.Array:
    """Linear interpolation on each axis, as matrix products: their gradients are matrix products too."""
    if x.ndim == 3:
        weights = interpolation(x.shape[1], size[0], align_corners).astype(x.dtype)
        return jnp.einsum("il,blc->bic", weights, x, precision=lax.Precision.HIGHEST)
    rows, columns = (interpolation(x.shape[axis + 1], size[axis], align_corners).astype(x.dtype) for axis in (0, 1))
    x = jnp.einsum("ih,bhwc->biwc", rows, x, precision=lax.Precision.HIGHEST)
    return jnp.einsum("jw,biwc->bijc", columns, x, precision=lax.Precision.HIGHEST)


class TransposedConv(nnx.Module):
    """y[i·S + d·t − P] += x[i]·K[t]: the gradient of a convolution, used forwards.

    `kernel` is (F, F, input channels, filters/groups), of signals (F, input channels, filters/groups), as PyTorch has
    it but for the order of the axes.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        *,
        kernel: Pair,
        stride: Pair,
        padding: Sides,
        output: Pair,
        dilation: Pair,
        groups: int,
        use_bias: bool,
        kernel_init: Callable[..., jax.Array],
        bias_init: Callable[..., jax.Array],
        rngs: nnx.Rngs,
    ) -> None:
        self.stride = stride
        self.padding = padding
        self.output = output
        self.dilation = dilation
        self.groups = groups
        self.kernel = nnx.Param(kernel_init(rngs.params(), (*kernel, channels, filters // groups)))
        self.bias = nnx.Param(bias_init(rngs.params(), (filters,))) if use_bias else None

    def __call__(self, x: jax.Array, *, lowerings: Lowerings | None = None) -> jax.Array:
        kernel: Any = self.kernel[...]
        case = self.case(x)
        y = convolve(x, kernel, case, (lowerings or default()).of(case))
        return y if self.bias is None else y + self.bias[...]

    def case(self, x: jax.Array) -> Case:
        """What the transposed convolution of an input is."""
        kernel: Any = self.kernel[...]
        *taps, channels, filters = kernel.shape
        whole = (
            (size - 1) * step + spread * (count - 1) + 1
            for size, step, spread, count in zip(x.shape[1:-1], self.stride, self.dilation, taps, strict=True)
        )
        return Case(
            "transposed_conv",
            x.shape[0],
            tuple(x.shape[1:-1]),
            channels,
            filters * self.groups,
            tuple(taps),
            self.stride,
            tuple(
                (before, size - before - output)
                for (before, _), size, output in zip(self.padding, whole, self.output, strict=True)
            ),
            self.dilation,
            self.groups,
            x.dtype.name,
        )
