"""The weights that training begins with, where they are not drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, listed
from archspec.graph import Graph
from archspec.lower import Arrays
from archspec.patterns import path_matches
from archspec.spec.train import InitFrom
from archspec.weights.files import TensorFile, open_tensors
from archspec.weights.folder import tables
from archspec.weights.matching import Match, match

if TYPE_CHECKING:
    from archspec.loading import Spec


def initial_weights(begin: InitFrom, spec: Spec, graph: Graph) -> Arrays:
    """The arrays that `init_from` gives, by name; what it excludes is not among them.

    Raises `DataError` unless every other array has its tensor and every tensor its array.
    """
    path = Path(begin.path)
    if path.is_dir():
        found = match(graph, tables(spec), _of_folder(path))
    else:
        with open_tensors(path) as tensors:
            found = match(graph, tables(spec), tensors)
    left = _excluded(begin, found, graph)
    if not left.full:
        concerned = [name.rpartition(".")[0] for name in (*left.missing, *left.misshaped, *left.unexpected)]
        raise DataError(
            "E537",
            f"{path} is no full match for {graph.name}",
            notes=left.lists(),
            help=[f"exclude: [{', '.join(dict.fromkeys(concerned[:6]))}] leaves them out"],
        )
    return {name: jnp.asarray(value) for name, value in left.arrays.items()}


def _of_folder(path: Path) -> TensorFile:
    from archspec.training.inference import opened, restored

    run, spec = opened(path)
    arrays = {name: np.asarray(value) for name, value in restored(run, spec).items()}
    return TensorFile(path, arrays, {name: value.shape for name, value in arrays.items()})


def _excluded(begin: InitFrom, found: Match, graph: Graph) -> Match:
    layers = [node.path for node in graph.nodes if node.weights]
    chosen: list[str] = []
    tensors: list[str] = []
    for pattern in begin.exclude:
        here = [path for path in layers if path_matches(pattern, path)]
        there = [name for name in found.unexpected if path_matches(pattern, name)]
        if not here and not there:
            raise DataError(
                "E515",
                f"`exclude: {pattern[:100]}` names no layer of {graph.name} with weights, and no tensor that it lacks",
                help=[f"layers: {listed(layers)}"],
            )
        chosen.extend(here)
        tensors.extend(there)
    return found.without(chosen, tensors)
