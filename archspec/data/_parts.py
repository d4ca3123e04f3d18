"""What folders and lists call the part that is trained on, and those held out; what a dataset left unsaid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from archspec.data._base import Dataset
from archspec.data._columns import pieces
from archspec.data._split import Data
from archspec.diagnostics import DataError, count, listed

WORDS = {
    "train": ("train", "training", "trn", "trainval"),
    "test": ("test", "testing", "tst"),
    "val": ("val", "valid", "validation", "validate", "dev", "eval", "evaluation"),
}
"""The parts; of those held out, a test part comes first."""
_NEUTRAL = {"", "set", "data", "dataset", "images", "image", "imgs", "img", "seg", "split", "part", "folder"}
_ENDINGS = ("dataset", "data", "set", "images", "imgs")
HELD_OUT = ("test", "val")


def part_of(name: str) -> str | None:
    """The part that a folder or list is named after: `Training`, `valid`, `test_set`, `val2017`; None for others."""
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word not in _NEUTRAL]
    if len(words) != 1:
        return None
    (word,) = words
    for part, names in WORDS.items():
        if word in names or any(word == name + ending for name in names for ending in _ENDINGS):
            return part
    return None


def by_part(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by the part that they are named after, the usual names first."""
    parts: dict[str, list[str]] = {part: [] for part in WORDS}
    for name in names:
        part = part_of(name)
        if part is not None:
            parts[part].append(name)
    for part, own in parts.items():
        usual = {word: place for place, word in enumerate(WORDS[part])}
        own.sort(key=lambda name: (usual.get(name, len(usual)), usual.get(name.lower(), len(usual)), name))
    return parts


def chosen_part(wanted: str | None, names: Sequence[str], where: Path) -> str | None:
    """The name that `held_out` asks for, among those that are there. Raises `DataError` where it is not."""
    if wanted is None:
        return None
    same = [name for name in names if name == wanted] or [name for name in names if name.lower() == wanted.lower()]
    if not same:
        raise DataError("E505", f"{where} has no {wanted}, which `held_out` names", help=[f"there are {listed(names)}"])
    return same[0]


def loaded(dataset: Dataset) -> Data:
    """The dataset, with notes of what it would be silent about. Raises `DataError`."""
    data = dataset.load()
    return replace(data, notes=(*data.notes, *_twice(data)))


def untrained(data: Data) -> list[str]:
    """Classes of which there is nothing to train on, or nothing held out."""
    import numpy as np

    notes = []
    for target, names in data.classes.items():
        for split, lack in ((data.train, "to train on"), (data.test, "held out")):
            labels = split.targets[target]
            counts = np.zeros(len(names), np.int64)
            placed = labels.ndim > 2 or target in data.positions
            if placed and len(names) < 2:
                continue  # one label, there or not
            for part in pieces(labels):
                if labels.ndim == 2 and not placed:
                    counts += (part > 0).sum(0)
                elif labels.ndim == 1 or placed:
                    known = part[(part >= 0) & (part < len(names))]
                    counts += np.bincount(known, minlength=len(names))
            missing = [name for name, number in zip(names, counts, strict=True) if not number]
            if missing:
                what = "pixel" if labels.ndim > 2 else "position" if placed else _sample(data)
                word = "class" if len(missing) == 1 else "classes"
                whose = f" of `{target}`" if len(data.classes) > 1 else ""
                missed = f"{len(missing):,} {word}{whose}: {listed(missing, 10)}"
                notes.append(f"{data.name} has no {what} {lack} of {missed}")
    return notes


def _sample(data: Data) -> str:
    inputs = list(data.train.inputs.values())
    return "image" if len(inputs) == 1 and inputs[0].ndim == 4 else "sample"


def _twice(data: Data) -> list[str]:
    """Held-out images that are trained on too, byte for byte."""
    trained = {key: place for place, key in enumerate(data.train.digests)}
    both = [(place, trained[key]) for place, key in enumerate(data.test.digests) if key in trained]
    if not both:
        return []
    (held, own), *_ = both
    example = ""
    if data.test.names and data.train.names:
        example = f", such as {data.test.names[held]}, which is {data.train.names[own]}"
    said = f"{count(len(both), f'held-out {_sample(data)}')} of {len(data.test):,} "
    return [f"{said}{'is' if len(both) == 1 else 'are'} among those trained on too{example}"]
