"""A convolution in groups as one convolution for each group, by the library.

XLA's own takes groups one by one within its innermost loops, and computes the kernel's gradient with groups within the
batch; convolutions without groups go to the library of convolutions. Worth it where groups are few and wide.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv import library

MOST = 8
"""Groups, each of which is a convolution to compile."""


def fits(case: Case, direction: Direction) -> bool:
    """Where there are a few groups."""
    return 1 < case.groups <= MOST


def _one(case: Case) -> Case:
    return case._replace(channels=case.channels // case.groups, filters=case.filters // case.groups, groups=1)


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y of each group, side by side."""
    pairs = zip(_parts(x, case), _parts(kernel, case), strict=True)
    return jnp.concatenate([library.forward(own, weights, _one(case)) for own, weights in pairs], -1)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄ of each group, side by side."""
    pairs = zip(_parts(gradient, case), _parts(kernel, case), strict=True)
    return jnp.concatenate([library.input_gradient(own, weights, _one(case)) for own, weights in pairs], -1)


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄ of each group, side by side."""
    pairs = zip(_parts(x, case), _parts(gradient, case), strict=True)
    return jnp.concatenate([library.kernel_gradient(own, back, _one(case)) for own, back in pairs], -1)


def _parts(array: jax.Array, case: Case) -> list[jax.Array]:
    return jnp.split(array, case.groups, -1)
