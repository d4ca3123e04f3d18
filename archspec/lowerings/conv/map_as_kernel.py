"""The kernel's gradient of a convolution of each channel by itself as such a convolution, whose kernel is the gradient.

K̄[t] = Σ over samples of Σᵢ x[t·d + i·S − P]·ȳ[i]: for each sample a convolution with a kernel as large as the output
map, stride and dilation having changed places, whose output is as large as the kernel. JAX's own asks for one
convolution of all samples, with groups within the batch, which neither YNNPACK nor oneDNN has; oneDNN has this one.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction


def fits(case: Case, direction: Direction) -> bool:
    """Where each channel of a map is convolved by itself, with one filter or more."""
    return case.is_depthwise and len(case.size) == 2


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[t] = Σ x[t·d + i·S − P]·ȳ[i], summed in float32."""
    x = jnp.repeat(x, case.filters // case.channels, axis=-1)
    sides = [
        (before, spread * (taps - 1) + 1 + step * (output - 1) - size - before)
        for (before, _), spread, taps, step, output, size in zip(
            case.padding, case.dilation, case.kernel, case.stride, case.output, case.size, strict=True
        )
    ]

    def added(sample: jax.Array, total: jax.Array) -> jax.Array:
        found = lax.conv_general_dilated(
            lax.dynamic_index_in_dim(x, sample),
            lax.dynamic_index_in_dim(gradient, sample, keepdims=False)[:, :, None],
            case.dilation,
            sides,
            rhs_dilation=case.stride,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=case.filters,
            preferred_element_type=jnp.float32,
        )
        return total + found[0]

    total = lax.fori_loop(0, case.batch, added, jnp.zeros((*case.kernel, case.filters), jnp.float32))
    found: jax.Array = total[:, :, None].astype(gradient.dtype)
    return found
