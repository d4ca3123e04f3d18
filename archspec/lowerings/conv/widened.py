"""A convolution in groups of 16-bit numbers, computed in float32 and rounded at the end.

oneDNN has no fast convolution in groups of bfloat16: it multiplies one number after the other.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv import library


def fits(case: Case, direction: Direction) -> bool:
    """Where numbers have 16 bits, and there are groups of several channels."""
    return case.dtype in ("bfloat16", "float16") and case.groups > 1 and not case.is_depthwise


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y[i] = Σ x[i·S + d·t − P]·K[t], summed in float32."""
    return library.forward(*_wide(x, kernel), case).astype(x.dtype)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ[i]·K[t], summed in float32."""
    return library.input_gradient(*_wide(gradient, kernel), case).astype(gradient.dtype)


def _wide(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return x.astype(jnp.float32), y.astype(jnp.float32)
