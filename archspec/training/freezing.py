"""Which arrays training leaves as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archspec.diagnostics import DataError, did_you_mean, listed
from archspec.graph import Graph
from archspec.patterns import any_matches, path_matches
from archspec.spec.factors import factors_of, trained_arrays
from archspec.spec.train import Train


class FrozenParts(NamedTuple):
    """Arrays by name, and the layers that run as in evaluation, since nothing of theirs may change."""

    arrays: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()


NOTHING = FrozenParts()


def frozen_at(train: Train, graph: Graph, epoch: int) -> FrozenParts:
    """What is frozen in an epoch; epochs count from 1. Raises `DataError`.

    Arrays with a factor of 0 in `rates` are too, but what their layers do besides goes on, as statistics and dropout.
    """
    begin = train.init_from
    if begin is None or (begin.freeze_epochs is not None and epoch > begin.freeze_epochs):
        found = NOTHING
    else:
        found = frozen_by(begin.freeze, begin.exclude, graph)
    if not train.rates:
        return found
    still = {name for name, factor in factors_of(train.rates, graph).items() if not factor}
    arrays = found.arrays | still
    if not trained_arrays(graph).keys() - arrays:
        raise DataError("E516", "`rates` are 0 of all that is not frozen, so there is nothing to train")
    return FrozenParts(arrays, found.layers)


def frozen_by(patterns: Sequence[str], exclude: Sequence[str], graph: Graph) -> FrozenParts:
    """What patterns of paths freeze, but for the layers that begin anew.

    Raises `DataError` where a pattern names no layer with weights, or nothing is left to train.
    """
    check_owners("freeze", patterns, graph)
    layers = frozenset(path for path in chosen(patterns, graph) if not any_matches(exclude, path))
    arrays = frozenset(
        f"{node.owner}.{weight.name}" for node in graph.nodes if node.path in layers for weight in node.weights
    )
    left = [node.path for node in graph.nodes if node.path not in layers and node.count("trainable")]
    if patterns and not left:
        raise DataError("E516", "`freeze` names every layer with weights, so there is nothing to train")
    return FrozenParts(arrays, layers)


def chosen(patterns: Iterable[str], graph: Graph) -> list[str]:
    """The layers with weights that patterns name. Raises `DataError` where a pattern names none."""
    weighty = [node.path for node in graph.nodes if node.weights]
    layers: dict[str, None] = {}
    for pattern in patterns:
        paths = [path for path in weighty if path_matches(pattern, path)]
        if not paths:
            scopes = {part for path in weighty for part in (path, path.split(".")[0])}
            hint = did_you_mean(pattern, scopes)
            raise DataError(
                "E515",
                f"`{pattern[:100]}` names no layer of {graph.name} that has weights",
                help=[
                    hint
                    or "a path, a scope, or a pattern: conv1, layer1, layer*.0.conv2; `archspec show --graph` has all"
                ],
            )
        layers.update(dict.fromkeys(paths))
    return list(layers)


def check_owners(word: str, patterns: Sequence[str], graph: Graph) -> None:
    """Raises `DataError` where patterns name layers that use the arrays of others, which no pattern names."""
    named = [
        node
        for node in graph.nodes
        if node.shares is not None and any_matches(patterns, node.path) and not any_matches(patterns, node.shares)
    ]
    if named:
        owners = list(dict.fromkeys(node.owner for node in named))
        raise DataError(
            "E515",
            f"`{word}` names {listed([node.path for node in named], 4)}, which use the arrays of other layers",
            help=[f"arrays go by the layer that has them: {word}: [{', '.join(owners[:6])}]"],
        )
