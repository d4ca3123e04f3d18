"""A convolution in groups as a few convolutions without groups, each of several groups that lie side by side.

XLA on CPUs goes through groups one by one within its innermost loops. A kernel that joins groups has zeros between the
channels of different ones: more products than there need be, but of a library that is ten times as fast where a group
has few channels. With wider groups `split` does so without zeros.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv import library

WIDTH = 32
"""Groups are joined until they have so many channels, and at most twice as many: then zeros cost more than is won."""

MOST = 8
"""Convolutions, each of which takes some 70 ms to compile."""


def fits(case: Case, direction: Direction) -> bool:
    """Where a few blocks of groups that are joined make up all, and kernels have several taps."""
    return case.groups > 1 and not (case.is_depthwise or case.is_pointwise) and _together(case) > 1


def _together(case: Case) -> int:
    """How many groups are joined; none (0) where no number of them divides all."""
    inner = case.channels // case.groups
    return next(
        (
            number
            for number in range(1, case.groups + 1)
            if case.groups % number == 0 and WIDTH <= number * inner <= 2 * WIDTH and case.groups // number <= MOST
        ),
        0,
    )


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y of each block of groups, side by side."""
    kernels, one = _joined(kernel, case)
    parts = jnp.split(x, len(kernels), -1)
    return jnp.concatenate(
        [library.forward(own, weights, one) for own, weights in zip(parts, kernels, strict=True)], -1
    )


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄ of each block of groups, side by side."""
    kernels, one = _joined(kernel, case)
    parts = jnp.split(gradient, len(kernels), -1)
    found = [library.input_gradient(own, weights, one) for own, weights in zip(parts, kernels, strict=True)]
    return jnp.concatenate(found, -1)


def _joined(kernel: jax.Array, case: Case) -> tuple[list[jax.Array], Case]:
    """A kernel for each block, whose groups are on its diagonal, and the case of one."""
    together = _together(case)
    blocks = case.groups // together
    inner, outer = case.channels // case.groups, case.filters // case.groups
    own = kernel.reshape(*case.kernel, inner, blocks, together, outer)
    own = jnp.moveaxis(own, -3, 0)[..., None, :, :, :]  # (blocks, …, 1, inner, together, outer)
    diagonal = jnp.eye(together, dtype=bool)[:, None, :, None]
    wide = jnp.where(diagonal, own, jnp.zeros((), kernel.dtype))
    wide = wide.reshape(blocks, *case.kernel, together * inner, together * outer)
    one = case._replace(channels=together * inner, filters=together * outer, groups=1)
    return [wide[block] for block in range(blocks)], one
