"""A traced program in operations that the converter to TFLite knows, and that it converts rightly.

Numbers are the same: what is written otherwise is exact. Each function here has the form that it replaces, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Jaxpr, Literal

Rule = Callable[..., jax.Array | None]


def rewritten(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, made of other operations; to be traced."""

    def run(*args: Any) -> Any:
        program, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        outputs = _evaluated(program.jaxpr, program.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    run.__name__ = getattr(function, "__name__", "run")
    return run


def _evaluated(program: Jaxpr, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """What a program gives, each of its operations as the rules have it, those of functions within it too."""
    values = dict(zip([*program.constvars, *program.invars], map(_wide, [*constants, *arguments]), strict=True))

    def value(of: Any) -> Any:
        return _wide(of.val) if isinstance(of, Literal) else values[of]

    for equation in program.eqns:
        taken = [value(item) for item in equation.invars]
        inner = _inner(equation)
        if inner is not None:
            given: Sequence[Any] = _evaluated(inner.jaxpr, inner.consts, taken)
        else:
            # Names of scopes are the paths of nodes, by which the converter calls its tensors.
            with jax.named_scope(str(equation.source_info.name_stack)):
                rule = RULES.get(equation.primitive.name)
                found = rule(*taken, **equation.params) if rule is not None else None
                given = [found] if found is not None else _bound(equation, taken)
        values.update(zip(equation.outvars, given, strict=True))
    return [value(item) for item in program.outvars]


def _inner(equation: Any) -> Any:
    """The program of a function that is called, with its constants: of `jax.jit`, or one with a gradient of its own."""
    if equation.primitive.name not in ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call"):
        return None
    return equation.params.get("jaxpr", equation.params.get("call_jaxpr"))


def _bound(equation: Any, taken: Sequence[Any]) -> Sequence[Any]:
    """What an operation gives as it is; of bytes with 32-bit numbers in their place."""
    kinds = [getattr(item.aval, "dtype", None) for item in (*equation.invars, *equation.outvars)]
    params = equation.params
    if np.dtype(np.uint8) in kinds:
        params = {
            name: np.dtype(np.int32) if isinstance(own, np.dtype) and own == np.uint8 else own
            for name, own in params.items()
        }
    given = equation.primitive.bind(*taken, **equation.primitive.get_bind_params(params))
    return given if equation.primitive.multiple_results else [given]


def _wide(value: Any) -> Any:
    """Bytes as 32-bit numbers. They are numbers of taps, which TFLite can neither choose nor pad as bytes."""
    return value if getattr(value, "dtype", None) != np.uint8 else jnp.asarray(value, jnp.int32)


def _as_same(size: int, window: int, stride: int) -> tuple[int, int]:
    """TFLite's padding SAME of an axis: as many windows as strides fit, the larger half behind."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def max_windows(
    x: jax.Array,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> jax.Array | None:
    """Maxima of windows over a map whose edge is repeated, where they reach beyond it.

    A window that reaches beyond the map has the edge's own pixels in it, so copies of them change no maximum. The
    converter takes padding on some axes alone for SAME on all, which gives another shape and other numbers; written
    out as −∞, the border would take up the whole range of an int8 tensor.
    """
    sides = [tuple(own) for own in padding]
    same = [_as_same(*own) for own in zip(x.shape, window_dimensions, window_strides, strict=True)]
    if sides == same or not any(map(any, sides)) or {*base_dilation, *window_dilation} != {1}:
        return None
    if any(not 0 <= side < window for own, window in zip(sides, window_dimensions, strict=True) for side in own):
        return None
    bordered = jnp.pad(x, sides, mode="edge")
    y: jax.Array = lax.reduce_window(bordered, -np.inf, lax.max, window_dimensions, window_strides, "VALID")
    return y


def sum_windows(
    x: jax.Array,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> jax.Array | None:
    """Sums of windows of a map as their means times their size, the border written out: a pooling that TFLite has."""
    pools = x.ndim in (3, 4) and window_dimensions[0] == window_dimensions[-1] == 1
    if not pools or {*base_dilation, *window_dilation} != {1}:
        return None
    size = prod(window_dimensions)
    bordered = lax.pad(x, jnp.zeros((), x.dtype), [(*own, 0) for own in padding])
    windows, strides = list(window_dimensions), list(window_strides)
    if x.ndim == 3:  # a signal as a map of one column
        bordered, windows[2:2], strides[2:2] = bordered[:, :, None], [1], [1]
    means = lax.reduce_window(bordered, 0.0, lax.add, windows, strides, "VALID") / size
    y: jax.Array = (means[:, :, 0] if x.ndim == 3 else means) * size
    return y


def padded(x: jax.Array, value: jax.Array, *, padding_config: Sequence[tuple[int, int, int]]) -> jax.Array | None:
    """Padding between numbers as padding behind each, on an axis of its own, which TFLite has."""
    if not any(inner for _, _, inner in padding_config):
        return None
    for axis, (_, _, inner) in enumerate(padding_config):
        if inner:
            shape = x.shape
            x = jnp.expand_dims(x, axis + 1)
            x = lax.pad(x, value, [(0, inner if at == axis + 1 else 0, 0) for at in range(x.ndim)])
            x = x.reshape(*shape[:axis], shape[axis] * (inner + 1), *shape[axis + 1 :])
            x = lax.slice_in_dim(x, 0, x.shape[axis] - inner, axis=axis)
    y: jax.Array = lax.pad(x, value, [(low, high, 0) for low, high, _ in padding_config])
    return y


def convolution(
    x: jax.Array, kernel: jax.Array, *, lhs_dilation: Sequence[int], rhs_dilation: Sequence[int], **params: Any
) -> jax.Array | None:
    """A convolution over zeros between pixels, its kernel dilated too, as one of a map that has the zeros."""
    if set(lhs_dilation) == {1} or set(rhs_dilation) == {1}:
        return None
    axes = params["dimension_numbers"].lhs_spec[2:]
    spread = dict(zip(axes, lhs_dilation, strict=True))
    config = [(0, 0, spread.get(axis, 1) - 1) for axis in range(x.ndim)]
    zeros = padded(x, jnp.zeros((), x.dtype), padding_config=config)
    assert zeros is not None
    y: jax.Array = lax.conv_general_dilated_p.bind(
        zeros, kernel, lhs_dilation=(1,) * len(lhs_dilation), rhs_dilation=tuple(rhs_dilation), **params
    )
    return y


RULES: dict[str, Rule] = {
    "reduce_window_max": max_windows,
    "reduce_window_sum": sum_windows,
    "pad": padded,
    "conv_general_dilated": convolution,
}
"""Functions by the names of operations; they give None for what stays as it is."""
