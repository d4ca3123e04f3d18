"""Values and gradients of what is computed in another way than it is defined, against NumPy in float64."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.nn.batch_norm import normalised
from archspec.nn.pooling import max_pool, max_pool_with_indices, summed
from archspec.types import Taps


@pytest.mark.parametrize(("has_scale", "has_bias", "middle"), [(True, True, 0.0), (False, False, 300.0)])
def test_batch_norm(has_scale: bool, has_bias: bool, middle: float) -> None:
    draw = np.random.default_rng(0)
    x = (draw.standard_normal((3, 4, 5, 2)) + middle).astype(np.float32)
    gradient = draw.standard_normal(x.shape).astype(np.float32)
    scale = draw.standard_normal(2).astype(np.float32) if has_scale else None
    bias = draw.standard_normal(2).astype(np.float32) if has_bias else None

    def run(x: jax.Array, scale: jax.Array | None, bias: jax.Array | None) -> jax.Array:
        return normalised(x, scale, bias, 1e-3)[0]

    y, back = jax.vjp(run, jnp.asarray(x), scale, bias)
    found = back(jnp.asarray(gradient))
    wide, dy = x.astype(np.float64), gradient.astype(np.float64)
    deviation = np.sqrt(wide.var((0, 1, 2)) + 1e-3)
    unit = (wide - wide.mean((0, 1, 2))) / deviation
    factor = np.ones(2) if scale is None else scale.astype(np.float64)
    # The gradient by x of one output is factor/deviation·(1 − 1/n − unit·unit/n), added up over all outputs.
    mixed = dy - dy.mean((0, 1, 2)) - unit * (dy * unit).mean((0, 1, 2))
    # Numbers about 300 are known to 3·10⁻⁵.
    near = 2e-4 if middle else 2e-5
    np.testing.assert_allclose(y, unit * factor + (0 if bias is None else bias), rtol=0, atol=near)
    np.testing.assert_allclose(found[0], factor / deviation * mixed, rtol=0, atol=near)
    if scale is not None and bias is not None:
        np.testing.assert_allclose(found[1], (dy * unit).sum((0, 1, 2)), rtol=0, atol=near)
        np.testing.assert_allclose(found[2], dy.sum((0, 1, 2)), rtol=0, atol=near)
    else:
        assert found[1:] == (None, None)


WINDOWS = [
    ((2, 2), (2, 2), ((0, 0), (0, 0))),
    ((3, 3), (2, 2), ((0, 1), (1, 0))),
    ((3, 2), (1, 1), ((1, 1), (0, 0))),
    ((4, 5), (3, 2), ((0, 0), (2, 2))),
]


@pytest.mark.parametrize(("window", "stride", "padding"), WINDOWS)
def test_windows(
    window: tuple[int, int], stride: tuple[int, int], padding: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    draw = np.random.default_rng(1)
    # Few different numbers: many windows have equal maxima, of which the first has the gradient.
    x = draw.integers(0, 4, (2, 7, 8, 3)).astype(np.float32)
    x[0, 3, 3, 0] = np.nan
    low: np.ndarray = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-np.inf)
    zero = np.pad(x, ((0, 0), *padding, (0, 0)))
    sizes = [(low.shape[axis + 1] - window[axis]) // stride[axis] + 1 for axis in (0, 1)]
    largest: np.ndarray = np.zeros((2, *sizes, 3), np.float32)
    total: np.ndarray = np.zeros((2, *sizes, 3), np.float32)
    gradient: np.ndarray = draw.integers(1, 9, largest.shape).astype(np.float32)
    back: np.ndarray = np.zeros(low.shape, np.float32)
    for batch, row, column, channel in np.ndindex(*largest.shape):
        place = np.s_[
            batch,
            row * stride[0] : row * stride[0] + window[0],
            column * stride[1] : column * stride[1] + window[1],
            channel,
        ]
        largest[batch, row, column, channel] = low[place].max()
        total[batch, row, column, channel] = zero[place].sum()
        # NumPy too takes the first of equals, and not-a-number as the largest.
        down, across = divmod(int(low[place].argmax()), window[1])
        from_there = (batch, row * stride[0] + down, column * stride[1] + across, channel)
        back[from_there] += gradient[batch, row, column, channel]
    taps = Taps((7, 8, 3), window, stride, (padding[0][0], padding[1][0]), (1, 1))
    np.testing.assert_array_equal(
        max_pool(jnp.asarray(x), window=window, stride=stride, padding=padding, dilation=(1, 1)), largest
    )
    np.testing.assert_array_equal(summed(jnp.asarray(x), window=window, stride=stride, padding=padding), total)

    @jax.jit
    def both(x: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
        y, pull = jax.vjp(lambda x: max_pool_with_indices(x, taps, padding)[0], x)
        return y, pull(gradient)[0]

    y, found = both(jnp.asarray(x), jnp.asarray(gradient))
    np.testing.assert_array_equal(y, largest)
    inside = back[:, padding[0][0] : padding[0][0] + 7, padding[1][0] : padding[1][0] + 8]
    np.testing.assert_array_equal(found, inside)
