"""The compiled functions of a network that has its weights, and the batches that they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, Findings
from archspec.graph import Graph
from archspec.images.fitting import Plan
from archspec.images.numbers import given, normalised_inputs
from archspec.inference.given import Samples
from archspec.inference.shown import Shown
from archspec.lower import Arrays, Pure, narrowing, type_of
from archspec.lowerings.choosing import Lowerings
from archspec.lowerings.compiling import jit
from archspec.passes import DEFAULT, groups_of
from archspec.spec.inputs import Input
from archspec.spec.train import Precision
from archspec.training.objective import named_outputs

BATCH = 16
"""Samples that are computed at once, at most."""

Batch = dict[str, np.ndarray]
Function = Callable[[Arrays, Arrays, Batch], Any]
"""A compiled function of parameters, statistics and a batch, whose results have an entry for each sample."""


class Computed(NamedTuple):
    """What a function gives for one sample, the sample's place, and how its image came to the input's size."""

    place: int
    values: Any
    plan: Plan | None


class Forward:
    """The functions of a network; each is compiled when it is first called with a batch of a size."""

    def __init__(
        self,
        graph: Graph,
        pure: Pure,
        inputs: Mapping[str, Input],
        shown: Shown,
        others: Mapping[str, Shown],
        lowerings: Lowerings,
        passes: Sequence[str] = DEFAULT,
        precision: Precision = "float32",
    ) -> None:
        main, seen = graph.main_output.name, graph.pruned("eval")
        groups, kind = groups_of(seen, passes), type_of(precision)
        compiled = partial(jit, lowerings=lowerings, precision=kind)

        def outputs_of(params: Arrays, statistics: Arrays, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
            x = given(normalised_inputs(batch, inputs))
            outputs, _ = pure.apply(
                params,
                statistics,
                x,
                train=False,
                precision=kind,
                groups=groups,
                lowerings=lowerings,
                folded=True,
            )
            return named_outputs(outputs, main)

        @compiled
        def whole(params: Arrays, statistics: Arrays, batch: Mapping[str, jax.Array]) -> Any:
            outputs = outputs_of(params, statistics, batch)
            return outputs, shown.linked(outputs[main])

        @compiled
        def answer(
            params: Arrays, statistics: Arrays, batch: Mapping[str, jax.Array]
        ) -> tuple[jax.Array, dict[str, jax.Array], jax.Array]:
            outputs = outputs_of(params, statistics, batch)
            fine = [jnp.isfinite(own).all(tuple(range(1, own.ndim))) for own in outputs.values()]

            def of(name: str, own: Shown) -> jax.Array:
                return outputs[name].argmax(-1) if own.answer == "mask" else own.linked(outputs[name])

            return of(main, shown), {name: of(name, own) for name, own in others.items()}, jnp.stack(fine, 1).all(1)

        fold = pure.folding(groups, narrowing(graph, kind))
        self.whole: Function = _Folding(whole, fold)
        """Every output as the network gives it, and what is shown of the main one."""
        self.answer: Function = _Folding(answer, fold)
        """What is shown of the main output, and by their names of others; of a map of classes the most probable of each
        pixel alone. And whether all outputs are finite."""
        self.prepare = jax.jit(lambda batch: normalised_inputs(batch, inputs))
        """A batch as the network takes it, by its inputs' names."""
        self._pure, self._inputs, self._paths = pure, inputs, [node.path for node in seen.nodes]
        self._lowerings = lowerings
        self._activations: dict[tuple[str, ...], Function] = {}

    def activations(self, paths: Sequence[str]) -> Function:
        """The outputs of the nodes at these paths, in evaluation and float32."""
        chosen = tuple(paths)
        if chosen not in self._activations:
            numbers = {self._paths.index(path): path for path in chosen}

            @partial(jit, lowerings=self._lowerings)
            def function(params: Arrays, statistics: Arrays, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
                network = self._pure.merge(params, statistics)
                values = network.trace(
                    given(normalised_inputs(batch, self._inputs)), train=False, lowerings=self._lowerings
                )
                return {numbers[index]: value for index, value in values if index in numbers}

            self._activations[chosen] = function
        return self._activations[chosen]


class _Folding:
    """A compiled function that is given folded arrays; they are folded anew only where other dicts of arrays come."""

    def __init__(self, function: Function, fold: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]]) -> None:
        self.function = function
        self.fold = fold
        self.last: tuple[Arrays, Arrays] | None = None
        self.folded: tuple[Arrays, Arrays] = ({}, {})

    def __call__(self, params: Arrays, statistics: Arrays, batch: Batch) -> Any:
        if self.last is None or self.last[0] is not params or self.last[1] is not statistics:
            self.last, self.folded = (params, statistics), self.fold(params, statistics)
        return self.function(*self.folded, batch)


def computed(
    function: Function,
    params: Arrays,
    statistics: Arrays,
    samples: Mapping[str, Samples],
    findings: Findings,
    batch_size: int = BATCH,
) -> Iterator[Computed]:
    """What a function gives for each sample that can be read, batch by batch, so that no more than one is held.

    What cannot be read is added to the findings. The last batch is filled up, and small numbers of samples are up to
    the next power of two, so that few sizes are ever compiled.
    """
    total = len(next(iter(samples.values())))
    readable = _read(samples, total, findings)
    size = min(batch_size, 1 << (total - 1).bit_length())
    while batch := list(islice(readable, size)):
        filled = [arrays for _, arrays, _ in batch] + [batch[-1][1]] * (size - len(batch))
        stacked = {name: np.stack([arrays[name] for arrays in filled]) for name in samples}
        values = jax.tree.map(np.asarray, function(params, statistics, stacked))
        for row, (place, _, way) in enumerate(batch):
            yield Computed(place, jax.tree.map(lambda value, row=row: value[row], values), way)


def _read(
    samples: Mapping[str, Samples], total: int, findings: Findings
) -> Iterator[tuple[int, dict[str, np.ndarray], Plan | None]]:
    for place in range(total):
        arrays, ways = {}, []
        try:
            for name, own in samples.items():
                array, way = own.reads[place]()
                arrays[name] = array
                ways.append(way)
        except DataError as error:
            findings.error(error.code, error.message, notes=error.notes, help=error.help)
            continue
        yield place, arrays, next((way for way in ways if way is not None), None)


def copied(arrays: Arrays) -> Arrays:
    """Arrays of their own, which can be given up to a function that uses them up."""
    return {name: jnp.array(value, copy=True) for name, value in arrays.items()}
