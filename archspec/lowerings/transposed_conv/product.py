"""A transposed convolution whose windows lie side by side as one matrix product: (B·H·W, C) by (C, taps·filters).

Each input pixel makes a block of output pixels by itself, so that nothing is added up; the blocks are put in place.
"""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import padded


def fits(case: Case, direction: Direction) -> bool:
    """Where the kernel is as large as the stride, and there are neither dilation nor groups."""
    return case.kernel == case.stride and set(case.dilation) == {1} and case.groups == 1


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y = x·K, block by block."""
    blocks = x.reshape(-1, case.channels) @ _flat(kernel, case)
    blocks = blocks.reshape(case.batch, *case.size, *case.kernel, case.filters).transpose(_order(case))
    whole = (size * taps for size, taps in zip(case.size, case.kernel, strict=True))
    cut = tuple((-before, -after) for before, after in case.padding)
    return padded(blocks.reshape(case.batch, *whole, case.filters), cut)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄ = ȳ·Kᵀ."""
    found = _blocks(gradient, case) @ _flat(kernel, case).T
    return found.reshape(case.batch, *case.size, case.channels)


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄ = xᵀ·ȳ."""
    found = x.reshape(-1, case.channels).T @ _blocks(gradient, case)
    return jnp.moveaxis(found.reshape(case.channels, *case.kernel, case.filters), 0, -2)


def _flat(kernel: jax.Array, case: Case) -> jax.Array:
    """(C, taps·filters)."""
    return jnp.moveaxis(kernel, -2, 0).reshape(case.channels, -1)


def _order(case: Case) -> tuple[int, ...]:
    """Of (batch, pixels, taps, filters) and (batch, pixel, tap, pixel, tap, filters) the one as axes of the other."""
    count = len(case.size)
    return (0, *(place for axis in range(1, count + 1) for place in (axis, axis + count)), 2 * count + 1)


def _blocks(gradient: jax.Array, case: Case) -> jax.Array:
    """The output's gradient block by block, (B·H·W, taps·filters)."""
    whole = padded(gradient, case.padding)
    split = (number for pair in zip(case.size, case.kernel, strict=True) for number in pair)
    count = len(case.size)
    back = (0, *range(1, 2 * count, 2), *range(2, 2 * count + 1, 2), 2 * count + 1)
    blocks = whole.reshape(case.batch, *split, case.filters).transpose(back)
    return blocks.reshape(-1, prod(case.kernel) * case.filters)
