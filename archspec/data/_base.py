"""The base class of datasets, and what loading one gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from archspec.diagnostics import DataError
from archspec.images.preparation import Preparation
from archspec.kinds import Kind

if TYPE_CHECKING:
    import numpy as np

RELATIVE = "relative paths start from the spec's folder"
"""The help of datasets that find no file; `Spec.data_error` says what is true of a path from the command line."""


@dataclass(frozen=True)
class Split:
    """Images (N, H, W, C), uint8 or float32, and labels: int32 (N,), or of pixels (N, H, W) in a signed integer type.

    A label below 0 counts for nothing. `names` are the images' files, where they have their own.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Data:
    """A dataset in memory. `name` is what diagnostics call it.

    `notes` say what was left out, passed over or guessed, with counts.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

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
