"""A kernel's gradient as one matrix product for each row of the kernel and image.

For row a of the kernel the pixels under its taps, (H2·W2, F·C), are laid side by side: K̄[a] = Σ pixelsᵀ·ȳ.
XLA on CPUs has no fast convolution whose window is the whole map, but the products are of plain shapes. Images are
taken one by one in a `lax.scan`: a whole batch takes F times the input's memory, and no cache holds it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import padded


def fits(case: Case, direction: Direction) -> bool:
    """Of maps, where there are no groups."""
    return len(case.kernel) == 2 and case.groups == 1


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[a, b] = Σ x[i·S + d·(a, b) − P]ᵀ·ȳ[i], summed in float32 at least."""
    kind = jnp.promote_types(gradient.dtype, jnp.float32)
    high, wide = case.kernel

    def add(sums: jax.Array, image: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        seen = padded(image[0][None], case.padding)
        beside = jnp.concatenate([_columns(seen, place, case) for place in range(wide)], -1)
        back = image[1].reshape(-1, case.filters)
        parts = [jnp.matmul(_rows(beside, place, case).T, back, preferred_element_type=kind) for place in range(high)]
        return sums + jnp.stack(parts), None

    zeros = jnp.zeros((high, wide * case.channels, case.filters), kind)
    sums, _ = lax.scan(add, zeros, (x, gradient))
    return sums.reshape(*case.kernel, case.channels, case.filters).astype(gradient.dtype)


def _columns(seen: jax.Array, place: int, case: Case) -> jax.Array:
    """Of each row of a padded map the pixels under one column of the kernel."""
    begin, step = place * case.dilation[1], case.stride[1]
    return lax.slice_in_dim(seen, begin, begin + (case.output[1] - 1) * step + 1, step, 2)


def _rows(beside: jax.Array, place: int, case: Case) -> jax.Array:
    """The rows under one row of the kernel, (H2·W2, F·C)."""
    begin, step = place * case.dilation[0], case.stride[0]
    found = lax.slice_in_dim(beside, begin, begin + (case.output[0] - 1) * step + 1, step, 1)
    return found.reshape(-1, beside.shape[-1])
