"""The kernel's gradient of a convolution in groups as one matrix product for some groups at a time.

With few channels in a group a product of its own is all overhead; of several groups that lie side by side one product
has all pairs of their channels, of which those within a group, on the diagonal, are taken. The left factor has every
tap: (taps·channels, B·H2·W2) by (B·H2·W2, filters).
"""

from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import padded, under

WIDTH = 32
"""Groups are put together until they have so many channels."""


def fits(case: Case, direction: Direction) -> bool:
    """Where there are groups of several channels."""
    return case.groups > 1 and not case.is_depthwise


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[t] of each group = Σ x[i·S + d·t − P]ᵀ·ȳ[i], summed in float32."""
    inner, outer = case.channels // case.groups, case.filters // case.groups
    together = next(n for n in range(max(1, WIDTH // inner), 0, -1) if case.groups % n == 0)
    blocks = case.groups // together
    x = padded(x, case.padding)
    taps = [under(x, tap, case).reshape(-1, blocks, together * inner) for tap in product(*map(range, case.kernel))]
    pairs = jnp.einsum(
        "nbti,nbo->btio",
        jnp.stack(taps, 2),
        gradient.reshape(-1, blocks, together * outer),
        preferred_element_type=jnp.float32,
    ).reshape(blocks, len(taps), together, inner, together, outer)
    own = jnp.stack([pairs[:, :, at, :, at] for at in range(together)], 1).reshape(case.groups, len(taps), inner, outer)
    return own.transpose(1, 2, 0, 3).reshape(*case.kernel, inner, case.filters).astype(gradient.dtype)
