"""What `predict` is given, sample by sample: what each is called, and how it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import DataError, article
from archspec.images.fitting import Plan
from archspec.images.preparation import Preparation
from archspec.tables.layout import Layout


class Sample(NamedTuple):
    """What one input is given of one sample, and for an image how it came to the input's size."""

    array: np.ndarray
    plan: Plan | None = None


@dataclass
class Samples:
    """What one input is given: what each sample is called, and how each is read, which may raise `DataError`."""

    names: list[str]
    reads: list[Callable[[], Sample]]

    def __len__(self) -> int:
        return len(self.reads)

    def add(self, other: Samples) -> None:
        """Takes over other samples of the same input."""
        self.names.extend(other.names)
        self.reads.extend(other.reads)


@dataclass
class Reading:
    """How images are read, and what is to be said of those that were."""

    preparation: Preparation = field(default_factory=Preparation)
    invert: bool = False
    seen: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    layout: Layout | None = None
    """How columns of a table became the network's inputs, where it was trained on one."""
    arrays: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What the array of each input may be called in an archive."""
    names: tuple[str, ...] = ()
    """What the samples are called, once they are read."""


def as_array(value: Any) -> np.ndarray:
    """An array of what has a shape. Raises `TypeError`."""
    try:
        return np.asarray(value)
    except Exception as error:
        raise TypeError(f"{a_kind(value)} is no array that NumPy can read: {str(error)[:200]}") from None


def sizes(shape: Sequence[int]) -> str:
    """A shape in words: (28, 28, 1)."""
    return f"({', '.join(map(str, shape))})"


def a_kind(value: Any) -> str:
    """What a value is: an int, a list, None."""
    if value is None:
        return "None"
    return article(type(value).__name__)


@contextmanager
def told() -> Iterator[None]:
    """Has what is wrong with what a network is given told as a diagnostic: `DataError`, and in words what no input of
    the network can be made of, `TypeError` and `ValueError`."""
    try:
        yield
    except DataError as error:
        raise error.located(None) from None
    except (TypeError, ValueError) as error:
        raise DataError("E521", str(error)).located(None) from error
