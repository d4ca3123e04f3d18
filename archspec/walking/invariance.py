"""Invariance: one image moved, turned and scaled step by step, and what a trained network says at each step.

An answer is invariant where f(Tx) = f(x); a map is covariant where f(Tx) = T′f(x), with T′ the same move in the map's
own positions (Lenc and Vedaldi 2015, "Understanding image representations by measuring their equivariance and
equivalence", section 3). Convolutions are covariant under shifts by their stride; answers made of them are invariant in
part only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, Findings, did_you_mean, listed
from archspec.figures.receptive_field import ReceptiveField, fields_of, with_places
from archspec.graph import Graph, Node, input_number
from archspec.images.fitting import Plan, own_part
from archspec.images.numbers import finished, mean_colour
from archspec.images.numbers import scaled as to_shares
from archspec.inference.evaluating import part_of
from archspec.inference.forward import BATCH, computed
from archspec.inference.given import Reading, Samples
from archspec.inference.memory import less_of
from archspec.inference.run import Run, scaled
from archspec.inference.samples import samples_of
from archspec.inspecting.subject import Subject
from archspec.inspecting.target import Scores, scores_of
from archspec.spec.network import ImageInput
from archspec.training.boundary import in_words
from archspec.walking.moving import matrix_of, moved, placed_back
from archspec.walking.ranges import KINDS, MOST_STEPS, Given, Kind, Range, range_of, steps_of
from archspec.walking.sweeps import ALIKE, Covariance, Invariance, Sweep


def invariance(
    run: Run | str | Path,
    image: Any = None,
    *,
    shift: Given = False,
    rotate: Given = False,
    scale: Given = False,
    layer: str | None = None,
    steps: int | None = None,
    invert: bool = False,
) -> Invariance:
    """What a trained network says of an image while it is shifted, turned and scaled; all three unless some are named.

    `image` is one image as `Run.predict` takes it; without one it is the first sample that the run is evaluated on.
    `shift` is `True` for a quarter of the image's side each way, or `"-8..8"`, a pair (low, high), or one number for
    both ways, in whole pixels to the right; `"vertical:-8..8"` is downwards, `"diagonal:-8..8"` both. `rotate` is in
    degrees counterclockwise, `scale` a factor, in logarithmic steps. `layer` is the layer whose covariance is measured
    under shifts, by default the first convolution. `steps` are the steps of each sweep.

    Pixels between others are interpolated linearly, smaller images averaged; what comes in at the border is the colour
    of the image's rim where that is one colour, else the input's mean colour. Scores are computed in float32 at full
    precision.
    A notebook shows the result as curves. Raises `SpecError` for files and options that cannot be used, `TypeError` and
    `ValueError` for what is no image.
    """
    own = run if isinstance(run, Run) else Run(Path(run))
    reading = own._reading(invert)
    findings = Findings()
    given: dict[Kind, Given] = {"shift": shift, "rotate": rotate, "scale": scale}
    try:
        asked = {kind: range_of(kind, value) for kind, value in given.items() if value is not False}
        samples = None if image is None else samples_of(image, own.spec.inputs, reading)
        made = swept(own, samples, reading, asked or {kind: Range() for kind in KINDS}, layer, steps, findings)
    except DataError as error:
        raise error.located(None) from None
    findings.raise_if_failed()
    assert made is not None
    return made


def swept(
    run: Run,
    samples: Mapping[str, Samples] | None,
    reading: Reading,
    asked: Mapping[Kind, Range],
    layer: str | None,
    steps: int | None,
    findings: Findings,
) -> Invariance | None:
    """The sweeps of one sample; None where it cannot be read, of which there is a finding.

    Raises `DataError` for what cannot be asked of this network, and `SpecError`.
    """
    if steps is not None and not 2 <= steps <= MOST_STEPS:
        raise DataError("E113", f"a sweep has 2 to {MOST_STEPS:,} steps, not {steps}")
    with in_words(less_of(run.graph)):
        sweeping = _Sweeping(run, dict(asked), layer, steps)
        if samples is None:
            sweeping.take_of_data()
        else:
            number = len(next(iter(samples.values())))
            if number != 1:
                raise DataError("E113", f"a sweep is of one image, not of {number}", help=["give one file"])
            rows = list(computed(lambda params, statistics, batch: batch, {}, {}, samples, findings))
            if not rows:
                return None
            sweeping.raw, sweeping.plan = rows[0].values, rows[0].plan
            sweeping.sample = _named(reading.names or next(iter(samples.values())).names)
            sweeping.notes.extend([*reading.notes, *reading_notes(reading), *scaled(rows, run.spec)])
        return sweeping.all()


def _named(names: Sequence[str]) -> str:
    name = names[0]
    return "the image" if name.isdigit() else name


def reading_notes(reading: Reading) -> list[str]:
    from archspec.images.files import Images

    return Images([], reading.seen).reasons()


@dataclass
class _Sweeping:
    run: Run
    asked: dict[Kind, Range]
    layer: str | None
    steps: int | None
    raw: dict[str, np.ndarray] = field(default_factory=dict)
    plan: Plan | None = None
    sample: str = ""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sections = self.run.spec.inputs
        images = [name for name, own in self.sections.items() if isinstance(own, ImageInput)]
        if not images:
            kinds = "a vector" if all(own.type.is_vector for own in self.sections.values()) else "a signal"
            raise DataError(
                "E113",
                f"{self.run.name} takes {kinds}, and no image: there is nothing to shift, rotate or scale",
                help=["`archspec explain` shows where the answers of such a network come from"],
            )
        self.input = images[0]
        if len(self.sections) > 1:
            others = [name for name in self.sections if name != self.input]
            self.notes.append(
                f"`{self.input}` moves, {listed(others)} {'stays' if len(others) == 1 else 'stay'} as given"
            )
        section = self.sections[self.input]
        assert isinstance(section, ImageInput)
        self.section = section
        self.size = (section.height, section.width)
        weights = self.run._weights
        self.subject = Subject(self.run.graph, weights.pure, weights.params, weights.statistics)
        self.graph: Graph = self.subject.graph
        self.notes.extend(weights.notes)
        self.output = self.graph.main_output
        if len(self.graph.outputs) > 1:
            names = [output.name for output in self.graph.outputs]
            self.notes.append(f"of the outputs {listed(names)}, `{self.output.name}` is shown")
        self.shown = self.run._shown
        self.scored: Scores = scores_of(self.graph, self.output)
        self.out = self.graph.nodes[self.output.node]
        answer = self.shown.answer
        spatial = self.out.output.spatial
        if answer in ("classes", "mask") and spatial and len(spatial) == 2:
            self.answers: Literal["classes", "labels", "numbers", "map"] = "map"
        elif answer in ("classes", "labels", "numbers") and not spatial:
            self.answers = "classes" if answer == "classes" else "labels" if answer == "labels" else "numbers"
        else:
            raise DataError(
                "E113",
                f"{self.run.name} answers with {'an image' if answer == 'image' else 'a map of numbers'}: a sweep has "
                "curves of classes, labels, numbers, or of the pixels that keep their class",
            )
        self.channels = self.out.output.channels
        self.place = input_number(list(self.sections).index(self.input))
        self.ranges = {kind: steps_of(kind, own, self.size, self.steps, self.notes) for kind, own in self.asked.items()}
        self.covariant = self._layer() if "shift" in self.asked else None

    def _layer(self) -> tuple[Node, ReceptiveField] | None:
        """The layer whose covariance is measured. Raises `DataError` for one that has no places."""
        placed = {
            node.path: (node, fields[self.place]) for node, fields in with_places(self.graph) if self.place in fields
        }
        if self.layer is not None:
            if self.layer in placed:
                return placed[self.layer]
            there = [node.path for node in self.graph.nodes]
            if self.layer in there:
                message = f"the positions of `{self.layer}` stand for no places of the image, so nothing can move along"
                raise DataError("E113", message, help=[f"layers that have places: {listed(list(placed), 20)}"])
            hint = did_you_mean(self.layer, there)
            raise DataError(
                "E113", f"{self.run.name} has no layer `{self.layer}`", help=[hint or f"layers: {listed(there, 20)}"]
            )
        convolutions = [own for own in placed.values() if own[0].layer.family == "convolution"]
        chosen = next(iter([*convolutions, *placed.values()]), None)
        if chosen is None:
            self.notes.append("no covariance: no layer's positions stand for places of the image")
        return chosen

    def take_of_data(self) -> None:
        """The first sample that the run is evaluated on. Raises `DataError` and `SpecError`."""
        if self.run.spec.train is None:
            raise DataError(
                "E113",
                f"{self.run.folder} has imported weights, and no data to take an image of",
                help=["--image FILE gives one"],
            )
        measured = part_of(self.run._run, self.run.spec, [], self.notes)
        split = measured.split
        self.raw = {name: np.asarray(values[np.array([0])])[0] for name, values in split.inputs.items()}
        self.plan = measured.plans.get(self.input)
        where = measured.data.whose(measured.part)
        called = f" ({split.names[0]})" if split.names else ""
        self.sample = f"sample 0 of {len(split):,} {where} samples of {measured.data.name}{called}"
        head = next(head for head in measured.heads if head.name == self.output.name)
        target = split.targets.get(head.target) if head.target else None
        if (
            self.answers == "classes"
            and isinstance(target, np.ndarray)
            and target.ndim == 1
            and target.dtype.kind in "iu"
        ):
            self.sample += f", class {self._names[int(target[0])]}" if 0 <= int(target[0]) < len(self._names) else ""

    @cached_property
    def _names(self) -> tuple[str, ...]:
        known = tuple(self.run.classes or self.shown.class_names or self.shown.value_names)
        return known if len(known) == self.channels else tuple(str(number) for number in range(self.channels))

    # The image and its border

    @cached_property
    def image(self) -> np.ndarray:
        """The image (H, W, C), from 0 to 1."""
        return np.asarray(to_shares(jnp.asarray(self.raw[self.input]), self.section), np.float32)

    @cached_property
    def border(self) -> tuple[np.ndarray, str]:
        """The colour (C,) that comes in where the image went away, from 0 to 1, and where it is from."""
        image = self.image
        rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        if (rim == rim[0]).all():
            return rim[0], f"{_colour(rim[0])}, the colour of the image's rim"
        colour = mean_colour(self.section)
        known = self.section.mean is not None or self.section.mean_image is not None
        why = "the input's mean colour" if known else "black, since the input has no `mean`"
        return colour, f"{_colour(colour)}, {why}" if known else why

    # Sweeps

    def all(self) -> Invariance:
        self.notes.extend(
            []
            if self.section.channels in (1, 3)
            else [f"pictures show the mean of the image's {self.section.channels} channels"]
        )
        still = self._said_of(self.image[None])
        self.still = still
        sweeps = tuple(self._sweep(kind, values) for kind, values in self.ranges.items())
        answer = self._answer(still, 0)
        covariance = None if self.covariant is None else self._covariance(*self.covariant)
        return Invariance(
            name=self.run.name,
            folder=self.run.folder,
            sample=self.sample,
            answers=self.answers,
            what=self._what,
            names=self._names,
            answer=answer,
            scores=self._areas(still.labels[0]) if self.answers == "map" else still.scores[0],
            shares=None if still.shares is None else still.shares[0],
            image=_bytes(self.image),
            sweeps=sweeps,
            covariance=covariance,
            border=self.border[1],
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _areas(self, labels: np.ndarray) -> np.ndarray:
        """The share of a map's pixels that each class has (K,)."""
        counts: np.ndarray = np.bincount(labels.reshape(-1), minlength=self.channels)
        return counts / labels.size

    @property
    def _what(self) -> str:
        if self.answers == "map":
            return "share"
        if self.answers == "numbers":
            return "value"
        return "probability" if self.scored.shares else "logit" if self.shown.likely else "score"

    def _sweep(self, kind: Kind, values: np.ndarray) -> Sweep:
        direction = self.asked[kind].direction
        matrices = np.stack([matrix_of(kind, direction, float(value)) for value in values])
        # A smaller image's pixels are means over as many places as they stand for.
        images = np.empty((len(values), *self.image.shape), np.float32)
        fine = [ceil(1 / value - 1e-9) if kind == "scale" and value < 1 else 1 for value in values]
        for over in sorted(set(fine)):
            chosen = np.array([own == over for own in fine])
            images[chosen] = moved(self.image, matrices[chosen], self.border[0], over)
        said = self._said_of(images)
        if self.answers == "map":
            stays, compared, classes = self._kept(said.labels, matrices)
            same = stays == 1
            answers = tuple(self._answer(said, step) for step in range(len(values)))
            return Sweep(kind, direction, values, classes, None, stays, compared, answers, same, _bytes(images))
        answers = tuple(self._answer(said, step) for step in range(len(values)))
        same = (
            np.ones(len(values), bool)
            if self.answers == "numbers"
            else np.array([self._decided(said, step) == self._decided(self.still, 0) for step in range(len(values))])
        )
        return Sweep(kind, direction, values, said.scores, said.shares, None, None, answers, same, _bytes(images))

    def _said_of(self, images: np.ndarray) -> _Said:
        """What the network gives for images (N, H, W, C), from 0 to 1, in batches of one size."""
        size = min(BATCH, len(images))
        score, out = self.graph.nodes[self.scored.node].path, self.out.path
        scores, shares, labels = [], [], []
        for start in range(0, len(images), size):
            own = images[start : start + size]
            filled = np.concatenate([own, np.repeat(own[-1:], size - len(own), 0)])
            found = self.subject.values(self._inputs(filled), [score, out])
            if self.answers == "map":
                labels.append(np.asarray(found[out].argmax(-1))[: len(own)])
                continue
            scores.append(np.asarray(found[score], np.float64)[: len(own)])
            if self.answers != "numbers" and self.shown.likely:
                shares.append(np.asarray(self.shown.linked(found[out]), np.float64)[: len(own)])
        return _Said(
            np.concatenate(scores) if scores else np.empty((len(images), 0)),
            np.concatenate(shares) if shares else None,
            np.concatenate(labels) if labels else np.empty(0),
        )

    def _inputs(self, images: np.ndarray) -> dict[str, jax.Array]:
        """Images from 0 to 1 and the other inputs as the network takes them."""
        stacked = {name: np.repeat(own[None], len(images), 0) for name, own in self.raw.items()}
        x: dict[str, jax.Array] = {name: jnp.asarray(own) for name, own in self.run._forward.prepare(stacked).items()}
        return {**x, self.input: finished(jnp.asarray(images), self.section)}

    def _decided(self, said: _Said, step: int) -> tuple[int, ...]:
        if self.answers == "classes":
            return (int(said.scores[step].argmax()),)
        numbers = said.scores if said.shares is None else said.shares
        return tuple(int(place) for place in np.flatnonzero(numbers[step] > self.shown.threshold))

    def _answer(self, said: _Said, step: int) -> str:
        if self.answers == "numbers":
            numbers = [f"{own:.4g}" for own in said.scores[step].tolist()]
            return ", ".join(numbers[:4]) + ", …" * (len(numbers) > 4)
        if self.answers == "map":
            counts = np.bincount(said.labels[step].reshape(-1), minlength=self.channels)
            order = [int(own) for own in np.argsort(-counts, kind="stable") if counts[own]]
            return ", ".join(self._names[own] for own in order[:3]) + ", …" * (len(order) > 3)
        return ", ".join(self._names[own] for own in self._decided(said, step)) or "none"

    # Maps of classes

    def _kept(self, labels: np.ndarray, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of maps (S, H, W) the shares of pixels (S,) that have the class of the unmoved map, their numbers (S,), and
        the shares by class (S, K). Each map is moved back, to the nearest pixel."""
        still = self.still.labels[0]
        field = fields_of(self.graph)[self.output.node].get(self.place)
        jump = (1.0, 1.0) if field is None else (float(field.jump[0]), float(field.jump[1]))
        if self.plan is not None and still.shape == self.size:
            inside = np.zeros(still.shape, bool)
            inside[own_part(self.plan)] = True
            if not inside.all():
                self.notes.append("of the map, the part that is the image's own counts, without its border")
        else:
            inside = np.ones(still.shape, bool)
        stays, compared = np.zeros(len(labels)), np.zeros(len(labels), np.int64)
        classes = np.full((len(labels), self.channels), np.nan)
        for step, (own, matrix) in enumerate(zip(labels, matrices, strict=True)):
            back = np.linalg.inv(np.concatenate([matrix, [[0, 0, 1]]]))[:2].astype(np.float32)
            back[:, 2] /= (jump[1], jump[0])
            found = np.asarray(placed_back(jnp.asarray(own[..., None], jnp.float32), jnp.asarray(back)))[..., 0]
            there = (found >= 0) & inside
            alike = (found == still) & there
            compared[step] = there.sum()
            stays[step] = alike.sum() / max(there.sum(), 1)
            for number in np.unique(still[there]):
                classes[step, number] = alike[still == number].sum() / (there & (still == number)).sum()
        return stays, compared, classes

    # Covariance

    def _covariance(self, node: Node, seen: ReceptiveField) -> Covariance | None:
        """How the map moves along with the image, by as few pixels as are whole positions."""
        direction = self.asked["shift"].direction
        axes = {"horizontal": (0, 1), "vertical": (1, 0), "diagonal": (1, 1)}[direction]
        pixels, positions = [0, 0], [0, 0]
        for axis in (0, 1):
            if axes[axis]:
                jump = Fraction(seen.jump[axis]).limit_denominator(64)
                pixels[axis], positions[axis] = jump.numerator, jump.denominator
        sizes = node.output.spatial
        if any(own >= size for own, size in zip(pixels, self.size, strict=True)) or any(
            own >= size for own, size in zip(positions, sizes, strict=True)
        ):
            self.notes.append(
                f"no covariance of {node.path}: its positions are {max(pixels)} pixels apart, and it has only "
                f"{'×'.join(map(str, sizes))}"
            )
            return None
        matrix = np.array([[1, 0, -pixels[1]], [0, 1, -pixels[0]]], np.float32)
        both = np.concatenate([self.image[None], moved(self.image, matrix[None], self.border[0])])
        first, second = np.asarray(self.subject.values(self._inputs(both), [node.path])[node.path], np.float64)
        down, right = positions
        before = first[: sizes[0] - down, : sizes[1] - right]
        after = second[down:, right:]
        largest = max(float(np.abs(first).max()), 1e-30)
        apart = np.abs(after - before).max(-1) / largest
        inner = np.ones(apart.shape, bool)
        for axis in (0, 1):
            at = np.arange(sizes[axis] - positions[axis]) + positions[axis]
            middle = seen.start[axis] + at * seen.jump[axis]
            clear = (middle - seen.size[axis] / 2 >= pixels[axis] - 1e-6) & (
                middle + seen.size[axis] / 2 <= self.size[axis] + 1e-6
            )
            # An axis that nothing moves along has the same border before and after.
            if axes[axis]:
                inner &= np.expand_dims(clear, 1 - axis)
        return Covariance(
            node.path,
            (pixels[0], pixels[1]),
            (down, right),
            int(apart.size),
            float((apart <= ALIKE).mean()),
            float(apart.max()),
            int(inner.sum()),
            float(apart[inner].max()) if inner.any() else None,
        )


class _Said(NamedTuple):
    """Logits and probabilities of vectors (N, K), or the classes of maps' pixels (N, H, W)."""

    scores: np.ndarray
    shares: np.ndarray | None
    labels: np.ndarray


def _bytes(shares: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(shares * 255), 0, 255).astype(np.uint8)


def _colour(shares: np.ndarray) -> str:
    """A colour in words: numbers from 0 to 255."""
    numbers = _bytes(shares)
    if not numbers.any():
        return "black"
    return f"{', '.join(map(str, numbers))} of 255"
