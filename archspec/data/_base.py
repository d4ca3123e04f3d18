"""The base class of datasets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PrivateAttr

from archspec.diagnostics import DataError
from archspec.kinds import Kind

if TYPE_CHECKING:
    from archspec.data._reading import Reading
    from archspec.data._split import Data
    from archspec.images.preparation import Preparation
    from archspec.tables.layout import Layout

RELATIVE = "relative paths start from the spec's folder"
"""The help of datasets that find no file; `Spec.data_error` says what is true of a path from the command line."""


INPUT, LABEL = "input", "label"
"""What a dataset with one input and one target calls them."""

MAX_CLASSES = 2**15
"""Whole numbers from this on are no classes."""


OnError = Annotated[
    Literal["error", "skip"],
    Field(description="what files are that cannot be read or used: an error that names all, or left out and counted"),
]
"""The field `on_error` of datasets whose samples are files of their own."""


class Dataset(Kind):
    """Base of all datasets."""

    lies_in: ClassVar[str] = "folder"
    """What `path` names, where the dataset has one: a folder or a file."""
    sided: ClassVar[tuple[str, ...]] = ()
    """Targets that are not those of the mirrored images, as an angle is not."""

    has_named_parts: ClassVar[bool] = False
    """Whether `train.validation` may name one of its folders, lists or parts."""
    _validation: str | None = PrivateAttr(None)
    """The part that it names."""

    def located(self, folder: Path) -> Dataset:
        """The dataset with paths that were relative to a folder made absolute."""
        path = getattr(self, "path", None)
        # `Path.resolve` raises where a link leads to itself.
        return self if path is None else self.model_copy(update={"path": os.path.realpath(folder / path)})

    @property
    def preparation(self) -> Preparation:
        """What `load` does to each image before the spec's `input.fit`, so that `predict` can do the same."""
        from archspec.images.preparation import Preparation

        return Preparation()

    def check_path(self) -> None:
        """Raises `DataError` where there is nothing under the dataset's path. Reads nothing."""
        path = getattr(self, "path", None)
        if path is not None and not Path(path).exists():
            raise DataError("E505", f"there is no {self.lies_in} {path}", help=[RELATIVE])

    _how: Reading | None = PrivateAttr(None)

    def reading(self, how: Reading) -> Dataset:
        """The dataset whose samples are read so: into memory, or when they are asked for."""
        made = self.model_copy()
        made._how = how
        return made

    @property
    def how(self) -> Reading:
        """How samples are read; what fits into memory lies there unless `reading` says otherwise."""
        from archspec.data._reading import Reading

        return self._how or Reading()

    def like(self, layout: Layout | None) -> Dataset:
        """The dataset with the columns of a table read as those of another were."""
        return self

    def validating(self, name: str) -> Dataset:
        """The dataset whose validation part is the folder, list or part of this name. Raises `DataError`."""
        if not self.has_named_parts:
            raise DataError(
                "E505",
                f"{self.kind} has no parts with names, of which `validation` could name one",
                help=["a share of what is trained on: `validation: 0.1`"],
            )
        made = self.model_copy()
        made._validation = name
        return made

    def load(self) -> Data:
        """Reads the dataset. Raises `DataError` with the reason when it cannot."""
        raise NotImplementedError

    def stray(self, classes: int) -> str | None:
        """Where a label lies for which so many classes are too few, in words; None where that is not known."""
        return None
