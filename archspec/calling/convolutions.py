"""Convolutions that are computed together with their batch norms, or several of one input as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from archspec.calling.calls import Run, Values, Way, keep, taken_by
from archspec.nn.conv import Conv
from archspec.passes import Group


class Unit(NamedTuple):
    """A convolution, and the batch norm after it, where that is a part of it."""

    conv: int
    norm: int | None = None

    @property
    def last(self) -> int:
        return self.conv if self.norm is None else self.norm


def run(group: Group, values: Values, way: Way, inner: Run) -> None:
    """Adds what the convolutions of a group give, or their batch norms, to the values."""
    units = units_of(group)
    (x,) = taken_by(units[0].conv, values, way)
    kernels, shifts = zip(*(folded(unit, way) for unit in units), strict=True)
    kernel = jnp.concatenate(kernels, -1) if len(kernels) > 1 else kernels[0]
    y = _multiplied(units[0].conv, x, kernel.astype(x.dtype), way)
    begin = 0
    for unit, own, shift in zip(units, kernels, shifts, strict=True):
        end = begin + own.shape[-1] if len(units) > 1 else y.shape[-1]
        part = lax.slice_in_dim(y, begin, end, axis=-1) if len(units) > 1 else y
        keep(unit.last, part if shift is None else part + shift, values, way)
        begin = end


def units_of(group: Group) -> list[Unit]:
    """The convolutions of a group, in their order."""
    norms = {part.first: part.last for part in (group.inner or (group,)) if part.how == "fold_batch_norm"}
    return [Unit(index, norms.get(index)) for index in group.members if index not in norms.values()]


def folded(unit: Unit, way: Way) -> tuple[jax.Array, jax.Array | None]:
    """The kernel of a convolution, and what is added to its output.

    With a batch norm K·f and (b − μ)·f + bias, where f = scale/√(σ² + ε) (Jacob et al. 2018, section 3.2).
    """
    conv = way.module(unit.conv)
    kernel: jax.Array = conv.kernel[...]
    bias = None if conv.bias is None else conv.bias[...]
    if unit.norm is None:
        return kernel, bias
    norm = way.module(unit.norm)
    if way.folded:
        return kernel, -norm.mean[...]
    factor = lax.rsqrt(norm.var[...] + norm.epsilon)
    if norm.scale is not None:
        factor = factor * norm.scale[...]
    shift = ((0 if bias is None else bias) - norm.mean[...]) * factor
    if norm.bias is not None:
        shift = shift + norm.bias[...]
    return _by_filter(kernel, factor, conv), shift


def fold(groups: Iterable[Group], way: Way) -> None:
    """Folds what groups fold in the modules themselves, for programs that are run with `folded`.

    The kernel becomes K·f, and the mean of the batch norm minus what is added: no other call uses these arrays. Groups
    of other passes, as loops are, hold no convolutions that are folded.
    """
    for group in groups:
        if group.how not in ("fold_batch_norm", "fuse_pointwise"):
            continue
        for unit in units_of(group):
            kernel, shift = folded(unit, way)
            if unit.norm is not None and shift is not None:
                way.module(unit.conv).kernel.set_value(kernel)
                way.module(unit.norm).mean.set_value(-shift)


def _by_filter(kernel: jax.Array, factor: jax.Array, conv: Any) -> jax.Array:
    if kernel.shape[-1] == factor.size:
        return kernel * factor
    # A transposed convolution has the filters of its groups side by side with their channels.
    *taps, channels, filters = kernel.shape
    groups = factor.size // filters
    grouped = kernel.reshape(*taps, groups, channels // groups, filters) * factor.reshape(groups, 1, filters)
    return grouped.reshape(kernel.shape)


def _multiplied(index: int, x: jax.Array, kernel: jax.Array, way: Way) -> jax.Array:
    """What a call's module gives with another kernel, of more filters perhaps, and without a bias."""
    step = way.program.steps[index]
    module = nnx.merge(*nnx.split(way.module(index)))
    module.kernel, module.bias = nnx.Param(kernel), None
    if isinstance(module, Conv):
        module.out_features = kernel.shape[-1]
    elif isinstance(module, nnx.Linear):
        module.use_bias = False
    options = {"lowerings": way.lowerings} if step.uses_lowerings else {}
    with jax.named_scope(step.name):
        y: jax.Array = module(x, **options)
    return y
