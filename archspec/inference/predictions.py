"""What a network says of samples, as arrays: a type for each way in which an answer is shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, SupportsIndex

import numpy as np

from archspec.diagnostics import count, name_at

SHOWN = 10
"""Samples that the `repr` of predictions shows."""
DECIDED = 0.5
"""A label is there where its probability is above this."""


@dataclass(frozen=True)
class Predictions:
    """The answers for N samples, in the order in which they were given.

    `names` are the files that the samples came from, otherwise their numbers; `outputs` has every output of the
    network by its name, as the network gives it (N, …); `notes` say what was guessed, with counts.
    Indices and slices give those of some samples.
    """

    names: tuple[str, ...]
    outputs: Mapping[str, np.ndarray] = field(repr=False)
    notes: tuple[str, ...]

    per_sample: ClassVar[tuple[str, ...]] = ()
    """The fields with an entry for each sample, besides the names and outputs."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: SupportsIndex | slice) -> Self:
        if not isinstance(place, slice):
            place = range(len(self))[place]  # raises IndexError, and counts from the end
            place = slice(place, place + 1)
        own = {name: getattr(self, name)[place] for name in self.per_sample}
        return replace(
            self,
            names=self.names[place],
            outputs={name: value[place] for name, value in self.outputs.items()},
            **own,
        )

    def __iter__(self) -> Iterator[Self]:
        return (self[place] for place in range(len(self)))

    def said(self) -> list[str]:
        """The answer for each sample in a few words."""
        return [""] * len(self)

    def __repr__(self) -> str:
        words = self[:SHOWN].said()
        lines = [f"  {name}: {said}" for name, said in zip(self.names, words, strict=False)]
        more = [f"  … and {len(self) - SHOWN} more"] if len(self) > SHOWN else []
        if len(self.outputs) > 1:
            more.append(f"  outputs: {', '.join(self.outputs)}")
        notes = [f"  note: {note}" for note in self.notes]
        return "\n".join([f"<{type(self).__name__} of {count(len(self), 'sample')}>", *lines, *more, *notes])

    def __getattr__(self, name: str) -> Any:
        if name == "probabilities" and isinstance(self, Rated):
            raise AttributeError("the network's loss makes no probabilities of its numbers: `scores` has them")
        if name in _FIELDS and not name.startswith("_"):
            known = {*dir(type(self)), *(item.name for item in fields(self))}
            own = [own for own in _FIELDS if own in known]
            raise AttributeError(f"{type(self).__name__} has no `{name}`: it has {', '.join(own)} and outputs")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


@dataclass(frozen=True, repr=False)
class Rated(Predictions):
    """Of each sample a number for each class: `probabilities`, or where the network's loss makes none, as hinge does,
    `scores` alone. `scores` are the probabilities otherwise. `class_names` are the classes' names.
    """

    scores: np.ndarray
    class_names: tuple[str, ...]
    likely: bool = True
    """Whether the scores are probabilities."""

    per_sample: ClassVar[tuple[str, ...]] = ("scores",)

    @property
    def probabilities(self) -> np.ndarray:
        if not self.likely:
            raise AttributeError("the network's loss makes no probabilities")  # `__getattr__` says what there is
        return self.scores

    def _rated(self, index: int, number: float) -> str:
        return (
            f"{self.class_names[index]} {100 * number:.1f} %"
            if self.likely
            else f"{self.class_names[index]} {number:.4g}"
        )


@dataclass(frozen=True, repr=False)
class Classes(Rated):
    """Of each sample one class: `probabilities` (N, classes), `classes` (N,) the numbers of the most probable, `labels`
    their names.
    """

    @property
    def classes(self) -> np.ndarray:
        return np.asarray(self.scores.argmax(-1))

    @property
    def labels(self) -> list[str]:
        return [self.class_names[index] for index in self.classes]

    def top(self, number: int = 5) -> list[list[tuple[str, float]]]:
        """The most probable classes of each sample with their probabilities, the first of equals first."""
        return [best(row, self.class_names, number) for row in self.scores]

    def said(self) -> list[str]:
        order = np.argsort(-self.scores, axis=-1, kind="stable")[:, :3]
        return [
            ", ".join(self._rated(index, row[index]) for index in own)
            for own, row in zip(order, self.scores, strict=True)
        ]


@dataclass(frozen=True, repr=False)
class Labels(Rated):
    """Of each sample the labels that are there: `probabilities` (N, labels), `present` (N, labels) whether each is
    above the `threshold`, `classes` the numbers of those that are, `labels` their names, the most probable first.
    Of a map (N, height, width, labels) or signal, these are the labels that are there somewhere.
    """

    threshold: float = DECIDED

    @property
    def present(self) -> np.ndarray:
        return self.scores > self.threshold

    @property
    def classes(self) -> list[np.ndarray]:
        most = highest(self.scores)
        orders = np.argsort(-most, axis=-1, kind="stable")
        return [order[there[order]] for order, there in zip(orders, most > self.threshold, strict=True)]

    @property
    def labels(self) -> list[list[str]]:
        return [[self.class_names[index] for index in row] for row in self.classes]

    def said(self) -> list[str]:
        least = f"{100 * self.threshold:g} %" if self.likely else f"{self.threshold:g}"
        return [
            ", ".join(self._rated(index, scores[index]) for index in row) or f"nothing above {least}"
            for row, scores in zip(self.classes, highest(self.scores), strict=True)
        ]


@dataclass(frozen=True, repr=False)
class Masks(Rated):
    """Of each sample a class per pixel: `probabilities` (N, height, width, classes) at the output's size, `classes`
    (N, height, width) the most probable, `masks` the same of each image as the image itself lay, which is a list since
    images may differ in size; `labels` are the names of the classes that each mask has, those of most pixels first.
    A mask is −1 where the output says nothing of a pixel. Of signals there is a class per position: `probabilities`
    (N, length, classes), `classes` (N, length).
    """

    masks: list[np.ndarray] = field(default_factory=list)

    per_sample: ClassVar[tuple[str, ...]] = ("scores", "masks")

    @property
    def classes(self) -> np.ndarray:
        return np.asarray(self.scores.argmax(-1))

    @property
    def labels(self) -> list[list[str]]:
        return [[name for name, share in row if share] for row in self.shares(len(self.class_names))]

    def shares(self, number: int = 5) -> list[list[tuple[str, float]]]:
        """The classes with the largest shares of each mask's pixels."""
        classes = len(self.class_names)
        return [best(shares_of(mask, classes), self.class_names, number) for mask in self.masks]

    def said(self) -> list[str]:
        what = "pixels" if self.scores.ndim > 3 else "positions"
        return [
            ", ".join(f"{name} {100 * share:.1f} % of the {what}" for name, share in row if share)
            for row in self.shares(3)
        ]


@dataclass(frozen=True, repr=False)
class Numbers(Predictions):
    """Of each sample numbers: `values` (N, …) as the network is to give them, `value_names` what each stands for."""

    values: np.ndarray
    value_names: tuple[str, ...] = ()

    per_sample: ClassVar[tuple[str, ...]] = ("values",)

    def said(self) -> list[str]:
        return [_numbers_said(row, self.value_names) for row in self.values]


@dataclass(frozen=True, repr=False)
class Remade(Predictions):
    """Of each sample what the network was given, made again: `values` (N, …) in the numbers that the network takes,
    `images` the same as bytes (N, height, width, channels), where the input is an image; None otherwise.
    """

    values: np.ndarray
    images: np.ndarray | None

    per_sample: ClassVar[tuple[str, ...]] = ("values",)

    def __getitem__(self, place: SupportsIndex | slice) -> Self:
        own = super().__getitem__(place)
        if self.images is None:
            return own
        rows = place if isinstance(place, slice) else [range(len(self))[place]]
        return replace(own, images=self.images[rows])

    def said(self) -> list[str]:
        what = "numbers" if self.images is None else "image"
        return [f"{what} {'×'.join(map(str, row.shape))}" for row in self.values]


_FIELDS = ("probabilities", "scores", "classes", "labels", "present", "masks", "values", "value_names", "images")
"""What predictions of one kind have and others lack."""


def best(shares: np.ndarray, names: Sequence[str], number: int) -> list[tuple[str, float]]:
    """The largest shares, with the names of their classes; of equals the first comes first."""
    order = [int(index) for index in np.argsort(-shares, kind="stable")[:number]]
    return [(name_at(names, index), float(shares[index])) for index in order]


def highest(scores: np.ndarray) -> np.ndarray:
    """The largest score (N, K) that each label has anywhere (N, …, K)."""
    return np.asarray(scores.reshape(len(scores), -1, scores.shape[-1]).max(1))


def shares_of(mask: np.ndarray, classes: int) -> np.ndarray:
    """The share of a mask's pixels that each class has, of those that have one (0 or more)."""
    known = mask[mask >= 0]
    return np.asarray(np.bincount(known, minlength=classes) / max(1, known.size))


def runs_of(mask: np.ndarray, names: Sequence[str]) -> list[tuple[str | None, int, int]]:
    """The stretches of one class along a signal: its name, None where nothing is said, and where it begins and ends."""
    edges = [0, *(np.flatnonzero(np.diff(mask)) + 1).tolist(), len(mask)]
    return [(names[mask[begin]] if mask[begin] >= 0 else None, begin, end) for begin, end in itertools.pairwise(edges)]


def _numbers_said(row: np.ndarray, names: Sequence[str]) -> str:
    if row.ndim > 1 or row.size > 8:
        return f"{'×'.join(map(str, row.shape))} numbers from {row.min():.4g} to {row.max():.4g}"
    if len(names) == row.size and row.size:
        return ", ".join(f"{name} {number:.4g}" for name, number in zip(names, row, strict=True))
    return ", ".join(f"{number:.4g}" for number in np.atleast_1d(row))
