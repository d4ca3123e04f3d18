"""Effective receptive fields lie inside the theoretical ones, and have the form that the paper says."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from archspec.figures.receptive_field import with_places
from archspec.inspecting.effective_field import effective_fields
from archspec.inspecting.subject import Subject
from archspec.loading import load
from archspec.lower import build, split


def subject_of(name: str, size: int) -> Subject:
    graph = load(name).graph((size, size))
    pure, params, statistics = split(build(graph, seed=0))
    return Subject(graph, pure, params, statistics)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("vgg11", 64), ("resnet18", 96)])
def test_every_field_lies_inside_the_theoretical_one(name: str, size: int) -> None:
    """To the last bit, of every layer whose positions stand for places."""
    subject = subject_of(name, size)
    paths = [node.path for node, _ in with_places(subject.graph)]
    assert len(paths) > 20
    x = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    smaller = 0
    for field in effective_fields(subject, {"input": jnp.asarray(x)}, paths):
        assert field.map.any() and field.outside == 0, field.path
        theoretical = np.subtract(field.theoretical.end, field.theoretical.first)
        assert field.pixels <= np.prod(theoretical)
        smaller += theoretical.max() < size
    assert smaller > 5
