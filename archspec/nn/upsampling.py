"""Enlarging maps (batch, height, width, channels): copies, interpolation, transposed convolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from archspec.nn.pooling import Pair, Sides


def repeated(x: jax.Array, *, factor: Pair) -> jax.Array:
    """Every pixel as a block of copies."""
    batch, height, width, channels = x.shape
    blocks = jnp.broadcast_to(x[:, :, None, :, None, :], (batch, height, factor[0], width, factor[1], channels))
    return blocks.reshape(batch, height * factor[0], width * factor[1], channels)


def bed_of_nails(x: jax.Array, *, factor: Pair) -> jax.Array:
    """Every pixel in the upper left corner of a block of zeros."""
    config = [(0, 0, 0), *((0, step - 1, step - 1) for step in factor), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def nearest(x: jax.Array, *, size: Pair) -> jax.Array:
    """Pixel floor(i·W1/W2) on each axis."""
    factors = [after // before for before, after in zip(x.shape[1:3], size, strict=True)]
    if all(before * factor == after for before, after, factor in zip(x.shape[1:3], size, factors, strict=True)):
        return repeated(x, factor=(factors[0], factors[1]))
    for axis, after in zip((1, 2), size, strict=True):
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


def bilinear(x: jax.Array, *, size: Pair, align_corners: bool) -> jax.Array:
    """Linear interpolation on both axes, as two matrix products: their gradients are matrix products too."""
    rows, columns = (interpolation(x.shape[axis + 1], size[axis], align_corners).astype(x.dtype) for axis in (0, 1))
    x = jnp.einsum("ih,bhwc->biwc", rows, x, precision=lax.Precision.HIGHEST)
    return jnp.einsum("jw,biwc->bijc", columns, x, precision=lax.Precision.HIGHEST)


class TransposedConv(nnx.Module):
    """y[i·S + d·t − P] += x[i]·K[t]: the gradient of a convolution, used forwards.

    `kernel` is (F, F, input channels, filters/groups), as PyTorch has it but for the order of the axes.
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
        y = self._by_phases(x, kernel) if self.dilation == (1, 1) else self._by_dilation(x, kernel)
        return y if self.bias is None else y + self.bias[...]

    def _grouped(self, kernel: jax.Array) -> jax.Array:
        """(F, F, C, O/G) as (F, F, C/G, G, O/G): what each group's filters see."""
        rows, columns, channels, filters = kernel.shape
        return kernel.reshape(rows, columns, self.groups, channels // self.groups, filters).transpose(0, 1, 3, 2, 4)

    def _by_dilation(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        """A convolution over the input with zeros between its pixels."""
        sides = []
        for axis in (0, 1):
            extent = (kernel.shape[axis] - 1) * self.dilation[axis] + 1
            before = extent - 1 - self.padding[axis][0]
            reach = (x.shape[axis + 1] - 1) * self.stride[axis] + 1
            sides.append((before, self.output[axis] - 1 - reach + extent - before))
        flipped = self._grouped(kernel[::-1, ::-1])
        return lax.conv_general_dilated(
            x,
            flipped.reshape(*flipped.shape[:3], -1),
            (1, 1),
            sides,
            lhs_dilation=self.stride,
            rhs_dilation=self.dilation,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=self.groups,
        )

    def _by_phases(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        """A plain convolution whose filters are the kernel's phases, one for each place of an output pixel between
        two steps: S² times fewer operations than with zeros between the pixels.
        """
        rows, columns = self.stride
        taps = [-(-size // step) for size, step in zip(kernel.shape[:2], self.stride, strict=True)]
        missing = [(0, count * step - size) for count, step, size in zip(taps, self.stride, kernel.shape, strict=False)]
        phased = self._grouped(jnp.pad(kernel, (*missing, (0, 0), (0, 0))))
        inner, groups, filters = phased.shape[2:]
        phased = phased.reshape(taps[0], rows, taps[1], columns, inner, groups, filters)
        phased = phased[::-1, :, ::-1].transpose(0, 2, 4, 5, 1, 3, 6).reshape(*taps, inner, -1)
        y = lax.conv_general_dilated(
            x,
            phased,
            (1, 1),
            [(taps[0] - 1, taps[0] - 1), (taps[1] - 1, taps[1] - 1)],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=self.groups,
        )
        batch, height, width, _ = y.shape
        y = y.reshape(batch, height, width, groups, rows, columns, filters).transpose(0, 1, 4, 2, 5, 3, 6)
        y = y.reshape(batch, height * rows, width * columns, groups * filters)
        # Output padding may reach beyond what the kernel writes.
        config = [(0, 0, 0)]
        for axis in (0, 1):
            before = self.padding[axis][0]
            config.append((-before, self.output[axis] - (y.shape[axis + 1] - before), 0))
        return lax.pad(y, jnp.zeros((), y.dtype), [*config, (0, 0, 0)])
