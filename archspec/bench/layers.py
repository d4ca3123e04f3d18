"""Each layer by itself: its forward pass and its gradients as compiled functions of its real inputs' shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.bench.clock import block, quartiles
from archspec.bench.programs import drawn, weights
from archspec.calling.calls import Way, options_of
from archspec.figures.cost import trained
from archspec.graph import Graph, Node, is_input
from archspec.lower import outline, type_of
from archspec.lowerings.choosing import Lowerings
from archspec.lowerings.compiling import jit
from archspec.types import TensorType

BLOCKS = 5
LEAST = 0.02
"""Seconds of a block."""


class Alone(NamedTuple):
    """A layer's times in seconds: of the forward pass, and what the gradients take beyond it; with how many it shares
    the measurement, since they are alike."""

    forward: float
    backward: float
    alike: int = 1


def alone(graph: Graph, batch: int, lowerings: Lowerings, precision: str, said: Callable[[str], None]) -> list[Alone]:
    """The times of every node of a graph that is pruned to a mode, in its order. Alike layers are measured once.

    Gradients are of a layer's arrays and of those inputs below which something is trained.
    """
    pure, *shapes = outline(graph)
    arrays = weights(*shapes)
    network = pure.merge(*({name: arrays[name] for name in part} for part in shapes))
    way = network.way(graph.mode == "train", jax.random.key(0), frozenset(), type_of(precision), lowerings)
    asked = trained(graph)
    keys: list[Any] = []
    for index, (node, step) in enumerate(zip(graph.nodes, way.program.steps, strict=True)):
        wanted = tuple(not is_input(source) and any(asked[source]) for source, indices in step.inputs if not indices)
        keys.append((repr(node.layer), tuple(map(str, node.input_types)), node.ports, wanted, any(asked[index])))
    found: dict[Any, Alone] = {}
    for index, node in enumerate(graph.nodes):
        if keys[index] not in found:
            said(node.path)
            found[keys[index]] = _timed(node, index, way, batch, keys[index])
    return [found[key]._replace(alike=keys.count(key)) for key in keys]


def _timed(node: Node, index: int, way: Way, batch: int, key: Any) -> Alone:
    step, module, lowerings = way.program.steps[index], way.module(index), way.lowerings
    options = options_of(step, way)
    precision = None if step.full_precision else way.precision
    kind = jnp.float32 if precision is None else precision
    compiled = partial(jit, lowerings=lowerings, precision=precision)
    kinds = [own for own, port in zip(node.input_types, node.ports, strict=True) if port != "shape"]
    given = [_input(own, indices, batch, kind) for own, (_, indices) in zip(kinds, step.inputs, strict=True)]
    split: Any = nnx.split(module, nnx.Param, ...)
    definition, params, rest = split
    params = jax.tree.map(lambda value: value.astype(kind), params)

    def forward(params: Any, rest: Any, given: list[Any]) -> Any:
        made = nnx.merge(definition, params, rest, copy=True)(*given, **options)
        return made[0] if step.gives_indices else made

    seconds = _seconds(compiled(forward), params, rest, given)
    wanted, needed = key[-2:]
    if not way.train or not needed:
        return Alone(seconds, 0.0)
    places = [place for place, (_, indices) in enumerate(step.inputs) if not indices]
    below = [place for place, own in zip(places, wanted, strict=True) if own]

    def both(params: Any, rest: Any, given: list[Any], gradient: Any) -> Any:
        def of(params: Any, chosen: list[Any]) -> Any:
            whole = list(given)
            for place, value in zip(below, chosen, strict=True):
                whole[place] = value
            return forward(params, rest, whole)

        made, back = jax.vjp(of, params, [given[place] for place in below])
        return made, back(gradient)

    like = jax.eval_shape(forward, params, rest, given)
    gradient = drawn("", like) if like.ndim > 1 else jnp.ones_like(like)
    whole = _seconds(compiled(both), params, rest, given, gradient)
    return Alone(seconds, max(whole - seconds, 0.0))


def _input(kind: TensorType, indices: bool, batch: int, precision: Any) -> jax.Array:
    """An input of a layer; indices are of windows' first taps."""
    if indices:
        return jnp.zeros((batch, *kind.shape), kind.dtype)
    return drawn("", jax.ShapeDtypeStruct((batch, *kind.shape), jnp.dtype(precision)))


def _seconds(function: Any, *given: Any) -> float:
    """The first quartile of a call's time: what else the machine does only ever adds to it."""
    compiled = function.lower(*given).compile()
    first = [block(lambda: compiled(*given), 1)[0] for _ in range(2)][1]
    count = max(1, min(100, round(LEAST / max(first, 1e-9))))
    return quartiles([block(lambda: compiled(*given), count)[0] for _ in range(BLOCKS)])[0]
