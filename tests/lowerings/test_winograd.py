"""Winograd's filtering in blocks, whose sizes only large maps would bring about."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.lowerings.case import Case
from archspec.lowerings.conv import library, winograd


@pytest.mark.parametrize(("cached", "wide"), [(16 * 3 * 7 * 4 * 2, 512), (16 * 3 * 7 * 4 * 8, 2)])
def test_blocks_of_rows_and_of_images_give_the_whole(monkeypatch: pytest.MonkeyPatch, cached: int, wide: int) -> None:
    case = Case("conv", 4, (7, 6), 3, 4, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, "float32")
    monkeypatch.setattr(winograd, "CACHED", cached)
    monkeypatch.setattr(winograd, "WIDE", wide)
    monkeypatch.setattr(winograd, "REUSED", 0)
    draw = np.random.default_rng(0)
    x, kernel, gradient = (
        jnp.asarray(draw.standard_normal(shape), jnp.float32) for shape in ((4, 7, 6, 3), (3, 3, 3, 4), (4, 7, 6, 4))
    )
    compiled = jax.jit(
        lambda x, kernel, gradient: [
            (
                way.forward(x, kernel, case),
                way.input_gradient(gradient, kernel, case),
                way.kernel_gradient(x, gradient, case),
            )
            for way in (winograd, library)
        ]
    )
    assert "while" in compiled.lower(x, kernel, gradient).as_text()
    ours, theirs = compiled(x, kernel, gradient)
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * float(abs(wanted).max()))
