"""What is asked of a network: a score, which is a weighted sum of what one node gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from archspec.diagnostics import count, did_you_mean, listed
from archspec.graph import Graph, Node, Output, is_input
from archspec.spec.training import gives_shares, limits_of


class Target(NamedTuple):
    """A score F(x) = Σ weights·value over what the node at `path` gives for a sample.

    `weights` have the batch first, or 1 there; `said` is the score in words.
    """

    path: str
    weights: np.ndarray
    said: str

    @property
    def paths(self) -> tuple[str]:
        return (self.path,)

    @property
    def asked(self) -> dict[str, Any]:
        """What `Subject.pulled` is asked for."""
        return {self.path: self.weights}

    def score(self, values: Mapping[str, jax.Array]) -> np.ndarray:
        """F of each sample, (N,), in 64 bits."""
        value = np.asarray(values[self.path], np.float64)
        return np.asarray((value * self.weights).reshape(len(value), -1).sum(1))


class Scores(NamedTuple):
    """The node whose numbers are the scores of an output's classes, and whether these are probabilities already."""

    node: int
    shares: bool


def scores_of(graph: Graph, output: Output) -> Scores:
    """Where an output's logits are: the output itself, or, of a network that ends in softmax or sigmoid, what comes
    before that. Where more follows it, as a mean of probabilities does, the probabilities are all that there is."""
    if not gives_shares(graph, output):
        return Scores(output.node, False)
    limits = limits_of(graph, output)
    assert limits is not None
    source = graph.nodes[output.node].inputs[0]
    if limits.layer == output.node and graph.nodes[output.node].kind in ("softmax", "sigmoid") and not is_input(source):
        return Scores(source, False)
    return Scores(output.node, True)


def of_number(
    graph: Graph,
    output: Output,
    number: int | Sequence[int] | np.ndarray,
    name: str = "",
    mask: np.ndarray | None = None,
) -> Target:
    """The score of a class, or a number of a regression: the last axis's `number`, one for all samples or one each.

    Of maps the score is the sum over all positions, or over those where `mask`, (…spatial) or (N, …spatial), is true.
    Raises `ValueError` for a number that there is not.
    """
    scores = scores_of(graph, output)
    node = graph.nodes[scores.node]
    numbers, channels = np.atleast_1d(np.asarray(number)), node.output.channels
    if numbers.min() < 0 or numbers.max() >= channels:
        raise ValueError(f"`{output.name}` has numbers 0 to {channels - 1}, and none {numbers[0]}")
    weights = np.zeros((len(numbers), *node.output.shape), np.float32)
    for place, own in enumerate(numbers):
        weights[place, ..., own] = 1
    if mask is not None:
        weights = weights * np.asarray(mask, np.float32)[..., None]
    what = "probability" if scores.shares else "score"
    named = name or ", ".join(map(str, numbers))
    return Target(node.path, weights, f"the {what} of {named}" + " at some positions" * (mask is not None))


def of_unit(graph: Graph, path: str, channel: int, position: Sequence[int] | None = None) -> Target:
    """What a unit gives: a channel of a node's output at a position; the mean over all positions without one.

    Raises `ValueError` for a node, a channel or a position that there is not.
    """
    node = node_at(graph, path)
    check_channel(node, channel)
    spatial = node.output.spatial
    weights = np.zeros((1, *node.output.shape), np.float32)
    if position is None:
        weights[..., channel] = 1 / max(int(np.prod(spatial)), 1)
        return Target(path, weights, f"channel {channel} of {path}" + ", its mean" * bool(spatial))
    if not has_position(node, position):
        raise ValueError(
            f"`{path}` gives a map of {'×'.join(map(str, spatial)) or 'no'} positions: none is {tuple(position)}"
        )
    weights[(0, *position, channel)] = 1
    return Target(path, weights, f"channel {channel} of {path} at {', '.join(map(str, position))}")


def check_channel(node: Node, channel: int) -> None:
    """Raises `ValueError` for a channel that a node's output does not have."""
    channels = node.output.channels
    if not 0 <= channel < channels:
        raise ValueError(f"`{node.path}` gives {count(channels, 'channel')}, 0 to {channels - 1}, and none {channel}")


def has_position(node: Node, position: Sequence[int]) -> bool:
    """Whether a node's output has a position."""
    spatial = node.output.spatial
    return len(position) == len(spatial) and all(0 <= at < size for at, size in zip(position, spatial, strict=True))


def node_at(graph: Graph, path: str) -> Node:
    """The node at a path. Raises `ValueError`."""
    for node in graph.nodes:
        if node.path == path:
            return node
    paths = [node.path for node in graph.nodes]
    raise ValueError(
        f"{graph.name} has no layer `{path}`; " + (did_you_mean(path, paths) or f"layers: {listed(paths)}")
    )
