"""What the converter to TFLite is given in place of operations that it lacks computes the same, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from archspec.exporting.tflite.rewriting import rewritten
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.lowerings.places import placed
from archspec.nn.pooling import MaxPool
from archspec.types import Taps

X = np.random.default_rng(0).standard_normal((1, 8, 9, 4)).astype(np.float32)


def maxima(*sides: tuple[int, int], window: int = 3, stride: int = 2) -> Callable[[Any], Any]:
    """Maxima of windows with padding on both axes."""
    return lambda x: lax.reduce_window(
        x, -np.inf, lax.max, (1, window, window, 1), (1, stride, stride, 1), ((0, 0), *sides, (0, 0))
    )


def sums(*sides: tuple[int, int]) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        lengths = (1, *(3,) * len(sides), 1)
        return lax.reduce_window(x, 0.0, lax.add, lengths, (1, *(2,) * len(sides), 1), ((0, 0), *sides, (0, 0)))

    return function


def transposed(x: Any) -> Any:
    """A convolution over zeros between pixels whose kernel is dilated, in two groups."""
    kernel = np.random.default_rng(1).standard_normal((3, 3, 2, 6)).astype(np.float32)
    return lax.conv_general_dilated(
        x,
        jnp.asarray(kernel),
        (1, 1),
        ((4, 4), (3, 5)),
        lhs_dilation=(2, 3),
        rhs_dilation=(2, 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    )


def put_back(x: Any) -> Any:
    """Max pooling whose maxima are put back by the numbers of their taps, which are bytes."""
    taps = Taps((8, 9, 4), (2, 2), (2, 2), (0, 0), (1, 1))
    pooled, numbers = MaxPool(taps, ((0, 0), (0, 1)))(x, indices=True, lowerings=BY_LIBRARY)
    assert numbers.dtype == np.uint8
    return placed(pooled, numbers, taps)


def primitives(function: Callable[[Any], Any], x: Any) -> str:
    return str(jax.make_jaxpr(function)(x))


@pytest.mark.parametrize(
    ("function", "x", "gone"),
    [
        # The rows reach beyond the map and the columns do not: no padding of TFLite's is that.
        pytest.param(maxima((0, 1), (0, 0)), X, "padding=((0, 0), (0, 1)", id="maxima that reach beyond one side"),
        pytest.param(maxima((1, 1), (1, 1)), X, "padding=((0, 0), (1, 1)", id="maxima that reach beyond all sides"),
        pytest.param(sums((1, 0), (0, 1)), X, "padding=((0, 0), (1, 0)", id="sums"),
        pytest.param(sums((0, 1)), X[:, 0], "window_dimensions=(1, 3, 1)", id="sums of a signal"),
        pytest.param(transposed, X, "lhs_dilation=(2, 3)", id="a dilated transposed convolution"),
        pytest.param(
            lambda x: lax.pad(x, np.float32(2), [(0, 0, 0), (1, 0, 1), (-1, 2, 2), (0, 0, 0)]),
            X,
            "(1, 0, 1)",
            id="padding between numbers",
        ),
        pytest.param(put_back, X, "u8[", id="numbers of taps"),
    ],
)
def test_other_operations_compute_the_same(function: Callable[[Any], Any], x: np.ndarray, gone: str) -> None:
    compact = primitives(function, x).replace("\n", "")
    assert gone in compact and gone not in primitives(rewritten(function), x).replace("\n", "")
    wanted, found = jax.jit(function)(x), jax.jit(rewritten(function))(x)
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-6)
    assert found.dtype == wanted.dtype


@pytest.mark.parametrize("function", [maxima((1, 1), (1, 1), stride=1), maxima((0, 0), (0, 0)), maxima((0, 1), (0, 1))])
def test_what_the_converter_knows_stays(function: Callable[[Any], Any]) -> None:
    x = jnp.asarray(X[:, :, :8])
    assert primitives(rewritten(function), x) == primitives(function, x)


def test_functions_within_functions_are_rewritten_too() -> None:
    inner = jax.jit(maxima((1, 1), (1, 0)))

    def function(x: Any) -> Any:
        return {"y": jax.nn.relu(inner(x["a"])), "z": inner(x["a"])}

    found = rewritten(function)({"a": X})
    np.testing.assert_array_equal(found["y"], np.maximum(found["z"], 0))
    np.testing.assert_array_equal(found["z"], inner(X))
    with jax.named_scope("net"):
        assert "padding=((0, 0), (1, 1), (1, 0)" not in primitives(rewritten(function), {"a": X}).replace("\n", "")
