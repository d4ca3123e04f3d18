"""Everything that an explanation shows, asked of a run for images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, Findings, name_at
from archspec.explaining.answering import answers_of, target_of
from archspec.explaining.asking import EPSILON, Asked, layers_of, methods_of, unit_of
from archspec.explaining.attacking import add_attacks
from archspec.explaining.attributing import add_activations, add_cam, attributions_of, say_bends
from archspec.explaining.choosing import cost_of, methods_for
from archspec.explaining.explanation import Explanation, Sample
from archspec.explaining.question import BUDGET, Question, question_of
from archspec.explaining.units import DataPart, fields_of, more_units, units_of
from archspec.images.files import Images
from archspec.images.fitting import Cut, Plan, Scaled, own_part
from archspec.images.numbers import reordered
from archspec.inference.forward import BATCH, computed
from archspec.inference.given import Reading, Samples
from archspec.inference.memory import less_of
from archspec.inference.predictions import shares_of
from archspec.inference.run import Run, scaled
from archspec.inference.samples import samples_of
from archspec.inspecting import attributions
from archspec.inspecting.filters import Filters, first_filters
from archspec.training.boundary import in_words

SPEAKING = ("saliency", "smoothgrad", "integrated_gradients", "guided_backprop", "gradcam", "occlusion")
"""Methods that say what speaks for a class."""
CLASSES, UNLIKELY = 10, 0.01
"""Other classes that a page has, at most, and the probability from which on one is likely."""


def explain(
    run: Run | str | Path,
    images: Any,
    *,
    methods: str | Sequence[str] | None = None,
    layer: str | Sequence[str] = (),
    unit: str | Sequence[str] = (),
    number: str | int | None = None,
    pixel: Sequence[int] | None = None,
    output: str | None = None,
    part: Any = None,
    epsilon: float | None = None,
    seed: int = 0,
    invert: bool = False,
    page: bool = False,
) -> Explanation:
    """What a network makes of images: attributions, maps, units, adversarial images; see `METHODS` for what there is.

    `images` are given as `Run.predict` takes them. `methods` are those that fit a sensible time unless some are named.
    `layer` is for Grad-CAM and activations, `unit` is PATH:CHANNEL or PATH:CHANNEL@ROW,COLUMN, `number` the class
    (name or number) that is explained in place of the one that is predicted, or the number of a regression; `pixel` a
    place of a map of classes, in the image as the network sees it; `output` one of several. `part` is the part of the
    run's data that patches come from, `epsilon` the size of attacks as a share of the range of pixels. Noise and random
    starts come from `seed`. With `page` there is more, for `html`: maps of all layers, patches of more units, and what
    speaks for other classes. A notebook shows the result as pictures; `write` puts these into a folder.

    Raises `SpecError` for files and options that cannot be used, `TypeError` and `ValueError` for what is no image.
    """
    own = run if isinstance(run, Run) else Run(Path(run))
    asked = Asked(
        None if methods is None else _several(methods),
        _several(layer),
        _several(unit),
        number,
        None if pixel is None else tuple(pixel),
        output,
        part,
        EPSILON if epsilon is None else epsilon,
        seed,
        page,
    )
    reading = own._reading(invert)
    findings = Findings()
    try:
        samples = samples_of(images, own.spec.inputs, reading)
        made = gathered(own, samples, reading, asked, findings)
    except DataError as error:
        raise error.located(None) from None
    findings.raise_if_failed()
    assert made is not None
    return made


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def gathered(
    run: Run, samples: Mapping[str, Samples], reading: Reading, asked: Asked, findings: Findings
) -> Explanation | None:
    """An explanation of samples; of those that cannot be read there are findings. None where no sample is left.

    Raises `DataError` for names that there are not, and `SpecError`.
    """
    with in_words(less_of(run.graph)):
        asked = _checked(run, asked)
        rows = list(computed(lambda params, statistics, batch: batch, {}, {}, samples, findings))
        if not rows:
            return None
        names = [next(iter(samples.values())).names[row.place] for row in rows]
        reading.notes.extend([*Images([], reading.seen).reasons(), *scaled(rows, run.spec)])
        question = question_of(run, asked, reading.notes)
        raw, plans = [row.values for row in rows], [row.plan for row in rows]
        return _Gathering(question, methods_for(question), names, raw, plans).all()


def _checked(run: Run, asked: Asked) -> Asked:
    """What is asked for with methods by their own names. Raises `DataError` for what the network does not have."""
    graph = run.graph.pruned("eval")
    layers_of(graph, asked.layers)
    for text in asked.units:
        unit_of(graph, text)
    if not 0 < asked.epsilon <= 1:
        raise DataError("E113", f"ε is a share of the range of pixels, above 0 up to 1, and not {asked.epsilon:g}")
    return asked if asked.methods is None else asked._replace(methods=methods_of(asked.methods))


@dataclass
class _Gathering:
    """The samples of a question, and the methods by which they are explained."""

    question: Question
    methods: tuple[str, ...]
    names: list[str]
    raw: list[dict[str, np.ndarray]]
    plans: list[Plan | None]

    def __post_init__(self) -> None:
        self.data = DataPart(self.question)

    def all(self) -> Explanation:
        made = self._made()
        if self.question.asked.page:
            if "unit" in self.methods and not self.question.asked.units:
                made.more_units = tuple(more_units(self.question, self.data, made))
            made.others = tuple(self._others(made))
            made.notes = tuple(dict.fromkeys(self.question.notes))
        return made

    def _filters(self) -> Filters | None:
        """The first layer's filters, those of colours with red first."""
        found = first_filters(self.question.graph, self.question.arrays)
        section = self.question.sections[self.question.input]
        if found is None or found.kernels.shape[-1] != section.type.channels:
            return found
        return found._replace(kernels=reordered(found.kernels, section))

    def _made(self) -> Explanation:
        question = self.question
        done = [sample for chunk in self._chunks() for sample in self._samples(*chunk)]
        if "guided_backprop" in self.methods:
            say_bends(question)
        units = (
            units_of(question, self.data, done, self.methods) if {"unit", "visualisation"} & set(self.methods) else ()
        )
        fields = fields_of(question, self.data, self.raw, units) if "effective_field" in self.methods else {}
        filters = self._filters() if "filters" in self.methods else None
        return Explanation(
            name=question.run.name,
            folder=question.run.folder,
            input=question.input,
            takes=question.takes,
            samples=tuple(done),
            layers={node.path: node.output.shape for node in question.graph.nodes},
            filters=filters,
            units=tuple(units),
            fields=fields,
            notes=tuple(dict.fromkeys(question.notes)),
            methods=self.methods,
            run=question.run,
            shown=tuple(layers_of(question.graph, question.asked.layers)),
        )

    def _chunks(self) -> Iterator[tuple[list[str], list[dict[str, np.ndarray]], list[Plan | None]]]:
        for start in range(0, len(self.raw), BATCH):
            part = slice(start, start + BATCH)
            yield self.names[part], self.raw[part], self.plans[part]

    def _samples(self, names: list[str], raw: list[dict[str, np.ndarray]], plans: list[Plan | None]) -> list[Sample]:
        question = self.question
        stacked = {name: np.stack([own[name] for own in raw]) for name in raw[0]}
        x = {name: jnp.asarray(own) for name, own in question.prepared(stacked).items()}
        answers = answers_of(question, stacked)
        target, explained = target_of(question, answers, x)
        samples = []
        for place, name in enumerate(names):
            pixels = None if question.image is None else question.in_bytes(raw[place][question.input])
            way = plans[place]
            part = None if way is None or question.image is None else own_part(way)
            fitted = "" if way is None else _fitted(way)
            samples.append(Sample(name, raw[place], pixels, fitted, part, answers[place], explained[place]))
        for method in self.methods:
            for place, own in enumerate(attributions_of(question, method, x, target)):
                samples[place].attributions[method] = own
        if "gradcam" in self.methods:
            add_cam(question, x, target, samples)
        if "activations" in self.methods:
            add_activations(question, x, samples, len(self.raw))
        for method in ("fgsm", "pgd"):
            if method in self.methods:
                add_attacks(question, method, stacked, x, samples)
        return samples

    def _others(self, made: Explanation) -> Iterator[Explanation]:
        """The samples with other classes explained: of a map those that are predicted somewhere, else the likely ones.

        The largest come first, and as many as take no more than a bound of multiply–adds.
        """
        question = self.question
        methods = tuple(method for method in self.methods if method in SPEAKING)
        if question.asked.number is not None or question.shown.answer not in ("mask", "classes") or not methods:
            return
        weighed: dict[int, float] = {}
        for sample in made.samples:
            own = next(item for item in sample.answers if item.output == question.output.name)
            value = np.asarray(own.value)
            shares = value if own.mask is None else shares_of(own.mask, value.shape[-1])
            if shares.ndim != 1:
                return
            for number in np.argsort(-shares, kind="stable")[: CLASSES + 1]:
                if shares[number] > 0 and (own.mask is not None or shares[number] >= UNLIKELY):
                    weighed[int(number)] = weighed.get(int(number), 0.0) + float(shares[number])
        taken = [own.numbers.get("steps", 0) for sample in made.samples for own in sample.attributions.values()]
        if max(taken, default=0) > attributions.STEPS:
            methods = tuple(method for method in methods if method != "integrated_gradients")
            question.notes.append(
                f"on the page, integrated gradients are of one class: they take over {attributions.STEPS} steps here"
            )
        if not methods:
            return
        names = question.names(question.output.name)
        explained = {sample.explained.number for sample in made.samples}
        wanted = [number for number in sorted(weighed, key=lambda own: -weighed[own]) if {number} != explained]
        each = sum(cost_of(question, method) for method in methods) * len(made.samples)
        chosen = wanted[: min(CLASSES, BUDGET // max(each, 1))]
        if len(chosen) < len(wanted):
            question.notes.append(
                f"on the page, what speaks for {len(chosen)} of the {len(wanted)} other classes that are likely; "
                "--class has any"
            )
        for number in chosen:
            # By its name: a class may be called as another is numbered.
            named = name_at(names, number)
            other = question._replace(asked=question.asked._replace(number=named, pixel=None, page=False), notes=[])
            found = _Gathering(other, methods, self.names, self.raw, self.plans)._made()
            if all(sample.explained.number == number for sample in found.samples):  # not where two have one name
                yield found


def _fitted(way: Plan) -> str:
    """How an image came to the network's size, in words."""
    if not way.steps:
        return f"{way.size[0]}×{way.size[1]}, as it is"
    said = [f"{way.size[0]}×{way.size[1]}"]
    for step in way.steps:
        size = f"{step.size[0]}×{step.size[1]}"
        if isinstance(step, Scaled):
            said.append(f"scaled to {size}" if step.box is None else f"cut and scaled to {size}")
        elif isinstance(step, Cut):
            said.append(f"the middle {size} cut out")
        else:
            said.append(f"on a border of {size}")
    return ", ".join(said)
