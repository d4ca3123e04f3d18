"""Generated PyTorch source, run in PyTorch, against the compiled network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from archspec.exporting.source import torch as target
from archspec.graph import Graph
from archspec.layers import Example, Layer
from tests.exporting.kinds import CASES, drawn, given, graph_of, inputs_of

pytestmark = pytest.mark.slow


def network_of(graph: Graph, arrays: Mapping[str, np.ndarray]) -> Any:
    """The module that the source code of a network makes, with its arrays by name."""
    torch = pytest.importorskip("torch")
    first = target.channels_first(graph)
    tree = target.tree_of(graph, first=first)
    text = target.assembled(['"""A network."""'], [], target.definitions(tree))
    names: dict[str, Any] = {}
    exec(compile(text, "network.py", "exec"), names)
    network = names[tree.network.name]()
    state = target.state_dict(graph, tree, arrays, first=first)
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
    return network.eval()


def answered(network: Any, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """What a module gives for inputs, in this package's order of axes."""
    torch = pytest.importorskip("torch")
    arrays = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1))) for array in inputs.values()]
    with torch.no_grad():
        outputs = network(*arrays)
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(np.moveaxis(value.numpy(), 1, -1) for value in several)


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_kinds_give_the_same_numbers(kind: type[Layer], example: Example) -> None:
    rng = np.random.default_rng(1)
    graph = graph_of(kind, example)
    arrays, inputs = drawn(graph, rng), inputs_of(graph, rng)
    (found,) = answered(network_of(graph, arrays), inputs)
    (wanted,) = given(graph, arrays, inputs).values()
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
