"""XLA's convolution, and its gradients as JAX has them."""

from __future__ import annotations

import jax
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import bordered
from archspec.lowerings.linear import gradient_of


def fits(case: Case, direction: Direction) -> bool:
    """Always."""
    return True


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y[i] = Σ x[i·S + d·t − P]·K[t]."""
    maps = len(case.size) == 2
    x, sides = bordered(x, case.padding, case.kernel, case.dilation)
    y: jax.Array = lax.conv_general_dilated(
        x,
        kernel,
        case.stride,
        sides,
        rhs_dilation=case.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC") if maps else ("NWC", "WIO", "NWC"),
        feature_group_count=case.groups,
    )
    return y


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[i]·K[t] over all i and t with i·S + d·t − P = j."""
    return gradient_of(lambda x: forward(x, kernel, case), (case.batch, *case.size, case.channels), gradient)


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[t] = Σ x[i·S + d·t − P]·ȳ[i] over batch and i."""
    return gradient_of(lambda kernel: forward(x, kernel, case), case.kernel_shape, gradient)
