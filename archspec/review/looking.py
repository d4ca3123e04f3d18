"""One pass over a part of the data: what every output says of each sample, and the few samples that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import uncounted
from archspec.images.numbers import given, normalised_inputs
from archspec.inference.shown import Shown, shown_by
from archspec.lower import narrowing
from archspec.lowerings.choosing import Lowerings
from archspec.lowerings.compiling import jit
from archspec.review._base import Collector, Example
from archspec.review.of_classes import OfClasses
from archspec.review.of_labels import OfLabels
from archspec.review.of_masks import OfMasks
from archspec.review.of_numbers import OfNumbers
from archspec.review.pictures import of_input
from archspec.training.evaluation import batch_size_of
from archspec.training.objective import named_outputs
from archspec.training.steps import computed, evaluated

if TYPE_CHECKING:
    from archspec.data import Split
    from archspec.graph import Graph
    from archspec.lower import Arrays, Pure
    from archspec.spec.inputs import Input
    from archspec.tasks import Head

OF: Mapping[str, type[Collector]] = {
    "classes": OfClasses,
    "labels": OfLabels,
    "mask": OfMasks,
    "numbers": OfNumbers,
    "image": OfNumbers,
}
"""Who takes in an output, by the way in which its answer is shown."""

OUTPUTS = 8
"""Outputs that the page shows, at most."""
INPUTS = 3
"""Inputs of a sample that have pictures."""


class Look(NamedTuple):
    """What the page shows of an output: its head, and pieces of HTML."""

    head: Head
    pieces: list[str]


def look(
    graph: Graph,
    pure: Pure,
    sections: Mapping[str, Input],
    heads: Sequence[Head],
    split: Split,
    params: Arrays,
    statistics: Arrays,
    names: Mapping[str, Sequence[str]],
    lowerings: Lowerings | None = None,
    kind: Any = None,
) -> list[Look]:
    """What outputs say of a part, the main one first. `names` are those of each output's classes or numbers, `kind` the
    16-bit type that the network computes with, where it does.

    The samples are gone through once, in batches; of each a few numbers stay. The few that are shown are read again.
    """
    main = graph.main_output.name
    own = sorted((head for head in evaluated(heads) if head.metrics), key=lambda head: head.name != main)[:OUTPUTS]
    narrow = narrowing(graph, kind)
    collectors = {head.name: _collector(head, shown_by(head, graph), names.get(head.name, ())) for head in own}

    @partial(jit, lowerings=lowerings, precision=kind)
    def of_batch(
        params: Arrays, statistics: Arrays, inputs: Mapping[str, jax.Array], targets: Mapping[str, jax.Array]
    ) -> dict[str, dict[str, Any]]:
        x, y = normalised_inputs(inputs, sections), computed(dict(targets))
        params = params if narrow is None else narrow(params)
        made, _ = pure.apply(params, statistics, given(x), train=False, precision=kind, lowerings=lowerings)
        outputs = named_outputs(made, main)
        return {
            name: collector.of_batch(outputs[name], collector.head.chosen(x, y))
            for name, collector in collectors.items()
        }

    size = batch_size_of(graph, len(split))

    def at(indices: np.ndarray) -> dict[str, dict[str, Any]]:
        values: dict[str, dict[str, Any]] = of_batch(params, statistics, *_batch(split, indices, size))
        return values

    for start in range(0, len(split), size):
        indices = np.arange(start, min(start + size, len(split)))
        for name, values in at(indices).items():
            samples, sums = jax.device_get((values["samples"], values["sums"]))
            collectors[name].add(samples, len(indices))
            collectors[name].add_sums(sums)
    chosen = np.unique([index for collector in collectors.values() for index in collector.chosen()]).astype(np.int64)
    examples: dict[str, dict[int, Example]] = {name: {} for name in collectors}
    for start in range(0, len(chosen), size):
        indices = chosen[start : start + size]
        wholes = {name: jax.device_get(values["whole"]) for name, values in at(indices).items()}
        pictures = _pictures(split, indices, sections)
        for name, collector in collectors.items():
            wanted = set(collector.chosen())
            for place, index in enumerate(indices):
                if int(index) in wanted:
                    whole = {key: np.asarray(array[place]) for key, array in wholes[name].items()}
                    if collector.head.remakes:
                        whole |= _remade(whole, sections[str(collector.head.target)])
                    examples[name][int(index)] = Example(split.name(int(index)), pictures[place], whole)
    return [Look(collector.head, list(collector.sections(examples[name]))) for name, collector in collectors.items()]


def _remade(whole: Mapping[str, np.ndarray], input: Input) -> dict[str, np.ndarray]:
    """An image that was given and made again as pixels: the network's numbers have its order, mean and range."""
    from archspec.inference.presenting import as_images

    own = {key: whole[key] for key in ("given", "true") if whole[key].shape == input.type.shape}
    made = {key: as_images(array[None], input) for key, array in own.items()}
    return {key: array[0] for key, array in made.items() if array is not None}


def _collector(head: Head, shown: Shown, names: Sequence[str]) -> Collector:
    """The names of an output's classes or numbers are filled up with their numbers."""
    wanted = head.type.channels
    given = [*names][:wanted]
    if not given and wanted == 1 and shown.value_names:
        given = list(shown.value_names)
    return OF[shown.answer](head, shown, [*given, *map(str, range(len(given), wanted))])


def _batch(split: Split, indices: np.ndarray, size: int) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Samples by their numbers, filled up to a batch with what does not count."""

    def filled(array: Any, fill: float) -> jax.Array:
        own = np.asarray(array[indices])
        missing = size - len(own)
        if missing:
            own = np.concatenate([own, np.full((missing, *own.shape[1:]), fill, own.dtype)])
        return jnp.asarray(own)

    return (
        {name: filled(array, 0) for name, array in split.inputs.items()},
        {name: filled(array, uncounted(array.dtype)) for name, array in split.targets.items()},
    )


def _pictures(split: Split, indices: np.ndarray, sections: Mapping[str, Input]) -> list[str]:
    """Each sample's inputs as pictures."""
    arrays = {name: np.asarray(array[indices]) for name, array in list(split.inputs.items())[:INPUTS]}
    spans = {name: getattr(sections[name], "range", None) for name in arrays}
    several = len(arrays) > 1
    return [
        "".join(
            of_input(array[place], spans[name], f"input {name}" if several else "input")
            for name, array in arrays.items()
        )
        for place in range(len(indices))
    ]
