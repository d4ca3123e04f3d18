"""Values and gradients of what is computed in another way than it is defined, against NumPy in float64."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from archspec.nn.batch_norm import defined, normalised
from archspec.nn.lrn import lrn
from archspec.nn.partial_conv import PartialConv
from archspec.nn.pooling import global_max_pool


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


def test_batch_norm_in_16_bits_and_its_second_derivative() -> None:
    draw = np.random.default_rng(0)
    x, weights, direction = (draw.standard_normal((3, 4, 2)).astype(np.float32) for _ in range(3))
    scale, bias = (draw.standard_normal(2).astype(np.float32) for _ in range(2))

    def gradients(function: Any, x: Any, scale: Any, bias: Any) -> Any:
        return jax.grad(lambda *arrays: (function(*arrays, 1e-3)[0] * weights).sum(), (0, 1, 2))(x, scale, bias)

    @jax.jit
    def both(x: Any, scale: Any, bias: Any) -> Any:
        found = []
        for function in (normalised, defined):
            narrow = gradients(function, *(array.astype(jnp.bfloat16) for array in (x, scale, bias)))
            # Across the first derivative: an addend that it dropped would be missing here.
            turned = jax.grad(lambda x, f=function: (gradients(f, x, scale, bias)[0] * direction).sum())(x)
            found.append((turned, narrow))
        return found

    (turned, narrow), (turned_as_defined, narrow_as_defined) = both(x, scale, bias)
    np.testing.assert_allclose(turned, turned_as_defined, rtol=0, atol=1e-5 * float(abs(turned_as_defined).max()))
    for ours, theirs in zip(narrow, narrow_as_defined, strict=True):
        assert ours.dtype == jnp.bfloat16
        np.testing.assert_allclose(np.asarray(ours, np.float32), np.asarray(theirs, np.float32), rtol=0, atol=0.1)


def test_of_equal_global_maxima_the_first_has_the_gradient() -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, 4, 5, 3)).astype(np.float32)
    gradient = np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3)
    y, back = jax.vjp(lambda x: global_max_pool(x, keep_dims=False), x)
    wanted = np.zeros((2, 20, 3), np.float32)
    for sample, channel in np.ndindex(2, 3):
        wanted[sample, x[sample, ..., channel].argmax(), channel] = gradient[sample, channel]
    np.testing.assert_array_equal(y, x.max((1, 2)))
    np.testing.assert_array_equal(back(gradient)[0], wanted.reshape(x.shape))
    x[1, 2, 3, 0] = np.nan
    assert np.isnan(global_max_pool(jnp.asarray(x), keep_dims=True)[1, 0, 0, 0])


@pytest.mark.parametrize("beta", [0.5, 0.75, 0.6])
def test_local_response_normalisation_by_roots(beta: float) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 1)).astype(np.float32) * 3
    y, back = jax.vjp(lambda x: lrn(x, size=1, alpha=2.0, beta=beta, k=1.0), x)
    wide = x.astype(np.float64)
    base = 1 + 2 * wide**2
    np.testing.assert_allclose(y, wide * base**-beta, rtol=1e-6)
    slope = base**-beta - 4 * beta * wide**2 * base ** (-beta - 1)
    np.testing.assert_allclose(back(np.ones_like(x))[0], slope, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_a_border_longer_than_the_kernel_reaches() -> None:
    """y[i] = x[i − 2] + x[i − 1] for i up to the length: the last number is in one sum, all others are in two."""
    module = PartialConv(
        8,
        (tuple(range(8)),) * 8,
        kernel=(2,),
        stride=(1,),
        padding=((2, 0),),
        dilation=(1,),
        use_bias=False,
        kernel_init=nnx.initializers.ones,
        bias_init=nnx.initializers.zeros,
        rngs=nnx.Rngs(0),
    )
    # With a factor that the compiler does not know, or it computes all by itself.
    found = jax.jit(jax.grad(lambda x, ones: (module(x) * ones).sum()))(jnp.zeros((2, 6, 8)), jnp.ones((2, 7, 8)))
    for sample in found:
        np.testing.assert_array_equal(sample, np.outer([16, 16, 16, 16, 16, 8], np.ones(8)))
