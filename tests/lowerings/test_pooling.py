"""Candidates of poolings against NumPy, in values and gradients: of equal maxima the first has the gradient."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.lowerings.candidates import directions, fits, fitting, names
from archspec.lowerings.case import Case
from archspec.lowerings.choosing import Choice
from archspec.lowerings.places import taps_of
from archspec.lowerings.pooling import maxima, maxima_with_places, pooling, sums

WINDOWS: list[tuple[Any, ...]] = [
    # window, stride, padding, dilation, types
    ((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), ("float32",)),
    ((3, 3), (2, 2), ((0, 1), (1, 0)), (1, 1), ("float32", "bfloat16")),
    ((3, 2), (1, 1), ((1, 1), (0, 0)), (1, 1), ("float32",)),
    ((4, 5), (3, 2), ((0, 0), (2, 2)), (1, 1), ("float32",)),
    ((2, 3), (2, 1), ((1, 0), (1, 1)), (2, 2), ("float32",)),
    ((9, 8), (2, 1), ((4, 4), (3, 4)), (1, 1), ("float32",)),
    ((3,), (2,), ((1, 0),), (1,), ("float32", "bfloat16")),
]


def numbers(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """A map of few different numbers, so that many maxima are equal, and a gradient: both exact in 16 bits."""
    draw = np.random.default_rng(1)
    x = draw.integers(0, 4, (case.batch, *case.size, case.channels)).astype(np.float32)
    return x, draw.integers(1, 5, (case.batch, *case.output, case.channels)).astype(np.float32)


def by_hand(x: np.ndarray, gradient: np.ndarray, case: Case, of_maximum: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values and the gradient by the map, window by window."""
    whole: np.ndarray = np.pad(x, ((0, 0), *case.padding, (0, 0)), constant_values=-np.inf if of_maximum else 0)
    y, back = np.zeros_like(gradient), np.zeros_like(whole)
    for place in np.ndindex(*gradient.shape):
        batch, *at, channel = place
        seen = tuple(
            slice(where * step, where * step + spread * (taps - 1) + 1, spread)
            for where, step, spread, taps in zip(at, case.stride, case.dilation, case.kernel, strict=True)
        )
        under, theirs = whole[(batch, *seen, channel)], back[(batch, *seen, channel)]
        if of_maximum:
            # NumPy too takes the first of equals, row by row, and not-a-number as the largest.
            first = np.unravel_index(under.argmax(), under.shape)
            y[place] = under[first]
            theirs[first] += gradient[place]
        else:
            y[place] = under.sum()
            theirs += gradient[place]
    inside = tuple(slice(before, before + size) for (before, _), size in zip(case.padding, case.size, strict=True))
    return y, back[(slice(None), *inside)]


@pytest.mark.parametrize(("window", "stride", "padding", "dilation", "kinds"), WINDOWS)
def test_candidates_are_the_windows_taken_one_by_one(
    window: Any, stride: Any, padding: Any, dilation: Any, kinds: Any
) -> None:
    size = (7, 8)[: len(window)]
    shape = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
    cases = {name: pooling(name, shape, window, stride, padding, dilation) for name in ("max_pool", "sum_pool")}  # type: ignore[arg-type]
    plain, gradient = numbers(cases["max_pool"])
    # XLA gives the gradient of what is no number to another one at times.
    x = plain.copy()
    x[0, 3, ..., 0] = np.nan
    undilated = set(dilation) == {1}

    def both(function: Any, x: Any, gradient: Any) -> Any:
        y, back = jax.vjp(function, x)
        return y, back(gradient)[0]

    @jax.jit
    def computed(x: Any, plain: Any, gradient: Any) -> dict[str, Any]:
        found = {}
        for kind in kinds:
            given, sound, back = (value.astype(kind) for value in (x, plain, gradient))
            case = cases["max_pool"]._replace(dtype=kind)
            for name in fitting(case, "forward"):
                choice = Choice(name, name if fits(name, case, "input") else "library")
                plainly = both(lambda x, c=case, o=choice: maxima(x, c, o), sound, back)
                found[f"max_pool {name} {kind}"] = plainly
                if taps_of(case).few:
                    kept = both(lambda x, c=case, o=choice: maxima_with_places(x, c, o)[0], given, back)
                    found[f"max_pool {name} {kind} places"] = kept
            for name in names("sum_pool") if undilated else ():
                case, choice = cases["sum_pool"]._replace(dtype=kind), Choice(name, name)
                found[f"sum_pool {name} {kind}"] = both(lambda x, c=case, o=choice: sums(x, c, o), sound, back)
        return found

    wanted = {
        "max_pool": by_hand(plain, gradient, cases["max_pool"], True),
        "places": by_hand(x, gradient, cases["max_pool"], True),
        "sum_pool": by_hand(plain, gradient, cases["sum_pool"], False),
    }
    found = computed(x, plain, gradient)
    for said, pair in found.items():
        for ours, theirs in zip(pair, wanted["places" if said.endswith("places") else said.split()[0]], strict=True):
            np.testing.assert_array_equal(np.asarray(ours, np.float32), theirs, err_msg=said)


def test_every_candidate_is_tried() -> None:
    assert names("max_pool") == ("library", "axes", "slices") and names("sum_pool") == ("library", "shifts")


def test_poolings_have_no_kernel_and_some_candidates_few_taps() -> None:
    assert directions("max_pool") == directions("sum_pool") == ("forward", "input")
    case = pooling("max_pool", jnp.zeros((1, 9, 9, 1)), (9, 8), (1, 1), ((0, 0), (0, 0)), (1, 1))
    assert not fits("slices", case, "forward") and fits("slices", case._replace(kernel=(8, 8)), "forward")
    assert fits("axes", case, "forward") and not fits("axes", case, "input")
