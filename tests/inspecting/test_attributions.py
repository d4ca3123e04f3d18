"""Attributions against Captum's and torchcam's, recorded by record.py, and against what they are defined to be."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from archspec.inspecting import attributions
from archspec.inspecting.cam import cam, default_node
from archspec.inspecting.subject import Subject
from archspec.inspecting.target import Target, of_number, of_unit
from archspec.loading import load
from archspec.lower import outline
from tests.inspecting.cases import CLASSES, MAPS, NETWORKS, NOISE, OCCLUDED, STRIDE, arrays, images
from tests.pytorch.cases import numbers

NAME = "input"


@cache
def recorded() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "recorded.npz") as file:
        return dict(file)


@pytest.fixture(scope="module", params=list(NETWORKS))
def case(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Subject, dict[str, Any], Target]:
    path = tmp_path_factory.mktemp("case") / "net.yaml"
    path.write_text(f"archspec: 1\nname: net\n{NETWORKS[request.param]}")
    graph = load(path).graph()
    pure, params, statistics = outline(graph)
    given: dict[str, Any] = arrays({name: value.shape for name, value in {**params, **statistics}.items()})
    subject = Subject(graph, pure, *({name: given[name] for name in part} for part in (params, statistics)))
    x = {NAME: jnp.asarray(images(graph.inputs[0].type.shape))}
    return request.param, subject, x, of_number(subject.graph, subject.graph.main_output, CLASSES)


def near(found: np.ndarray, key: str, tolerance: float = 1e-4) -> None:
    """Within a share of the largest number that is recorded."""
    wanted = recorded()[key]
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


def test_attributions_are_those_of_captum(case: tuple[str, Subject, dict[str, Any], Target]) -> None:
    name, subject, x, target = case
    near(np.asarray(subject.values(x, target.paths)[target.path]), f"{name}/output")
    own = attributions.gradient(subject, x, target)[NAME]
    near(own, f"{name}/gradient")
    near(np.abs(own), f"{name}/saliency")
    near(attributions.guided(subject, x, target)[NAME], f"{name}/guided")
    near(attributions.integrated(subject, x, target, steps=50).inputs[NAME], f"{name}/integrated")
    near(attributions.occlusion(subject, x, target, NAME, OCCLUDED, STRIDE), f"{name}/occlusion")
    noise = numbers((NOISE, 1, *x[NAME].shape[1:]), 3.0)[:, 0] / 8
    near(attributions.smooth(subject, x, target, {NAME: noise})[NAME], f"{name}/smooth")


def test_maps_are_those_of_torchcam(case: tuple[str, Subject, dict[str, Any], Target]) -> None:
    name, subject, x, target = case
    found = cam(subject, x, target, MAPS[name])
    near(found.map, f"{name}/cam")
    near(found.shares, f"{name}/cam_shares")
    assert default_node(subject.graph) == MAPS[name] and cam(subject, x, target).path == MAPS[name]


def test_integrated_gradients_add_up(case: tuple[str, Subject, dict[str, Any], Target]) -> None:
    """The sum over the input is the difference of the scores, by the forward pass alone."""
    _, subject, x, target = case
    found = attributions.integrated(subject, x, target)
    scores = target.score(subject.values(x, target.paths))
    nothing = target.score(subject.values({NAME: jnp.zeros_like(x[NAME])}, target.paths))
    assert np.allclose(found.difference, scores - nothing, atol=1e-5)
    assert (
        np.abs(found.inputs[NAME].reshape(2, -1).sum(1) - found.difference) <= 0.01 * np.abs(found.difference)
    ).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda graph: of_number(graph, graph.main_output, 9), "numbers 0 to"),
        (lambda graph: of_unit(graph, "c9", 0), "no layer `c9`"),
        (lambda graph: of_unit(graph, "c1", 99), "none 99"),
        (lambda graph: of_unit(graph, "c1", 0, (40, 0)), r"none is \(40, 0\)"),
    ],
)
def test_what_is_not_there_is_named(
    case: tuple[str, Subject, dict[str, Any], Target], make: Callable[[Any], Target], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make(case[1].graph)
