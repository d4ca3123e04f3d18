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

from archspec.nn.pooling import Pair, Sides, layout


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

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel: Any = self.kernel[...]
        y = self._by_phases(x, kernel) if set(self.dilation) == {1} else self._by_dilation(x, kernel)
        return y if self.bias is None else y + self.bias[...]

    def _grouped(self, kernel: jax.Array) -> jax.Array:
        """(F, F, C, O/G) as (F, F, C/G, G, O/G): what each group's filters see."""
        *taps, channels, filters = kernel.shape
        grouped = kernel.reshape(*taps, self.groups, channels // self.groups, filters)
        return jnp.swapaxes(grouped, -3, -2)

    def _by_dilation(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        """A convolution over the input with zeros between its pixels."""
        sides = []
        for axis in range(len(self.stride)):
            extent = (kernel.shape[axis] - 1) * self.dilation[axis] + 1
            before = extent - 1 - self.padding[axis][0]
            reach = (x.shape[axis + 1] - 1) * self.stride[axis] + 1
            sides.append((before, self.output[axis] - 1 - reach + extent - before))
        flipped = self._grouped(lax.rev(kernel, range(len(sides))))
        return lax.conv_general_dilated(
            x,
            flipped.reshape(*flipped.shape[:-2], -1),
            (1,) * len(sides),
            sides,
            lhs_dilation=self.stride,
            rhs_dilation=self.dilation,
            dimension_numbers=layout(x),
            feature_group_count=self.groups,
        )

    def _by_phases(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        """A plain convolution whose filters are the kernel's phases, one for each place of an output pixel between
        two steps: S² times fewer operations than with zeros between the pixels.
        """
        axes = range(len(self.stride))
        taps = [-(-size // step) for size, step in zip(kernel.shape[:-2], self.stride, strict=True)]
        missing = [(0, taps[axis] * self.stride[axis] - kernel.shape[axis]) for axis in axes]
        phased = self._grouped(jnp.pad(kernel, (*missing, (0, 0), (0, 0))))
        inner, groups, filters = phased.shape[-3:]
        # Taps and phases of each axis; then all taps, what a group sees, groups, all phases, filters.
        split = [size for axis in axes for size in (taps[axis], self.stride[axis])]
        phased = lax.rev(phased.reshape(*split, inner, groups, filters), [2 * axis for axis in axes])
        last = len(split)
        order = (*range(0, last, 2), last, last + 1, *range(1, last, 2), last + 2)
        phased = phased.transpose(order).reshape(*taps, inner, -1)
        y = lax.conv_general_dilated(
            x,
            phased,
            (1,) * len(axes),
            [(count - 1, count - 1) for count in taps],
            dimension_numbers=layout(x),
            feature_group_count=self.groups,
        )
        batch, *sizes, _ = y.shape
        # The phases of each axis go beside its positions.
        y = y.reshape(batch, *sizes, groups, *self.stride, filters)
        count = len(sizes)
        order = (0, *(place for axis in axes for place in (axis + 1, count + 2 + axis)), count + 1, 2 * count + 2)
        y = y.transpose(order)
        y = y.reshape(batch, *(sizes[axis] * self.stride[axis] for axis in axes), groups * filters)
        # Output padding may reach beyond what the kernel writes.
        config = [(0, 0, 0)]
        for axis in axes:
            before = self.padding[axis][0]
            config.append((-before, self.output[axis] - (y.shape[axis + 1] - before), 0))
        return lax.pad(y, jnp.zeros((), y.dtype), [*config, (0, 0, 0)])
