"""Generated Keras source, run by Keras on JAX, against the compiled network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.exporting.source import keras as target
from archspec.graph import Graph
from archspec.layers import Example, Layer
from tests.exporting.kinds import CASES, drawn, given, graph_of, inputs_of

os.environ.setdefault("KERAS_BACKEND", "jax")


def model_of(graph: Graph, arrays: Mapping[str, np.ndarray]) -> Any:
    """The model that the source code of a network makes, with its arrays by the paths of its variables."""
    pytest.importorskip("keras").utils.clear_session()
    tree = target.tree_of(graph)
    text = target.assembled(['"""A network."""'], [], target.definitions(tree))
    names: dict[str, Any] = {}
    exec(compile(text, "network.py", "exec"), names)
    model = names[tree.network.name]()
    known = target.variables(graph, tree, arrays)
    assert sorted(weight.path for weight in model.weights) == sorted(known)
    for weight in model.weights:
        assert tuple(weight.shape) == known[weight.path].shape, weight.path
        weight.assign(known[weight.path])
    return model


def answered(model: Any, graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    taken = dict(inputs) if len(inputs) > 1 else next(iter(inputs.values()))
    found = model(taken, training=False)
    several = found if isinstance(found, dict) else {graph.outputs[0].name: found}
    return {name: np.asarray(value) for name, value in several.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "example"), CASES)
def test_kinds_give_the_same_numbers(kind: type[Layer], example: Example) -> None:
    rng = np.random.default_rng(1)
    graph = graph_of(kind, example)
    arrays, inputs = drawn(graph, rng), inputs_of(graph, rng)
    (found,) = answered(model_of(graph, arrays), graph, inputs).values()
    (wanted,) = given(graph, arrays, inputs).values()
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
