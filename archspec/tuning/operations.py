"""The operations of a network whose lowering is chosen, found by tracing it with shapes alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from archspec.calling.groups import run
from archspec.graph import Graph, is_input
from archspec.lower import narrowing, outline, type_of
from archspec.lowerings.candidates import directions
from archspec.lowerings.case import Case, Direction
from archspec.lowerings.choosing import Choice, Lowerings
from archspec.passes import DEFAULT, groups_of
from archspec.xla import Mode


class Operation(NamedTuple):
    """An operation of a network: the path of the layer that it is of, or the paths of those that it computes together
    with `+` between them, and the directions that the mode computes."""

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
    graph: Graph,
    mode: Mode,
    batch: int,
    precision: str = "float32",
    frozen: Collection[str] = (),
    passes: Collection[str] = DEFAULT,
) -> list[Operation]:
    """The operations of a mode's program, in order, for batches of a size. Nothing is compiled.

    Convolutions that `passes` join are the one operation that is computed of them.

    In training there are all three directions, but for the gradient by an input of the network, which nobody asks for,
    and by arrays that are `frozen`. With a 16-bit precision arrays are of that type, as a training step has them, but
    for those of layers that compute in float32.
    """
    own = graph.pruned(mode)
    pure, *arrays = outline(graph)
    noting = _Noting()
    found: list[Operation] = []
    train, kind = mode == "train", type_of(precision)
    narrow = narrowing(graph, kind)
    groups = groups_of(own, passes)
    begins = {group.first: group for group in groups}

    def traced(params: Any, statistics: Any, x: Any, key: Any) -> int:
        network = pure.merge(params if narrow is None else narrow(params), statistics)
        way, values = network.way(train, key, frozenset(), kind, noting, True), network.given(x)
        for index in range(len(own.nodes)):
            run((index,), groups, values, way)
            if not noting.asked:
                continue
            group = begins.get(index)
            nodes = [own.nodes[member] for member in (group.members if group else (index,))]
            computing = [node for node in nodes if node.layer.uses_lowerings]
            unasked: set[Direction] = set() if train else {"input", "kernel"}
            if all(map(is_input, nodes[0].inputs)):
                unasked.add("input")
            if all(node.owner in frozen for node in computing):
                unasked.add("kernel")
            paths = [node.path for node in computing]
            # A loop may have hundreds, whose rounds are traced as one.
            path = " + ".join(paths) if group is None or group.rounds == 1 else f"{paths[0]} … {paths[-1]}"
            for case in noting.asked:
                wanted = tuple(item for item in directions(case.operation) if item not in unasked)
                found.append(Operation(path, case, wanted))
            noting.asked.clear()
        return 0

    make: Any = jax.ShapeDtypeStruct
    x = {item.name: make((batch, *item.type.shape), jnp.float32) for item in graph.inputs}
    jax.eval_shape(traced, *arrays, x, jax.random.key(0))
    return found
