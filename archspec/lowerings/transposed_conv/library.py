"""XLA's convolution of the input with the kernel's phases, and its gradients as JAX has them.

Without dilation a transposed convolution is a plain one whose filters are the kernel's phases, one for each place of an
output pixel between two steps: S² times fewer operations than with zeros between the pixels.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction, Sides
from archspec.lowerings.conv._windows import bordered
from archspec.lowerings.linear import gradient_of


def fits(case: Case, direction: Direction) -> bool:
    """Always."""
    return True


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y[i·S + d·t − P] += x[i]·K[t]."""
    return _by_phases(x, kernel, case) if set(case.dilation) == {1} else _by_dilation(x, kernel, case)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄[i] = Σ ȳ[i·S + d·t − P]·K[t]ᵀ."""
    return gradient_of(lambda x: forward(x, kernel, case), (case.batch, *case.size, case.channels), gradient)


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄[t] = Σ x[i]ᵀ·ȳ[i·S + d·t − P]."""
    return gradient_of(lambda kernel: forward(x, kernel, case), case.kernel_shape, gradient)


def _convolved(x: jax.Array, kernel: jax.Array, sides: Any, case: Case, **more: Any) -> jax.Array:
    maps = len(case.size) == 2
    y: jax.Array = lax.conv_general_dilated(
        x,
        kernel,
        (1,) * len(case.size),
        sides,
        dimension_numbers=("NHWC", "HWIO", "NHWC") if maps else ("NWC", "WIO", "NWC"),
        feature_group_count=case.groups,
        **more,
    )
    return y


def _grouped(kernel: jax.Array, case: Case) -> jax.Array:
    """(F, F, C, O/G) as (F, F, C/G, G, O/G): what each group's filters see."""
    *taps, channels, filters = kernel.shape
    grouped = kernel.reshape(*taps, case.groups, channels // case.groups, filters)
    return jnp.swapaxes(grouped, -3, -2)


def _by_dilation(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """A convolution over the input with zeros between its pixels."""
    sides: Sides = ()
    for axis in range(len(case.stride)):
        extent = (case.kernel[axis] - 1) * case.dilation[axis] + 1
        before = extent - 1 - case.padding[axis][0]
        reach = (case.size[axis] - 1) * case.stride[axis] + 1
        sides += ((before, case.output[axis] - 1 - reach + extent - before),)
    flipped = _grouped(lax.rev(kernel, range(len(sides))), case)
    flipped = flipped.reshape(*flipped.shape[:-2], -1)
    if set(case.stride) == {1}:  # zeros between pixels YNNPACK does not take
        x, sides = bordered(x, sides, case.kernel, case.dilation)
    return _convolved(x, flipped, sides, case, lhs_dilation=case.stride, rhs_dilation=case.dilation)


def _by_phases(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """A plain convolution whose filters are the kernel's phases."""
    axes = range(len(case.stride))
    taps = [-(-size // step) for size, step in zip(case.kernel, case.stride, strict=True)]
    missing = [(0, taps[axis] * case.stride[axis] - case.kernel[axis]) for axis in axes]
    phased = _grouped(jnp.pad(kernel, (*missing, (0, 0), (0, 0))), case)
    inner, groups, filters = phased.shape[-3:]
    # Taps and phases of each axis; then all taps, what a group sees, groups, all phases, filters.
    split = [size for axis in axes for size in (taps[axis], case.stride[axis])]
    phased = lax.rev(phased.reshape(*split, inner, groups, filters), [2 * axis for axis in axes])
    last = len(split)
    order = (*range(0, last, 2), last, last + 1, *range(1, last, 2), last + 2)
    phased = phased.transpose(order).reshape(*taps, inner, -1)
    y = _convolved(x, phased, [(count - 1, count - 1) for count in taps], case)
    batch, *sizes, _ = y.shape
    # The phases of each axis go beside its positions.
    y = y.reshape(batch, *sizes, groups, *case.stride, filters)
    count = len(sizes)
    order = (0, *(place for axis in axes for place in (axis + 1, count + 2 + axis)), count + 1, 2 * count + 2)
    y = y.transpose(order)
    y = y.reshape(batch, *(sizes[axis] * case.stride[axis] for axis in axes), groups * filters)
    # Output padding may reach beyond what the kernel writes.
    config = [(0, 0, 0)]
    for axis in axes:
        before = case.padding[axis][0]
        config.append((-before, case.output[axis] - (y.shape[axis + 1] - before), 0))
    return lax.pad(y, jnp.zeros((), y.dtype), [*config, (0, 0, 0)])
