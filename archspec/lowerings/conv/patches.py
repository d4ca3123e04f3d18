"""A convolution as one matrix product of all patches: (B·H2·W2, taps·C) by (taps·C, filters).

Patches take as many times the map as there are taps, so it is for small maps: there the product's reading of a large
kernel is all the work. XLA on CPUs has no fast gradient by the input where the kernel is larger than the output.
"""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import made_once, padded
from archspec.lowerings.linear import gradient_of

PIXELS = 64
"""Output pixels for each tap of the kernel at most."""


def fits(case: Case, direction: Direction) -> bool:
    """Where there are several taps, few output pixels beside them, and no groups."""
    taps = prod(case.kernel)
    return case.groups == 1 < taps and case.batch * prod(case.output) <= PIXELS * taps


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y = patches·K."""
    y = made_once(_patches(x, case)) @ kernel.reshape(-1, case.filters)
    return y.reshape(case.batch, *case.output, case.filters)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄ = ȳ·Kᵀ, patches put back where they were and added up in float32 at least."""
    kind = jnp.promote_types(gradient.dtype, jnp.float32)
    made = jnp.matmul(
        gradient.reshape(-1, case.filters), kernel.reshape(-1, case.filters).T, preferred_element_type=kind
    )
    found = gradient_of(lambda x: _patches(x, case), (case.batch, *case.size, case.channels), made_once(made))
    return found.astype(gradient.dtype)


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄ = patchesᵀ·ȳ."""
    found = made_once(_patches(x, case)).T @ gradient.reshape(-1, case.filters)
    return found.reshape(*case.kernel, case.channels, case.filters)


def _patches(x: jax.Array, case: Case) -> jax.Array:
    """The pixels under all taps of each window, (B·H2·W2, taps·C).

    They are laid side by side axis by axis: as many slices as the sum of the kernel's sides, not their product.
    """
    seen = padded(x, case.padding)
    for axis, (taps, spread, step, output) in enumerate(
        zip(case.kernel, case.dilation, case.stride, case.output, strict=True), 1
    ):
        reach = (output - 1) * step + 1
        shifts = [lax.slice_in_dim(seen, place * spread, place * spread + reach, step, axis) for place in range(taps)]
        seen = jnp.stack(shifts, -2)
    return seen.reshape(case.batch * prod(case.output), -1)
