"""What is exported: a network in evaluation with its arrays, and what its images go through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.images.preparation import Preparation
from archspec.loading import Spec, open_spec
from archspec.lower import build, split
from archspec.runs.reading import class_names_of, opened, preparation_of, restored
from archspec.spec.overrides import Override


@dataclass(frozen=True)
class Subject:
    """A network to export.

    `graph` has what evaluation needs. `arrays` are by the path of the node that owns them and the array's name
    (`conv1.kernel`), in this package's axes. `classes` are names of the main output's channels, empty where they have
    none; `preparation` is what was done to images before `input.fit`.
    """

    spec: Spec
    graph: Graph
    arrays: Mapping[str, np.ndarray]
    classes: Sequence[str]
    preparation: Preparation
    folder: Path | None = None
    """That of the run or the import; None of a spec."""


def subject_of(
    spec: str, folder: Path | None, overrides: Sequence[Override] = (), *, seed: int = 0, notes: list[str]
) -> Subject:
    """The network of a run's or an import's folder, or of a spec where there is none.

    A spec's weights are drawn from `seed`, which is told in `notes`. Raises `SpecError`.
    """
    if folder is None:
        return subject_of_spec(open_spec(spec, list(overrides)), seed=seed, notes=notes)
    if overrides:
        raise DataError(
            "E513",
            f"{folder} has weights of its own spec, which no override changes",
            help=["leave out --set and --input"],
        ).located(None)
    run, own = opened(folder)
    arrays = restored(run, own, notes)
    graph = own.graph().pruned("eval")
    wanted = {f"{node.owner}.{weight.name}" for node in graph.nodes for weight in node.weights}
    try:
        preparation = preparation_of(run, own)
    except DataError as error:
        raise error.located(None) from None
    channels = graph.output_type(graph.main_output).channels
    classes = class_names_of(folder, channels) if run.classes else []
    return Subject(own, graph, _on_host({name: arrays[name] for name in wanted}), classes, preparation, folder)


def subject_of_spec(spec: Spec, *, seed: int = 0, notes: list[str]) -> Subject:
    """The network of a spec with weights drawn from `seed`, which is told in `notes`. Raises `SpecError`."""
    graph = spec.graph().pruned("eval")
    notes.append(f"the weights are drawn anew from seed {seed}: {graph.name} is a spec, not a run")
    _, params, statistics = split(build(graph, seed=seed))
    return Subject(spec, graph, _on_host({**params, **statistics}), (), Preparation())


def subject_of_result(spec: Spec, graph: Graph, arrays: Mapping[str, jax.Array], classes: Sequence[str]) -> Subject:
    """The network of a run that is ending, as it has its graph and arrays."""
    seen = graph.pruned("eval")
    wanted = {f"{node.owner}.{weight.name}" for node in seen.nodes for weight in node.weights}
    return Subject(spec, seen, _on_host({name: arrays[name] for name in wanted}), classes, Preparation())


def _on_host(arrays: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
    return {name: np.asarray(jax.device_get(value)) for name, value in arrays.items()}
