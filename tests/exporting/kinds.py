"""Examples of kinds as networks, with arrays, and what they give here: what exports are held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.exporting.examples import alone, kinds, node_of
from archspec.graph import Graph, GraphInput, Node, Output
from archspec.layers import Example, Layer
from archspec.layers.max_pool import MaxPool
from archspec.lower import Pure, build, split
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.types import TensorType

CASES = [
    pytest.param(kind, example, id=f"{kind.kind}-{number}")
    for kind in kinds()
    for number, example in enumerate(kind.examples)
]


def graph_of(kind: type[Layer], example: Example) -> Graph:
    """A network of an example; of a max_unpool behind the max_pool that gives its indices."""
    node = node_of(kind, example)
    return _with_pooling(node) if kind.kind == "max_unpool" else alone(node)


def _with_pooling(node: Node) -> Graph:
    taps = node.input_types[1].taps
    assert taps is not None
    sides = [
        (before, max(0, (count - 1) * step + (size - 1) * spread + 1 - before - have))
        for have, count, size, step, before, spread in zip(
            taps.map, node.input_types[1].shape, taps.window, taps.stride, taps.before, taps.dilation, strict=False
        )
    ]
    pool = MaxPool(
        window=(taps.window * 2)[:2],
        stride=(taps.stride * 2)[:2],
        dilation=(taps.dilation * 2)[:2],
        pad=tuple(sides),
    )
    image = TensorType(taps.map)
    first = replace(node, path="pool1", layer=pool, inputs=(-1,), input_types=(image,), output=pool.infer(image))
    second = replace(node, inputs=(0, 0))
    return Graph("example", (GraphInput("in0", image),), (first, second), (Output("output", 1),), mode="eval")


def drawn(graph: Graph, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays of a network, none of them 0 or 1, which would hide mistakes; variances are above 0."""
    found = {}
    for node in graph.nodes:
        for weight in node.weights:
            array = rng.standard_normal(weight.shape) * (0.5 if len(weight.shape) < 2 else _scale(weight.shape))
            own = np.abs(array) + 0.5 if weight.name in ("var", "scale") else array
            found[f"{node.owner}.{weight.name}"] = own.astype(np.float32)
    return found


def _scale(shape: tuple[int, ...]) -> float:
    return float(np.sqrt(2 / np.prod(shape[:-1])))


def inputs_of(graph: Graph, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Two samples of each input."""
    return {item.name: rng.standard_normal((2, *item.type.shape)).astype(np.float32) for item in graph.inputs}


def given(graph: Graph, arrays: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the network gives here, by output, as the library computes it."""
    pure, *parts = split(build(graph))
    params, others = ({name: jnp.asarray(arrays[name]) for name in part} for part in parts)
    outputs, _ = jax.jit(_applied, static_argnums=0)(_Held(pure), params, others, dict(inputs))
    found = outputs if isinstance(outputs, dict) else {graph.outputs[0].name: outputs}
    return {output.name: np.asarray(found[output.name]) for output in graph.outputs}


class _Held:
    """A network's definition by its identity, as a static argument."""

    def __init__(self, pure: Pure) -> None:
        self.pure = pure


def _applied(held: _Held, params: object, others: object, inputs: object) -> object:
    return held.pure.apply(params, others, inputs, train=False, lowerings=BY_LIBRARY)  # type: ignore[arg-type]
