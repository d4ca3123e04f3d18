"""Both of two runs are asked about the same samples, batch by batch: where their answers differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.comparing.flips import KINDS, Flip, Flips, Kind, mcnemar
from archspec.data import Data, Reading, Split, loaded
from archspec.diagnostics import DataError, SpecError
from archspec.graph import Graph
from archspec.images.numbers import given, normalised_inputs
from archspec.inference.evaluating import by_class_names
from archspec.inference.memory import less_of
from archspec.inference.shown import Shown, shown_by
from archspec.loading import Spec
from archspec.lower import Arrays, outline
from archspec.lowerings.choosing import of_mode
from archspec.lowerings.compiling import jit
from archspec.metrics import labels_of, truths_of
from archspec.runs.folder import RunFolder
from archspec.runs.reading import check_weights, class_names_of, layout_of, parted, preparation_of, restored
from archspec.tasks import Head
from archspec.training.boundary import in_words
from archspec.training.checks import check_data, counted, fitted, fitted_heads, matched
from archspec.training.digest import DATA
from archspec.training.evaluation import batch_size_of
from archspec.training.objective import named_outputs
from archspec.training.reading import read_once
from archspec.training.steps import computed

Part = Literal["train", "validation", "test"]


class _Run(NamedTuple):
    """A run that is asked: its network, how its main output is shown, and the data as it takes them."""

    folder: RunFolder
    spec: Spec
    graph: Graph
    head: Head
    shown: Shown
    split: Split
    ask: Any
    """A compiled function of inputs and targets."""
    names: Sequence[str]


def flips(before: RunFolder, after: RunFolder, specs: tuple[Spec, Spec], part: Part | None = None) -> Flips:
    """Where the answers of two runs differ, on a part of the first run's data: test, or what is held out, if left out.

    The samples are read once, by the first run's recipe; each network is given them at its own size and in its own
    numbers. Raises `SpecError` where the two do not answer the same question, or their data cannot be read.
    """
    try:
        with in_words(less_of(specs[0].graph())):
            return _flips(before, after, specs, part)
    except DataError as error:
        raise error.located(None) from None


def _flips(before: RunFolder, after: RunFolder, specs: tuple[Spec, Spec], part: Part | None) -> Flips:
    notes: list[str] = []
    for folder in (before, after):
        check_weights(folder)
    data = _data(before, specs[0])
    own: Part = part or ("validation" if data.test is None else "test")
    if own not in data.parts:
        raise DataError(
            "E505",
            f"{data.name} has no test part beside the one held out",
            help=["`--predictions validation` is that one"],
        )
    one = _prepared(before, specs[0], data, own, notes)
    other = _prepared(after, specs[1], data, own, notes)
    _check(one, other)
    if (seen := _seen(before, after, specs, data, own, notes)) is not None:
        notes.append(seen)
    if preparation_of(before, specs[0]) != preparation_of(after, specs[1]):
        notes.append(f"images are prepared as in {before.path}; those of {after.path} were prepared otherwise")
    return _compared(one, other, data, own, notes)


def _data(folder: RunFolder, spec: Spec) -> Data:
    """The data of a run's recipe, before they are brought to a network's size."""
    if spec.train is None:
        what = f"{folder.path} holds imported weights without a `train:` section, so there are no data to ask about"
        raise DataError("E504", what, help=["give a run that was trained first"])
    dataset = spec.train.dataset.like(layout_of(folder))
    once = partial(read_once, spec=spec, dataset=dataset, progress=False)
    reading = Reading(spec.train.stream, spec.train.workers)
    try:
        return loaded(dataset, spec.train.validation, spec.train.seed, once, reading)
    except DataError as error:
        raise spec.data_error(error) from None


def _prepared(folder: RunFolder, spec: Spec, data: Data, part: Part, notes: list[str]) -> _Run:
    """A run with the part as it takes it. Raises `SpecError`, and `DataError` for a task without classes."""
    graph = spec.graph()
    own = matched(by_class_names(counted(data, graph, spec), folder.classes, spec), spec, graph)
    check_data(own, spec, graph)
    own = own.map(lambda split: fitted(split, spec.inputs))
    heads = fitted_heads(spec, own)
    main = graph.main_output.name
    head = next(head for head in heads if head.name == main)
    shown = shown_by(head, graph)
    if shown.answer not in ("classes", "labels", "mask"):
        raise DataError(
            "E113",
            f"the main output of {folder.path} gives numbers, which do not flip",
            help=["answers are compared of classes, labels and masks; figures of all runs without --predictions"],
        )
    arrays = restored(folder, spec, notes)
    pure, *shapes = outline(graph)
    params, statistics = parted(arrays, shapes)
    lowerings = of_mode(spec.train.lowerings if spec.train is not None else "auto")

    @partial(jit, lowerings=lowerings)
    def answers(
        params: Arrays, statistics: Arrays, inputs: Mapping[str, jax.Array], targets: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        x, y = normalised_inputs(inputs, spec.inputs), computed(dict(targets))
        made, _ = pure.apply(params, statistics, given(x), train=False, lowerings=lowerings)
        output, target = named_outputs(made, main)[main], head.chosen(x, y)
        rated = shown.linked(output).astype(jnp.float32)
        if shown.answer == "labels":
            there, counts = truths_of(output, target)
            return {"truth": there, "counts": counts, "guess": rated > shown.threshold}
        label, guess = labels_of(output, target), output.argmax(-1)
        sure = jnp.take_along_axis(rated, guess[..., None], -1)[..., 0]
        return {"truth": label, "counts": label >= 0, "guess": guess, "sure": sure}

    names = class_names_of(folder.path, graph.output_type(graph.main_output).channels)
    return _Run(folder, spec, graph, head, shown, own.parts[part], partial(answers, params, statistics), names)


def _check(one: _Run, other: _Run) -> None:
    """Raises `DataError` where two runs do not answer the same question."""
    if one.shown.answer != other.shown.answer:
        what = f"{one.folder.path} is of {one.head.task.kind}, {other.folder.path} of {other.head.task.kind}"
        raise DataError("E113", f"the runs do not answer the same question: {what}")
    if one.shown.answer != "classes" and one.head.type.shape != other.head.type.shape:
        shapes = f"{one.head.type} and {other.head.type}"
        raise DataError("E113", f"the runs' outputs are of other shapes, {shapes}, so no place of one is the other's")
    if one.shown.answer == "labels" and list(one.names) != list(other.names):
        raise DataError("E113", "the runs' labels have other names, or stand in another order")


def _seen(
    before: RunFolder, after: RunFolder, specs: tuple[Spec, Spec], data: Data, part: Part, notes: list[str]
) -> str | None:
    """How many of the samples the second run was trained on, in words; None where it is none."""
    if part == "train":
        return "these are samples that the first run was trained on"
    known = [folder.about.get(DATA) for folder in (before, after)]
    if isinstance(known[0], str) and known[0] == known[1]:
        return None
    try:
        theirs = _data(after, specs[1]).train
    except (DataError, SpecError) as error:
        reason = error.message if isinstance(error, DataError) else error.diagnostics[0].message
        return f"whether the second run was trained on some of these samples is not known: {reason}"
    trained = set(theirs.digests)
    number = sum(digest in trained for digest in data.parts[part].digests)
    if not number:
        return None
    return f"the second run was trained on {number:,} of these samples"


def _batch(split: Split, start: int, size: int) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Samples from a number on, filled up to a batch by the first of them."""
    indices = np.arange(start, start + size)
    indices[indices >= len(split)] = start
    return (
        {name: jnp.asarray(np.asarray(values[indices])) for name, values in split.inputs.items()},
        {name: jnp.asarray(np.asarray(values[indices])) for name, values in split.targets.items()},
    )


def _compared(one: _Run, other: _Run, data: Data, part: Part, notes: list[str]) -> Flips:
    answer, names = one.shown.answer, list(one.names)
    # The second run's classes in the first run's numbers; those that it alone has come behind.
    if answer != "labels":
        names += [name for name in other.names if name not in names]
    place = np.array([names.index(name) if name in names else 0 for name in other.names])
    samples = len(one.split)
    size = min(batch_size_of(one.graph, samples), batch_size_of(other.graph, samples))
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[Any, Any, Any]] = Counter()
    found: list[Flip] = []
    for start in range(0, samples, size):
        number = min(size, samples - start)
        own, theirs = (
            {name: np.asarray(value)[:number] for name, value in run.ask(*_batch(run.split, start, size)).items()}
            for run in (one, other)
        )
        truth, counted_, first = own["truth"], own["counts"], own["guess"]
        second = theirs["guess"] if answer == "labels" else place[theirs["guess"]]
        if answer == "labels":
            axes = tuple(range(1, truth.ndim))
            right = [((guess == truth) | ~counted_).all(axes) for guess in (first, second)]
            differs = ((first != second) & counted_).any(axes)
            counted_ = counted_.any(axes)
        else:
            right = [guess == truth for guess in (first, second)]
            differs = first != second
        lost, won = counted_ & right[0] & ~right[1], counted_ & ~right[0] & right[1]
        otherwise = counted_ & ~right[0] & ~right[1] & differs
        masks = dict(zip(KINDS, (lost, won, otherwise), strict=True))
        counts.update({kind: int(mask.sum()) for kind, mask in masks.items()})
        counts["right"] += int((counted_ & right[0] & right[1]).sum())
        counts["wrong"] += int((counted_ & ~right[0] & ~right[1] & ~differs).sum())
        flipped = lost | won | otherwise
        if answer == "mask":
            codes = np.stack([values[flipped] for values in (truth, first, second)], -1)
            kinds, often = np.unique(codes, axis=0, return_counts=True) if len(codes) else (codes, ())
            for (label, given_one, given_other), times in zip(kinds.tolist(), often, strict=True):
                pairs[label, given_one, given_other] += int(times)
            for index in np.flatnonzero(flipped.reshape(number, -1).any(1)).tolist():
                found.append(_of_map(index, start, one, truth, first, second, masks, names))
            continue
        for index in np.flatnonzero(flipped).tolist():
            kind = next(kind for kind, mask in masks.items() if mask[index])
            label, one_said, other_said = (
                _said(values[index], answer, names, own["counts"][index]) for values in (truth, first, second)
            )
            pairs[label, one_said, other_said] += 1
            sure: tuple[float | None, float | None] = (None, None)
            if answer == "classes" and one.shown.likely and other.shown.likely:
                sure = float(own["sure"][index]), float(theirs["sure"][index])
            found.append(Flip(one.split.name(start + index), kind, label, one_said, other_said, sure))
    if answer == "mask":
        pairs = Counter({tuple(names[code] for code in key): times for key, times in pairs.items()})
    if answer == "labels":
        notes.append("a sample is right where all its labels are")
    order = {kind: number for number, kind in enumerate(KINDS)}
    found.sort(key=lambda flip: (order[flip.kind], -flip.places, -(flip.sure[1] or 0.0)))
    kept = {name: counts[name] for name in ("right", "wrong", *KINDS)}
    return Flips(
        part=data.whose(part),
        data=data.name,
        what="places" if answer == "mask" else "samples",
        samples=samples,
        counts=kept,
        pairs=[(*key, times) for key, times in pairs.most_common()],
        flips=found,
        chance=None if answer == "mask" else mcnemar(kept["right → wrong"], kept["wrong → right"]),
        notes=list(dict.fromkeys([*data.notes, *notes])),
    )


def _of_map(
    index: int,
    start: int,
    run: _Run,
    truth: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    masks: Mapping[Kind, np.ndarray],
    names: Sequence[str],
) -> Flip:
    """The flips of one map: how many, of which kind the most are, and the most frequent of these."""
    numbers = {kind: int(mask[index].sum()) for kind, mask in masks.items()}
    kind = max(numbers, key=lambda name: numbers[name])
    where = masks[kind][index]
    codes = np.stack([values[index][where] for values in (truth, first, second)], -1)
    rows, often = np.unique(codes, axis=0, return_counts=True)
    own, one, other = (names[int(code)] for code in rows[often.argmax()])
    return Flip(run.split.name(start + index), kind, own, one, other, places=sum(numbers.values()))


def _said(value: Any, answer: str, names: Sequence[str], counts: np.ndarray) -> str:
    """A class, or several labels, by name."""
    if answer == "classes":
        return names[int(value)]
    there = np.asarray(value) & counts
    there = there.reshape(-1, there.shape[-1]).any(0)
    return ", ".join(name for name, has in zip(names, there, strict=True) if has) or "none"
