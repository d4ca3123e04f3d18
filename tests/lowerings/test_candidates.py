"""Every candidate, in every direction that it has, computes what the library does: held to sums in float64."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.lowerings.candidates import computing, fits, function, names
from archspec.lowerings.case import DIRECTIONS, Case, Direction

CASES = [
    Case("conv", 2, (5, 6), 3, 4, (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, "float32"),
    Case("conv", 2, (6, 5), 3, 4, (1, 1), (2, 3), ((0, 0), (0, 0)), (1, 1), 1, "float32"),
    Case("conv", 2, (7, 6), 3, 4, (3, 2), (2, 1), ((1, 0), (0, 2)), (1, 2), 1, "float32"),
    Case("conv", 2, (5, 6), 3, 4, (3, 3), (1, 1), ((1, 1), (0, 2)), (1, 1), 1, "float32"),
    Case("conv", 2, (6, 6), 4, 8, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2, "float32"),
    Case("conv", 2, (7, 7), 4, 8, (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 4, "float32"),
    Case("conv", 1, (3, 3), 64, 64, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 8, "float32"),
    Case("conv", 2, (7,), 4, 6, (3,), (2,), ((1, 0),), (1,), 2, "float32"),
    Case("conv", 2, (6,), 3, 4, (1,), (2,), ((0, 0),), (1,), 1, "float32"),
    Case("conv", 2, (9,), 2, 4, (3,), (2,), ((1, 2),), (2,), 2, "float32"),
    Case("transposed_conv", 2, (3, 4), 3, 4, (4, 3), (2, 2), ((1, 0), (0, -1)), (1, 1), 1, "float32"),
    Case("transposed_conv", 2, (3, 2), 4, 6, (3, 2), (2, 1), ((1, -1), (0, 0)), (2, 1), 2, "float32"),
    Case("transposed_conv", 2, (3, 4), 3, 4, (2, 3), (2, 3), ((0, 1), (0, -1)), (1, 1), 1, "float32"),
    Case("transposed_conv", 2, (5,), 4, 6, (4,), (3,), ((0, 1),), (1,), 2, "float32"),
    Case("transposed_conv", 2, (5,), 3, 2, (2,), (2,), ((0, 1),), (1,), 1, "float32"),
]
"""Together they have what candidates are told apart by: 1×1, strides, borders, dilation, groups, depthwise, signals."""

OWN = [
    ("row_products", Case("conv", 2, (11, 6), 4, 8, (5, 3), (1, 2), ((2, 3), (1, 2)), (2, 1), 4, "float32")),
    ("library", Case("conv", 2, (5,), 8, 8, (2,), (1,), ((2, 0),), (1,), 1, "float32")),
    ("library", Case("transposed_conv", 2, (4, 5), 8, 8, (2, 2), (1, 1), ((3, 1), (3, 1)), (2, 2), 1, "float32")),
]
"""Where one candidate alone goes another way: of many taps those of one row at a time, and a border that is longer than
the kernel reaches is written out."""

TOLERANCE = {"float32": 1e-6, "bfloat16": 1e-2, "float16": 2e-3}
"""Of the largest number: the types' own rounding, and a little for float32's sums."""


def places(case: Case) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """(output pixel, tap, input pixel) of all products of a convolution."""
    if case.is_transposed:
        # Those of the convolution that it undoes, whose input is its output.
        undone = case._replace(operation="conv", size=case.output)
        yield from ((pixel, tap, at) for at, tap, pixel in places(undone))
        return
    for at in np.ndindex(*case.output):
        for tap in np.ndindex(*case.kernel):
            pixel = tuple(
                i * step + t * spread - before
                for i, step, t, spread, (before, _) in zip(
                    at, case.stride, tap, case.dilation, case.padding, strict=True
                )
            )
            if all(0 <= place < size for place, size in zip(pixel, case.size, strict=True)):
                yield at, tap, pixel


def summed(case: Case, direction: Direction, x: np.ndarray, kernel: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """A direction by its definition, product by product, in float64."""
    made = {"forward": np.zeros_like(gradient), "input": np.zeros_like(x), "kernel": np.zeros_like(kernel)}[direction]
    inner, outer = case.channels // case.groups, case.filters // case.groups
    for at, tap, pixel in places(case):
        here: Any = (slice(None), *pixel)
        there: Any = (slice(None), *at)
        for group in range(case.groups):
            own, theirs = np.s_[group * inner : (group + 1) * inner], np.s_[group * outer : (group + 1) * outer]
            part: Any = np.s_[own] if case.is_transposed else np.s_[:, theirs]
            seen, weights, back = x[here][:, own], kernel[tap][part], gradient[there][:, theirs]
            if direction == "forward":
                made[there][:, theirs] += seen @ weights
            elif direction == "input":
                made[here][:, own] += back @ weights.T
            else:
                made[tap][part] += seen.T @ back
    return made


def arrays(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An input, a kernel and an output's gradient, whose numbers have few bits."""
    draw = np.random.default_rng(prod(case.size))
    shapes = (
        (case.batch, *case.size, case.channels),
        case.kernel_shape,
        (case.batch, *case.output, case.filters),
    )
    return tuple(draw.integers(-32, 33, shape) / 16 for shape in shapes)  # type: ignore[return-value]


def tried(case: Case, direction: Direction) -> list[str]:
    """The candidates whose numbers are looked at for a case and direction."""
    # A candidate may be for 16 bits alone.
    return [
        name
        for name in names(case.operation)
        if (case in CASES or (name, case) in OWN)
        and any(fits(name, case._replace(dtype=kind), direction) for kind in ("float32", "bfloat16"))
    ]


SETTINGS = [
    (case, direction)
    for case in (*CASES, *(case for _, case in OWN))
    for direction in DIRECTIONS
    if tried(case, direction)
]


def said(value: Any) -> str:
    """What a test is called by."""
    if not isinstance(value, Case):
        return str(value)
    return f"{value.operation}-{'x'.join(map(str, (*value.kernel, *value.stride)))}-{value.groups}"


HALVES = [
    pytest.param(*setting, marks=pytest.mark.slow if number % 2 else ()) for number, setting in enumerate(SETTINGS)
]
"""Every other one is tried in the slow tests."""


@pytest.mark.parametrize(("case", "direction"), HALVES, ids=said)
def test_candidates_compute_their_direction(case: Case, direction: Direction) -> None:
    x, kernel, gradient = arrays(case)
    wanted = summed(case, direction, x, kernel, gradient)
    pair = {"forward": (x, kernel), "input": (gradient, kernel), "kernel": (x, gradient)}[direction]
    # In one program, since it is the number of programs that takes the time.
    computed = jax.jit(
        lambda given: {
            (name, kind): computing(case, name, direction)(*given[kind], case._replace(dtype=kind))
            for name in tried(case, direction)
            for kind in TOLERANCE
        }
    )({kind: tuple(array.astype(jnp.dtype(kind)) for array in pair) for kind in TOLERANCE})
    for (name, kind), found in computed.items():
        assert found.dtype == kind and found.shape == wanted.shape, name
        near = TOLERANCE[kind] * abs(wanted).max()
        np.testing.assert_allclose(np.asarray(found, np.float64), wanted, rtol=0, atol=near, err_msg=f"{name} {kind}")


def test_every_candidate_is_tried_in_each_of_its_directions() -> None:
    looked_at = {(case.operation, name, direction) for case, direction in SETTINGS for name in tried(case, direction)}
    has = {
        (operation, name, direction)
        for operation in {case.operation for case in CASES}
        for name in names(operation)
        for direction in DIRECTIONS
        if function(operation, name, direction) is not None
    }
    assert looked_at == has
