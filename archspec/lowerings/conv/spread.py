"""The input's gradient of a convolution with strides as one without: of the gradient with zeros between its pixels.

x̄[j] = Σ over taps t of ȳ⁺[j + P − d·t]·K[t]ᵀ, where ȳ⁺[i·S] = ȳ[i] and zeros are between. XLA asks for the zeros within
the convolution, which neither YNNPACK nor oneDNN has for groups; written out, S·S times as many products go to them.
"""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv import library
from archspec.lowerings.conv._windows import made_once


def fits(case: Case, direction: Direction) -> bool:
    """Where there are strides."""
    return prod(case.stride) > 1


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄[j] = Σ ȳ⁺[j + P − d·t]·K[t]ᵀ."""
    ones = (1,) * len(case.size)
    sides = []
    for size, output, taps, step, spread, (before, _) in zip(
        case.size, case.output, case.kernel, case.stride, case.dilation, case.padding, strict=True
    ):
        reach = spread * (taps - 1)
        sides.append((reach - before, size - 1 + before - (output - 1) * step, step - 1))
    wide = lax.pad(gradient, jnp.zeros((), gradient.dtype), [(0, 0, 0), *sides, (0, 0, 0)])
    inner, outer = case.channels // case.groups, case.filters // case.groups
    turned = jnp.flip(kernel, tuple(range(len(case.kernel))))
    turned = turned.reshape(*case.kernel, inner, case.groups, outer)
    turned = jnp.moveaxis(turned, -1, -3).swapaxes(-1, -2)  # (…, outer, groups, inner)
    plain = case._replace(
        size=wide.shape[1:-1],
        channels=case.filters,
        filters=case.channels,
        stride=ones,
        padding=((0, 0),) * len(ones),
    )
    return library.forward(made_once(wide), turned.reshape(*case.kernel, outer, case.channels), plain)
