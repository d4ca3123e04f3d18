"""The operations of a network whose lowering is chosen, found by tracing it with shapes alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from archspec.graph import Graph, is_input
from archspec.lower import narrowed, outline
from archspec.lowerings.case import DIRECTIONS, Case, Direction
from archspec.lowerings.choosing import Choice, Lowerings
from archspec.xla import Mode


class Operation(NamedTuple):
    """An operation of a network: the path of the layer that it is of, and the directions that the mode computes."""

    path: str
    case: Case
    directions: tuple[Direction, ...]


class _Noting(Lowerings):
    """Remembers each case that it is asked for."""

    def __init__(self) -> None:
        super().__init__(None)
        self.asked: list[Case] = []

    def of(self, case: Case) -> Choice:
        self.asked.append(case)
        return super().of(case)


def operations(
    graph: Graph, mode: Mode, batch: int, precision: str = "float32", frozen: Collection[str] = ()
) -> list[Operation]:
    """The operations of a mode's program, in order, for batches of a size. Nothing is compiled.

    In training there are all three directions, but for the gradient by an input of the network, which nobody asks for,
    and by arrays that are `frozen`. With a 16-bit precision arrays are of that type, as a training step has them, but
    for those of layers that compute in float32.
    """
    own = graph.pruned(mode)
    pure, *arrays = outline(graph)
    noting = _Noting()
    found: list[Operation] = []
    train, narrow = mode == "train", None if precision == "float32" else jnp.dtype(precision)

    def traced(params: Any, statistics: Any, x: Any, key: Any) -> int:
        if narrow is not None:
            params = narrowed(graph, params, narrow)
        network = pure.merge(params, statistics)
        for index, _ in network.trace(x, key, train=train, precision=narrow, lowerings=noting):
            node = own.nodes[index]
            directions = DIRECTIONS if train else ("forward",)
            if all(map(is_input, node.inputs)):
                directions = tuple(item for item in directions if item != "input")
            if node.owner in frozen:
                directions = tuple(item for item in directions if item != "kernel")
            found.extend(Operation(node.path, case, directions) for case in noting.asked)
            noting.asked.clear()
        return 0

    make: Any = jax.ShapeDtypeStruct
    x = {item.name: make((batch, *item.type.shape), jnp.float32) for item in graph.inputs}
    jax.eval_shape(traced, *arrays, x, jax.random.key(0))
    return found
