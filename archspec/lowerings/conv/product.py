"""A convolution that looks at one pixel at a time as one matrix product: (B·H·W, C) by (C, filters).

XLA on CPUs computes the kernel's gradient as a convolution whose window is the whole map; the product of the same
numbers goes to the library of matrix products.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction


def fits(case: Case, direction: Direction) -> bool:
    """Where kernels are 1×1, not padded, and there are no groups."""
    return case.is_pointwise and case.groups == 1


def _seen(x: jax.Array, case: Case) -> jax.Array:
    """The pixels that are looked at, (B·H2·W2, C)."""
    steps = (slice(None), *(slice(None, None, step) for step in case.stride))
    return x[steps].reshape(-1, case.channels)


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y = x·K."""
    y = _seen(x, case) @ kernel.reshape(case.channels, case.filters)
    return y.reshape(case.batch, *case.output, case.filters)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄ = ȳ·Kᵀ, zeros between the pixels that were looked at."""
    found = gradient.reshape(-1, case.filters) @ kernel.reshape(case.channels, case.filters).T
    found = found.reshape(case.batch, *case.output, case.channels)
    beyond = [
        (0, size - ((after - 1) * step + 1), step - 1)
        for size, after, step in zip(case.size, case.output, case.stride, strict=True)
    ]
    return lax.pad(found, jnp.zeros((), found.dtype), [(0, 0, 0), *beyond, (0, 0, 0)])


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄ = xᵀ·ȳ."""
    found = _seen(x, case).T @ gradient.reshape(-1, case.filters)
    return found.reshape(*case.kernel, case.channels, case.filters)
