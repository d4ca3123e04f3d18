"""What a spec is begun for: data, what they look like, and what is to be found in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from archspec.data import as_array
from archspec.diagnostics import DataError, count, listed, name_at
from archspec.output import printable
from archspec.starting.finding import find
from archspec.starting.found import Found, Target
from archspec.starting.looking import Look, look

NAMED = 8
"""So many classes are named."""


class Subject(NamedTuple):
    """Data with one input and one target, and their task. `outputs` are the numbers that a network gives of each
    sample or position; `counts` are the samples of each class to train on, none where samples are of no classes."""

    found: Found
    look: Look
    task: str
    outputs: int
    counts: tuple[int, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        if self.task == "regression":
            return ()
        given = self.found.fields.get("classes") if self.task == "segmentation" else None
        return self.found.data.class_names if given is None else tuple(given)

    @property
    def name(self) -> str:
        """A name for the network: letters, digits and _ of what the data are called."""
        plain = unicodedata.normalize("NFKD", self.found.name.split(".")[0])
        words = re.findall(r"[A-Za-z0-9]+", plain.encode("ascii", "ignore").decode())
        return "_".join(words)[:60].lower() or "network"

    @property
    def total(self) -> int:
        return sum(map(len, self.found.data.parts.values()))

    @property
    def what(self) -> str:
        """The noun of samples."""
        return "image" if self.look.form == "image" else "sample"

    def lines(self) -> list[str]:
        """What was read, in words, with counts."""
        data = self.found.data
        of = f" of {count(self.outputs, 'class')}" if self.classes else ""
        if self.classes and self.counts:
            named = [f"{name} {number:,}" for name, number in zip(self.classes, self.counts, strict=True)]
            of += f" (to train on: {_some(named)})"
        elif self.classes:
            of += f" ({_some(self.classes)})"
        elif self.task == "regression":
            of += f" with {count(self.outputs, 'number')} to be found"
        parts = [f"{len(split):,} {data.said(part)}" for part, split in data.parts.items()]
        where = self.found.path or "comes with archspec"
        made = [
            f"{where}: {self.found.kind}, {self.task.replace('_', ' ')}",
            f"{count(self.total, self.what)}{of}: {', '.join(parts)}",
        ]
        if self.look.sizes is not None:
            colours = "grey" if self.look.grey else "in colour"
            made.append(f"sizes, height and width: {self.look.sizes}; {colours}")
        else:
            made.append(f"each is {_shape(self.look)}")
        return [printable(line) for line in made]

    def notes(self) -> list[str]:
        """Guesses, and what is passed over, with counts."""
        return [printable(note) for note in (*self.found.said, *self.look.said, *self.found.data.notes)]


def _some(words: Sequence[str]) -> str:
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _shape(look: Look) -> str:
    if look.form == "signal":
        return f"a signal of {count(look.shape[0], 'number')} and {count(look.shape[1], 'channel')}"
    return f"a vector of {count(look.shape[0], 'number')}"


def subject_of(given: str, target: Target = None) -> Subject:
    """What a spec can be begun for by a folder, a file or a dataset. Raises `DataError`."""
    found = find(given, target)
    looked = look(found.data)
    task, outputs = _task(found)
    counts: tuple[int, ...] = ()
    if task == "classification":
        import numpy as np

        (labels,) = found.data.train.targets.values()
        own = as_array(labels)
        counts = tuple(np.bincount(own[own >= 0], minlength=outputs).tolist())
        if sum(map(bool, counts)) == 1:
            (only,) = [number for number, many in enumerate(counts) if many]
            raise _one_class(found.data.name, [name_at(found.data.class_names, only)])
    return Subject(found, looked, task, outputs, counts)


def _one_class(name: str, classes: Sequence[str]) -> DataError:
    return DataError("E507", f"all samples of {name} are of one class, {listed(classes)}: nothing is to tell apart")


def _task(found: Found) -> tuple[str, int]:
    """The task that targets are of, and how many numbers an output has. Raises `DataError` where none is begun."""
    data = found.data
    ((name, values),) = data.train.targets.items()
    if found.task == "regression" or (name not in data.classes and values.ndim <= 2 and values.dtype.kind == "f"):
        return "regression", 1 if values.ndim == 1 else int(values.shape[1])
    if name in data.classes:
        outputs = len(data.classes[name])
        if values.ndim > 2 or name in data.positions:
            return "segmentation", outputs
        if outputs < 2 and values.ndim == 1:
            raise _one_class(data.name, data.classes[name])
        return ("multi_label" if values.ndim == 2 else "classification"), outputs
    raise DataError(
        "E507",
        f"the targets of {data.name} are maps of numbers, for which no spec is begun",
        help=["docs/training.md has their task, regression"],
    )
