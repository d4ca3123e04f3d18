"""A network as it is looked into: values of its nodes, and the gradients of what one asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from archspec.graph import Graph
from archspec.lower import Arrays, Inputs, Pure
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.lowerings.compiling import jit

RECTIFIER = "relu"
"""The kind behind which guided backpropagation stands, as in Captum; others bend instead of cutting off."""


class Pulled(NamedTuple):
    """Values of nodes by their paths, and gradients of what was asked of them.

    `inputs` are the gradients by the network's inputs, which are as `Run.preprocess` gives them, `nodes` those by what
    nodes give. All have the batch first, and no sample depends on another.
    """

    values: dict[str, jax.Array]
    inputs: dict[str, jax.Array]
    nodes: dict[str, jax.Array]


class Subject:
    """A network in evaluation, computed by the library in float32 at full precision.

    Candidates that are faster round otherwise: Winograd's leaves a rest outside of the receptive field.
    What is asked for is data of a program, so that classes, units and samples are compiled once.
    """

    def __init__(self, graph: Graph, pure: Pure, params: Arrays, statistics: Arrays) -> None:
        self.graph = graph.pruned("eval")
        self.paths = [node.path for node in self.graph.nodes]
        self._pure, self.arrays = pure, (params, statistics)
        self._programs: dict[Any, Any] = {}

    def values(self, x: Inputs, paths: Sequence[str]) -> dict[str, jax.Array]:
        """What nodes give for samples, by their paths."""
        key = ("values", tuple(paths))
        if key not in self._programs:
            self._programs[key] = compiled(lambda arrays, x: self.forward(arrays, x, key[1]))
        values: dict[str, jax.Array] = self._programs[key](self.arrays, self._named(x))
        return values

    def pulled(
        self, x: Inputs, asked: Mapping[str, jax.Array], *, at: Sequence[str] = (), guided: bool = False
    ) -> Pulled:
        """The gradients of Σ asked·value over the nodes that are `asked` for, by their paths.

        What is asked for has the batch first, or an axis of 1 there. `at` are nodes by whose values gradients are given
        too. With `guided`, rectifiers let through what is positive alone: R_l = 1[f_l > 0]·1[R_{l+1} > 0]·R_{l+1}
        (Springenberg et al. 2015, "Striving for simplicity", section 3.4).
        """
        key = ("pulled", tuple(asked), tuple(at), guided)
        if key not in self._programs:
            self._programs[key] = compiled(lambda *given: self._pulled(*given, at=key[2], guided=guided))
        pulled: Pulled = self._programs[key](self.arrays, self._named(x), dict(asked))
        return pulled

    def _pulled(
        self,
        arrays: tuple[Arrays, Arrays],
        x: dict[str, jax.Array],
        asked: dict[str, jax.Array],
        *,
        at: Sequence[str],
        guided: bool,
    ) -> Pulled:
        batch = len(next(iter(x.values())))
        shapes = {node.path: node.output.shape for node in self.graph.nodes}
        # The gradient by zeros that are added to what a node gives is the one by what it gives.
        zeros = {path: jnp.zeros((batch, *shapes[path])) for path in at}

        def forward(x: dict[str, jax.Array], added: dict[str, jax.Array]) -> dict[str, jax.Array]:
            through: dict[str, Any] = {path: (lambda value, own=own: value + own) for path, own in added.items()}
            if guided:
                for node in self.graph.nodes:
                    if node.kind == RECTIFIER:
                        own = through.get(node.path, lambda value: value)
                        through[node.path] = lambda value, own=own: _positive_backward(own(value))
            return self.forward(arrays, x, tuple(asked), through)

        values, back = jax.vjp(forward, x, zeros)
        wanted = {
            path: jnp.broadcast_to(own, values[path].shape).astype(values[path].dtype) for path, own in asked.items()
        }
        inputs, nodes = back(wanted)
        return Pulled(values, inputs, nodes)

    def forward(
        self,
        arrays: tuple[Arrays, Arrays],
        x: dict[str, jax.Array],
        paths: Sequence[str],
        through: Mapping[str, Any] = {},
    ) -> dict[str, jax.Array]:
        """What nodes give, within a program that is given `arrays`. Nodes after the last that is wanted are not
        computed; what a node gives goes `through` the function that stands there by its path."""
        network = self._pure.merge(*arrays)
        found: dict[str, jax.Array] = {}
        for index, value in network.trace(x, train=False, lowerings=BY_LIBRARY, through=through):
            if self.paths[index] in paths:
                found[self.paths[index]] = value
            if len(found) == len(set(paths)):
                break
        return found

    def _named(self, x: Inputs) -> dict[str, jax.Array]:
        return dict(x) if isinstance(x, Mapping) else {self.graph.inputs[0].name: x}


def compiled(function: Any) -> Any:
    def exact(*given: Any) -> Any:
        with jax.default_matmul_precision("highest"):
            return function(*given)

    return jit(exact, BY_LIBRARY)


@jax.custom_vjp
def _positive_backward(value: jax.Array) -> jax.Array:
    """The value itself, whose gradient is cut off below 0."""
    return value


def _kept_nothing(value: jax.Array) -> tuple[jax.Array, None]:
    return value, None


def _cut_off(_: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (jnp.maximum(gradient, 0),)


_positive_backward.defvjp(_kept_nothing, _cut_off)
