"""Units: what they see, the patches of the data that excite them, what they look for, and effective fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from archspec.diagnostics import SpecError, count
from archspec.explaining.asking import UnitAsked, layers_of, unit_of
from archspec.explaining.explanation import Explanation, Patch, Sample, Unit, Visualised
from archspec.explaining.question import BUDGET, Question
from archspec.figures.receptive_field import seen_by, with_places
from archspec.graph import INPUT as FIRST
from archspec.graph import Node
from archspec.inference.evaluating import Measured, part_of
from archspec.inspecting.effective_field import Field, effective_fields
from archspec.inspecting.target import of_unit
from archspec.inspecting.units import exciting
from archspec.inspecting.visualising import Search, visualised

if TYPE_CHECKING:
    from archspec.data import Split

PATCHES = 9
LOOKED = 2000
"""Samples of the data that are looked through for patches, at most."""
FIELD_SAMPLES = 16
UNITS, PATCH_PIXELS = 48, 1_000_000
"""Units that a page has patches of, about, and pixels in the patches of a layer."""


@dataclass
class DataPart:
    """The part of a run's data that patches and fields come from, read when it is first wanted."""

    question: Question

    @cached_property
    def measured(self) -> Measured | None:
        """None where there is no such part, which is noted."""
        spec = self.question.run.spec
        if spec.train is None:
            self.question.notes.append("no patches: imported weights have no dataset of their own")
            return None
        try:
            return part_of(self.question.run._run, spec, [], self.question.notes, self.question.asked.part)
        except SpecError as error:
            if self.question.asked.part is not None:
                raise
            self.question.notes.append(f"no patches: {error.diagnostics[0].message}")
            return None


def units_of(question: Question, data: DataPart, samples: Sequence[Sample], methods: Sequence[str]) -> list[Unit]:
    """Those that were asked for, or one that says most, with patches and an image where `methods` have these."""
    texts = question.asked.units
    asked = [(unit_of(question.graph, text), "as asked for") for text in texts] or [_usual_unit(question, samples)]
    units = [_unit(question, item, why) for item, why in asked]
    if "unit" in methods:
        _add_patches(question, data, units)
    if "visualisation" in methods:
        for unit in units:
            unit.visualised = _visualised(question, unit)
    return units


def _usual_unit(question: Question, samples: Sequence[Sample]) -> tuple[UnitAsked, str]:
    """The unit that is chosen where none is named, and why."""
    first = samples[0]
    if first.cam is not None:
        why = f"the channel of {first.cam.path} that speaks most for {first.explained.name}"
        return UnitAsked(first.cam.path, first.cam.strongest, None), why
    node = question.graph.nodes[question.scores.node]
    return UnitAsked(node.path, first.explained.number, None), "the output itself"


def more_units(question: Question, data: DataPart, made: Explanation) -> list[Unit]:
    """Units of the layers that move kernels, the channels that answer most for the first sample, with patches."""
    measured = data.measured
    sliding = [node for node in question.graph.nodes if node.layer.family == "convolution" and node.output.spatial]
    if measured is None or not sliding:
        return []
    few = min(LOOKED, len(measured.split))
    dear = max(1, BUDGET // (question.macs * few))
    known = {(unit.path, unit.channel) for unit in made.units}
    chosen = sliding[:dear]
    each = max(2, UNITS // len(chosen))
    units = []
    for node in chosen:
        held = made.samples[0].activations.get(node.path)
        size = node.receptive_field.size[0] * node.receptive_field.size[1]
        many = int(min(each, node.output.channels, max(2, PATCH_PIXELS // (PATCHES * size))))
        largest = np.arange(node.output.channels) if held is None else -held.max(tuple(range(held.ndim - 1)))
        for channel in sorted(int(own) for own in np.argsort(largest, kind="stable")[:many]):
            if (node.path, channel) not in known:
                units.append(_unit(question, UnitAsked(node.path, channel, None), "among those that answer most"))
    _add_patches(question, data, units)
    whole = sum(node.output.channels for node in sliding)
    if len(units) + len(known) < whole:
        question.notes.append(
            f"on the page, patches are of {count(len(units) + len(made.units), 'unit')}; --unit has any"
        )
    return units


def _unit(question: Question, item: UnitAsked, why: str) -> Unit:
    index = question.subject.paths.index(item.path)
    node = question.graph.nodes[index]
    at = item.position if item.position is not None else tuple(size // 2 for size in node.output.spatial)
    seen = seen_by(question.graph, index, at).get(_place(question))
    return Unit(item.path, item.channel, item.position, why, seen, at)


def _place(question: Question) -> int:
    """The number that nodes know the explained input by."""
    return FIRST - list(question.sections).index(question.input)


def _add_patches(question: Question, data: DataPart, units: Sequence[Unit]) -> None:
    measured = data.measured
    if measured is None:
        return
    split = measured.split
    numbers = _taken(split, min(LOOKED, max(64, BUDGET // question.macs)))
    where = measured.data.whose(measured.part)
    if len(numbers) < len(split):
        question.notes.append(f"patches are of {len(numbers):,} of the {len(split):,} {where} samples, evenly taken")
    for path in dict.fromkeys(unit.path for unit in units):
        own = [unit for unit in units if unit.path == path]
        found = exciting(
            question.subject, _batches(question, split, numbers), path, [unit.channel for unit in own], PATCHES
        )
        for unit in own:
            unit.patches = tuple(_patch(question, split, unit, item) for item in found[unit.channel])
            unit.looked, unit.part = len(numbers), where
            if unit.position is None and unit.patches and unit.patches[0].seen is not None:
                unit.seen, unit.at = unit.patches[0].seen, unit.patches[0].position


def _patch(question: Question, split: Split, unit: Unit, item: Any) -> Patch:
    index = question.subject.paths.index(unit.path)
    seen = seen_by(question.graph, index, item.position).get(_place(question))
    pixels = None
    if seen is not None and question.takes != "vector":
        own = np.asarray(split.inputs[question.input][np.array([item.sample])])[0]
        own = question.in_bytes(own) if question.image is not None else own
        pixels = own[tuple(slice(*ends) for ends in zip(seen.first, seen.end, strict=True))]
    return Patch(item.sample, split.name(item.sample), item.value, item.position, seen, pixels)


def _taken(split: Split, most: int) -> np.ndarray:
    """Numbers of at most so many samples, evenly over a part."""
    return np.unique(np.linspace(0, len(split) - 1, min(most, len(split))).round().astype(np.int64))


def _batches(question: Question, split: Split, numbers: np.ndarray) -> Iterator[tuple[list[int], dict[str, jax.Array]]]:
    size = int(max(1, min(64, len(numbers), 2**27 // (4 * max(node.output.size for node in question.graph.nodes)))))
    for start in range(0, len(numbers), size):
        own = numbers[start : start + size]
        filled = np.concatenate([own, np.full(size - len(own), own[-1])])
        raw = {name: np.asarray(values[filled]) for name, values in split.inputs.items()}
        yield [int(number) for number in own], question.prepared(raw)


def _visualised(question: Question, unit: Unit) -> Visualised:
    assert question.image is not None
    target = of_unit(question.graph, unit.path, unit.channel, unit.position)
    search = Search(jitter=max(1, min(question.image.height, question.image.width) // 16))
    made = visualised(question.subject, question.image, target, search, question.asked.seed)
    if made.after <= made.before:
        question.notes.append(f"visualisation: {search.steps} steps found nothing that excites {unit.name} more")
    said = (
        f"{search.steps} steps of Adam at {search.rate:g}, jitter {search.jitter}, roughness {search.roughness:g}, "
        f"seed {question.asked.seed}; of {target.said}"
    )
    return Visualised(np.rint(made.pixels * 255).astype(np.uint8), made.before, made.after, said)


def fields_of(
    question: Question, data: DataPart, raw: Sequence[dict[str, np.ndarray]], units: Sequence[Unit]
) -> dict[str, Field]:
    """Effective fields by path: of every layer with places, where these are few; else of those that are looked at
    elsewhere. They are means over samples of the data, or over `raw`, those that are explained, where there is none."""
    placed = [
        node
        for node, fields in with_places(question.graph)
        if _place(question) in fields or len(question.sections) == 1
    ]
    if _place(question) != FIRST:
        question.notes.append("no effective_field: it is of the first input, which is not the one that is explained")
        return {}
    paths = [node.path for node in placed if not node.output.is_vector]
    own = _samples_for_fields(question, data, raw)
    each = 3 * question.macs * len(next(iter(own.values())))
    many = max(1, BUDGET // each)
    if len(paths) > many:
        asked = [*layers_of(question.graph, question.asked.layers), *(unit.path for unit in units)]
        first = [path for path in dict.fromkeys([*asked, *_spread(placed, many)]) if path in paths]
        question.notes.append(
            f"effective receptive fields are of {min(many, len(first))} of the {len(paths)} layers with places; "
            "--layer names others"
        )
        paths = [path for path in paths if path in first[:many]]
    return {found.path: found for found in effective_fields(question.subject, own, paths)}


def _spread(placed: Sequence[Node], many: int) -> list[str]:
    """The last layer at each resolution, the latest first."""
    last = {node.output.spatial: node.path for node in placed}
    return [*reversed(last.values())][:many]


def _samples_for_fields(
    question: Question, data: DataPart, raw: Sequence[dict[str, np.ndarray]]
) -> dict[str, jax.Array]:
    measured = data.measured if question.run.spec.train is not None else None
    if measured is None:
        stacked = {name: np.stack([own[name] for own in raw[:FIELD_SAMPLES]]) for name in raw[0]}
        question.notes.append(f"effective receptive fields are of {count(len(raw[:FIELD_SAMPLES]), 'sample')} given")
        return question.prepared(stacked)
    numbers = _taken(measured.split, FIELD_SAMPLES)
    own = {name: np.asarray(values[numbers]) for name, values in measured.split.inputs.items()}
    return question.prepared(own)
