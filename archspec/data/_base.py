"""The base class of datasets, and what loading one gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from archspec.diagnostics import DataError
from archspec.images.preparation import Preparation
from archspec.kinds import Kind

if TYPE_CHECKING:
    import numpy as np

RELATIVE = "relative paths start from the spec's folder"
"""The help of datasets that find no file; `Spec.data_error` says what is true of a path from the command line."""


INPUT, LABEL = "input", "label"
"""What a dataset with one input and one target calls them."""


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
    they have names. `notes` say what was left out, passed over or guessed, with counts.
    """

    name: str
    train: Split
    test: Split
    classes: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    positions: frozenset[str] = frozenset()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the one target, or of the first that has classes; none where there are none."""
        return next(iter(self.classes.values()), ())

    @property
    def class_count(self) -> int:
        return len(self.class_names)


class Dataset(Kind):
    """Base of all datasets."""

    lies_in: ClassVar[str] = "folder"
    """What `path` names, where the dataset has one: a folder or a file."""

    def located(self, folder: Path) -> Dataset:
        """The dataset with paths that were relative to a folder made absolute."""
        path = getattr(self, "path", None)
        return self if path is None else self.model_copy(update={"path": str((folder / path).resolve())})

    @property
    def preparation(self) -> Preparation:
        """What `load` does to each image before the spec's `input.fit`, so that `predict` can do the same."""
        return Preparation()

    def check_path(self) -> None:
        """Raises `DataError` where there is nothing under the dataset's path. Reads nothing."""
        path = getattr(self, "path", None)
        if path is not None and not Path(path).exists():
            raise DataError("E505", f"there is no {self.lies_in} {path}", help=[RELATIVE])

    def load(self) -> Data:
        """Reads the dataset. Raises `DataError` with the reason when it cannot."""
        raise NotImplementedError

    def stray(self, classes: int) -> str | None:
        """Where a label lies for which so many classes are too few, in words; None where that is not known."""
        return None
