"""What units look for and what excites them, where both are known beforehand."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from archspec.inspecting.subject import Subject
from archspec.inspecting.target import of_unit
from archspec.inspecting.units import exciting
from archspec.inspecting.visualising import visualised
from archspec.loading import load
from archspec.lower import outline

TEXT = """
input: {height: 16, width: 16, channels: 1, range: [0, 255], mean: [127.5], std: [127.5]}
layers:
- conv: {name: c, filters: 2, kernel: 3}
- relu: {name: r}
- max_pool: {name: p, window: 2, stride: 2}
- flatten
- dense: {name: d, units: 2}
"""
KERNEL = np.asarray([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
"""A vertical edge, dark on the left (Sobel)."""


def subject_of(write: Any) -> tuple[Subject, Any]:
    spec = load(write(TEXT))
    graph = spec.graph()
    pure, params, statistics = outline(graph)
    given: dict[str, Any] = {name: np.zeros(value.shape, np.float32) for name, value in params.items()}
    given["c.kernel"] = np.stack([KERNEL, KERNEL.T], -1)[:, :, None]
    return Subject(graph, pure, given, dict(statistics)), next(iter(spec.inputs.values()))


@pytest.mark.parametrize("channel", [0, 1])
def test_a_unit_looks_for_its_kernel(write: Any, channel: int) -> None:
    """Edges of the one direction everywhere, and hardly any of the other."""
    subject, section = subject_of(write)
    target = of_unit(subject.graph, "r", channel)
    found = visualised(subject, section, target)
    assert found.pixels.min() >= 0 and found.pixels.max() <= 1 and found.after > 3 * found.before > 0
    along, across = (np.abs(np.diff(found.pixels, axis=axis)).mean() for axis in (1 - channel, channel))
    assert along > 2.5 * across
    assert (visualised(subject, section, target).pixels == found.pixels).all()


def test_what_excites_a_unit_is_found_where_it_is(write: Any) -> None:
    subject, _ = subject_of(write)
    x = np.zeros((7, 16, 16, 1), np.float32)
    x[2, 4:9, 7:] = 0.5  # a step from column 6 to 7
    x[5, :, 10:] = 1
    x[6, :, 10:] = 1
    batches = [([0, 1, 2, 3], {"input": jnp.asarray(x[:4])}), ([4, 5], {"input": jnp.asarray(x[[4, 5, 6, 6]])})]
    found = exciting(subject, batches, "r", [0, 1], top=2)
    assert [(item.sample, item.value) for item in found[0]] == [(5, 4.0), (2, 2.0)]
    first, second = found[0]
    assert first.position == (0, 8) and first.seen is not None
    assert (first.seen.first, first.seen.end) == ((0, 8), (3, 11))
    assert second.position == (4, 5)
    assert found[1][0].sample == 2 and found[1][0].value == 2.0
    pooled = exciting(subject, batches, "p", [0], top=1)[0][0]
    assert pooled.seen is not None and (pooled.seen.first, pooled.seen.end) == ((0, 8), (4, 12))
