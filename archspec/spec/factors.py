"""Factors of learning rates and of weight decay by path pattern. Imported once a recipe has such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from archspec.diagnostics import DataError, Findings, Span, did_you_mean, listed
from archspec.graph import Graph
from archspec.patterns import path_matches

if TYPE_CHECKING:
    from archspec.spec.train import Train


def trained_arrays(graph: Graph) -> dict[str, int]:
    """The arrays that can be trained by their names, `conv1.kernel`, with their numbers of axes."""
    return {
        f"{node.path}.{weight.name}": len(weight.shape)
        for node in graph.nodes
        if node.shares is None
        for weight in node.weights
        if weight.role == "trainable"
    }


def factors_of(patterns: Mapping[str, float], graph: Graph) -> dict[str, float]:
    """The factor of each array that a pattern names: of the last pattern that does.

    A pattern is a path of a layer, a scope or an array, with stars as in `init_from.freeze`. Raises `DataError` where
    one names none.
    """
    found: dict[str, float] = {}
    for pattern, factor in patterns.items():
        found |= dict.fromkeys(named_by(pattern, graph), factor)
    return found


def named_by(pattern: str, graph: Graph) -> list[str]:
    """The arrays that a pattern names. Raises `DataError` where it names none."""
    arrays = trained_arrays(graph)
    names = [name for name in arrays if path_matches(pattern, name)]
    if names:
        return names
    owners = [node.owner for node in graph.nodes if node.shares is not None and path_matches(pattern, node.path)]
    if owners:
        raise DataError(
            "E515",
            f"`{pattern[:100]}` names layers that use the arrays of others",
            help=[f"arrays go by the layer that has them: {listed(dict.fromkeys(owners), 4)}"],
        )
    parts = [name.split(".") for name in arrays]
    known = {".".join(part[:count]) for part in parts for count in range(1, len(part) + 1)}
    hint = did_you_mean(pattern, known)
    raise DataError(
        "E515",
        f"`{pattern[:100]}` names nothing of {graph.name} that can be trained",
        help=[hint or 'a path, a scope, an array or a pattern: conv1, layer1, conv1.bias, "**.bias"'],
    )


def check_factors(graph: Graph, train: Train, place: Callable[..., Span | None], findings: Findings) -> None:
    """Refuses patterns that name nothing, and warns of factors that change nothing."""
    decay = train.optimiser.weight_decay
    if train.decays and not decay:
        findings.warning(
            "W308",
            f"`decays` of `train` are factors of a weight decay of 0 of {train.optimiser.kind}",
            place("train", "decays"),
            help=[f"optimiser: {{{train.optimiser.kind}: {{weight_decay: 0.0001, …}}}}"],
        )
    arrays = trained_arrays(graph)
    for section, patterns in (("rates", train.rates), ("decays", train.decays)):
        for pattern, factor in patterns.items():
            try:
                named = named_by(pattern, graph)
            except DataError as error:
                span = place("train", section, pattern) or place("train", section)
                findings.error(error.code, error.message, span, help=list(error.help))
                continue
            spared = section == "decays" and train.optimiser.decay == "weights" and factor
            if spared and decay and all(arrays[name] < 2 for name in named):
                findings.warning(
                    "W308",
                    f"`{pattern[:100]}` names biases and norms alone, which `decay: weights` spares at any factor",
                    place("train", section, pattern),
                    help=["`decay: all` in the optimiser, and factors of 0 for what is to be spared"],
                )
