"""What loading a dataset gives: arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archspec.data._base import INPUT, LABEL

if TYPE_CHECKING:
    import numpy as np

    from archspec.tables.layout import Layout


@dataclass(frozen=True)
class Split:
    """Arrays of as many samples each, by name: what networks are given, and what they are to find.

    Inputs are images (N, H, W, C), uint8 or float32; signals (N, L, C) or vectors (N, F), float32. Targets are whole
    numbers in a signed type, of which those below 0 count for nothing, or floating-point ones, of which those that are
    not numbers (NaN) do not: (N,), (N, K), of positions (N, L), of pixels (N, H, W) or (N, H, W, C). `names` are the
    samples' files, where they have their own.
    """

    inputs: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...] = ()) -> Split:
        """A split of one input and one target, by their usual names."""
        return cls({INPUT: images}, {LABEL: labels}, names)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def images(self) -> np.ndarray:
        """The one input. Raises `ValueError` where there are several."""
        (array,) = self.inputs.values()
        return array

    @property
    def labels(self) -> np.ndarray:
        """The one target. Raises `ValueError` where there are several, or none."""
        (array,) = self.targets.values()
        return array

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (*self.inputs.values(), *self.targets.values()))


@dataclass(frozen=True)
class Data:
    """A dataset in memory. `name` is what diagnostics call it.

    `classes` has the names of the classes of each target that has classes: of a whole number each, or of the columns
    (N, K) of several labels at once. `positions` are the targets (N, L) that have one at each position of a signal,
    whose `classes` are those of a whole number then. `columns` has the names of the numbers (N, K) of a target, where
    they have names. `notes` say what was left out, passed over or guessed, with counts. `layout` says how columns of a
    table became inputs.
    """

    name: str
    train: Split
    test: Split
    classes: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    positions: frozenset[str] = frozenset()
    layout: Layout | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the one target, or of the first that has classes; none where there are none."""
        return next(iter(self.classes.values()), ())

    @property
    def class_count(self) -> int:
        return len(self.class_names)
