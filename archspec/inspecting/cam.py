"""Grad-CAM: which places of a map speak for a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from archspec.figures.receptive_field import with_places
from archspec.graph import Graph
from archspec.inspecting.subject import Subject
from archspec.inspecting.target import Target, node_at


class Cam(NamedTuple):
    """`map` is ReLU(Σ_k α_k A_k), (N, *spatial), of the node at `path`; all 0 where nothing there speaks for it.

    `speaking`, (N, K), is how much each channel speaks for the score: the mean of α_k A_k over positions.
    """

    path: str
    map: np.ndarray
    speaking: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """From 0 to 1 over each sample's map: minus its least, over its largest."""
        axes = tuple(range(1, self.map.ndim))
        own = self.map - self.map.min(axes, keepdims=True)
        return np.asarray(own / (own.max(axes, keepdims=True) + 1e-8))


def cam(subject: Subject, x: Mapping[str, jax.Array], target: Target, path: str | None = None) -> Cam:
    """Selvaraju et al. 2017 ("Grad-CAM", equations 1 and 2): α_k is the mean over positions of ∂F/∂A_k.

    The node is the last whose positions still stand for places, unless one is given. Raises `ValueError` where there is
    none, or the one given has no places.
    """
    chosen = path or default_node(subject.graph)
    if node_at(subject.graph, chosen).output.is_vector:
        raise ValueError(f"`{chosen}` gives a vector, which has no places: Grad-CAM takes a layer that gives a map")
    pulled = subject.pulled(x, {**target.asked, **_nothing(subject, chosen, target)}, at=[chosen])
    values, gradients = np.asarray(pulled.values[chosen]), np.asarray(pulled.nodes[chosen])
    places = tuple(range(1, gradients.ndim - 1))
    parts = values * gradients.mean(places, keepdims=True)
    return Cam(chosen, np.maximum(parts.sum(-1), 0), parts.mean(places))


def _nothing(subject: Subject, path: str, target: Target) -> dict[str, Any]:
    """The node is asked for nothing, so that its values come along."""
    if path == target.path:
        return {}
    return {path: np.zeros((1, *node_at(subject.graph, path).output.shape), np.float32)}


def default_node(graph: Graph) -> str:
    """The last layer whose positions stand for places of the input. Raises `ValueError` where there is none."""
    nodes = [node for node, _ in with_places(graph) if not node.output.is_vector]
    if not nodes:
        raise ValueError(f"{graph.name} has no layer whose positions stand for places of its input")
    return nodes[-1].path
