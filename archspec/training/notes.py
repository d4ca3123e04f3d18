"""What a run leaves out, fills up or never sees, in words and with counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from archspec.augmentations import Augmentation, Mixing
from archspec.data import Data, Split, Values, pieces
from archspec.diagnostics import DataError, count, listed
from archspec.graph import Graph
from archspec.images.numbers import normalised
from archspec.lowerings.choosing import Lowerings
from archspec.output import say
from archspec.sharding.rows import rows_of
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput
from archspec.spec.train import Precision, Train
from archspec.spec.training import Limits, active_norms, limits_of
from archspec.tasks import Head
from archspec.training.feeding import batch_of, parts_of

NAMED = 8
"""Classes that are named before the rest is only counted."""
LEAST_BEGINNING = 0.01
"""Share of the first weights in a moving average from which a note says so."""


def check_labels(name: str, split: Split, part: str) -> None:
    """Raises `DataError` where not one label of a part counts, so that there is nothing to learn from or to measure."""
    if not any(counting(part).any() for target in split.targets.values() for part in pieces(target)):
        floating = all(target.dtype.kind == "f" for target in split.targets.values())
        raise DataError(
            "E507",
            f"no label of {name} {part} counts: all are {'NaN' if floating else 'below 0'}",
            help=["a mask's `ignore` value, and the border of `input.fit`, have no label"],
        )


def counting(target: np.ndarray) -> np.ndarray:
    """Which numbers of a target count: those of 0 or more, and floating-point ones that are numbers."""
    found: np.ndarray = ~np.isnan(target) if target.dtype.kind == "f" else target >= 0
    return found


def of_data(data: Data, graph: Graph, heads: Sequence[Head], inputs: Mapping[str, Input]) -> list[str]:
    """Images without a label that counts, classes that a loss passes over, targets that an output cannot reach.

    What the data have no samples of, they say themselves.
    """
    notes = []
    for name, trained in data.train.targets.items():
        if trained.dtype.kind == "f" or (trained.ndim < 3 and name not in data.positions):
            continue
        what = "image" if trained.ndim > 2 else "signal"
        for part, split in data.parts.items():
            own = split.targets[name]
            blank = sum(int((~(part >= 0).any(tuple(range(1, part.ndim)))).sum()) for part in pieces(own))
            if blank:
                notes.append(f"{blank:,} of the {count(len(split), what)} {data.said(part)} have no label that counts")
    for head in heads:
        notes.extend(note for note in _of_head(data, graph, head, inputs) if note not in notes)
    return notes


def _of_head(data: Data, graph: Graph, head: Head, inputs: Mapping[str, Input]) -> Iterator[str]:
    output = next(output for output in graph.outputs if output.name == head.name)
    numbers = head.task.form == "numbers" and head.loss.link is None
    limits = limits_of(graph, output, one_sided=True) if numbers else None
    if head.remakes:
        if limits is not None:
            name = str(head.target)
            yield from _beyond(limits, _as_given(data.train.inputs[name], inputs[name], limits), name, head, graph)
        return
    name = head.target_among(data.train.targets)
    target, classes = data.train.targets[name], data.classes.get(name, ())
    for term, _ in head.loss.terms:
        factors = getattr(term, "class_weights", None)
        if isinstance(factors, tuple) and classes and target.dtype.kind != "f":
            counts = class_counts(target, len(classes))
            passed = [
                own for own, number, factor in zip(classes, counts, factors, strict=True) if number and not factor
            ]
            if passed:
                yield f"{_of(passed, len(classes))} the weight 0 in the loss: {listed(passed, NAMED)}"
    if limits is not None:
        yield from _beyond(limits, (part[counting(part)] for part in pieces(target)), name, head, graph)


def _as_given(array: Values, input: Input, limits: Limits) -> Iterator[np.ndarray]:
    """An input's numbers as the network is given them, piece by piece; none where its range lies within the limits."""
    if isinstance(input, ImageInput):
        ends = np.multiply.outer(np.asarray(input.range, np.float32), np.ones((1, 1, input.channels), np.float32))
        ends = np.asarray(normalised(jnp.asarray(ends), input))
        if limits.low <= ends.min() and ends.max() <= limits.high:
            return
    for part in pieces(array, 256):
        yield np.asarray(normalised(jnp.asarray(part), input))


def _beyond(limits: Limits, parts: Iterable[np.ndarray], name: str, head: Head, graph: Graph) -> Iterator[str]:
    """A note where numbers to be told lie where an output cannot be."""
    beyond, total = 0, 0
    for part in parts:
        beyond += int(((part < limits.low) | (part > limits.high)).sum())
        total += part.size
    if beyond:
        where = f"below {limits.low:g}" if limits.high == np.inf else f"outside {limits.low:g} to {limits.high:g}"
        where = f"above {limits.high:g}" if limits.low == -np.inf else where
        yield (
            f"{beyond:,} of the {total:,} numbers of `{name}` lie {where}, to which "
            f"{graph.nodes[limits.layer].path} bounds output `{head.name}`: it cannot reach them"
        )


def of_augment(recipe: Train, data: Data, heads: Sequence[Head]) -> list[str]:
    """What is other in training where samples are mixed; and numbers that stay as they are where augmentation moves or
    turns their images, in data whose meaning only their owner knows: positions, angles and directions would be wrong.
    """
    chain = recipe.augment or ()
    if not chain or not any(array.ndim == 4 for array in data.train.inputs.values()):
        return []
    notes = []
    mixing = [f"`{kind.kind}`" for kind in chain if isinstance(kind, Mixing)]
    if mixing:
        notes.append(
            f"{listed(mixing)} {'mixes' if len(mixing) == 1 else 'mix'} training samples: training's loss is that of "
            "shares, and its accuracy counts the class with the larger share as right"
        )
    if getattr(recipe.dataset, "path", None) is None:
        return notes
    moving = [kind for kind in chain if kind.ways]
    own = [head for head in heads if head.task.answer == "numbers" and not head.remakes]
    names = dict.fromkeys(head.target_among(data.train.targets) for head in own if not head.type.is_map)
    if moving and names:
        notes.append(
            f"`augment` {ways_said(moving)} images, and {listed(f'`{name}`' for name in names)} "
            f"{'stays as it is' if len(names) == 1 else 'stay as they are'}: right for what does not depend on where "
            "things lie, and wrong for positions, angles and directions"
        )
    return notes


def ways_said(chain: Sequence[Augmentation]) -> str:
    """What augmentations do to where things lie, in words: moves and mirrors."""
    *most, last = dict.fromkeys(way for kind in chain for way in kind.ways)
    return f"{', '.join(most)} and {last}" if most else last


def of_batches(recipe: Train, graph: Graph, samples: int) -> list[str]:
    """A batch that is larger than the data; what fills up an epoch's last; batch normalisation over one value."""
    notes = []
    batch = batch_of(recipe, samples)
    if recipe.samples > samples:
        notes.append(
            f"batch_size is {recipe.samples:,}, but there {'is' if samples == 1 else 'are'} "
            f"{count(samples, 'sample')} to train on: a step has "
            + ("all of them" if batch == samples else f"{batch:,}, which {_dividing(recipe)} divide")
        )
    norms = active_norms(recipe, graph)
    parts = recipe.micro_batches
    if parts > 1 and norms:
        notes.append(
            f"batch normalisation sees micro-batches of {batch // parts:,}, not the whole batch of {batch:,}, and "
            "takes each into its statistics"
        )
    missing = -samples % batch
    if missing and norms:
        notes.append(
            f"{count(samples, 'sample')} in steps of {batch:,}: an epoch's last step trains on {batch - missing:,}, "
            f"and {missing:,} that {'was' if missing == 1 else 'were'} trained on already "
            f"{'fills' if missing == 1 else 'fill'} it up, for batch normalisation's statistics alone"
        )
    alone = parts_of(recipe) if recipe.mesh is not None and recipe.mesh.per_device else 1
    single = [path for path, values in norms.items() if batch // (parts * alone) * values == 1]
    if single and recipe.samples > 1:  # otherwise the spec's own warning says so
        notes.append(
            f"batch normalisation over one value, which makes it 0, in {listed(single, NAMED)}: "
            f"a {'step' if parts == 1 else 'micro-batch'} has one sample" + " on each device" * (alone > 1)
        )
    return notes


def of_rows(recipe: Train, graph: Graph) -> list[str]:
    """Which layers every device of `spatial` computes whole."""
    if recipe.mesh is None or recipe.mesh.spatial == 1:
        return []
    return [f"spatial={recipe.mesh.spatial}: {rows_of(graph, recipe.mesh.mesh).said}"]


def _dividing(recipe: Train) -> str:
    """What divides a batch, in words."""
    devices = parts_of(recipe)
    own = [f"{devices:,} devices"] * (devices > 1) + [f"{recipe.micro_batches} `micro_batches`"] * (
        devices == 1 or recipe.micro_batches > 1
    )
    return " of ".join(own)


def of_average(recipe: Train, samples: int) -> list[str]:
    """That a moving average is still made of the weights that the run began with, to decayˢᵗᵉᵖˢ."""
    if recipe.ema is None or recipe.ema.warmup:
        return []
    steps = recipe.epochs * -(-samples // batch_of(recipe, samples))
    share: float = recipe.ema.decay**steps
    if share < LEAST_BEGINNING:
        return []
    return [
        f"`ema` {recipe.ema.decay:g} over {count(steps, 'step')}: {100 * share:.2g} % of the average, which is "
        "measured and kept, are the weights that the run begins with; a smaller decay, or `warmup: true`, forgets them"
    ]


def of_precision(precision: Precision, lowerings: Lowerings, *, evaluation: bool = False) -> list[str]:
    """That evaluation's figures are of 16 bits, and what these gain here as operations are computed."""
    if precision == "float32":
        return []
    said = [f"computed in {precision}: what comes out is not what float32 gives"] if evaluation else []
    onednn = lowerings.device is not None and lowerings.device.onednn
    if jax.default_backend() == "cpu" and precision == "bfloat16" and onednn:
        words = "only where the processor multiplies it (AMX)" + ("" if evaluation else ", and gradients are not")
        said.append(f"bfloat16 on a CPU: faster than float32 {words}")
    elif jax.default_backend() == "cpu":
        said.append(
            f"{precision} on a CPU: XLA computes most of it by way of float32, more slowly than in float32 itself"
        )
    return said


def class_counts(labels: Values, classes: int) -> np.ndarray:
    """How many labels each class has; those below 0 are no class's."""
    counts = np.zeros(classes, np.int64)
    for part in pieces(labels):
        counts += np.bincount(part[part >= 0], minlength=classes)[:classes]
    return counts


def _of(names: Sequence[str], classes: int) -> str:
    return f"{len(names):,} of the {classes:,} classes {'has' if len(names) == 1 else 'have'}"


def say_notes(notes: Sequence[str], shown: bool) -> None:
    """Prints notes."""
    for note in notes if shown else ():
        say(f"note: {note}")
