"""Data that were found: the dataset that reads them, with its fields."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from archspec.data import Data, Dataset, Reading
from archspec.kinds import find_kind

PROBE = (64, 64)
"""Images of folders are read at this size while data are looked at, as those of different sizes need one."""
NEAR = 60
"""So many folders within a folder, and files of each, are looked at to find out what it is."""

Target = str | Callable[[list[str], str | None], str] | None
"""The column of a table that is to be found; or what chooses it among the columns, given a guess."""


class Found(NamedTuple):
    """A dataset that reads the data, and what it gave.

    `fields` are those that a spec needs, but for `size` and `grey`; `path` is the one that was read. `said` are
    guesses that were made to find it.
    """

    kind: str
    fields: dict[str, Any]
    data: Data
    said: tuple[str, ...] = ()
    task: str | None = None
    """The task that was guessed, where it does not follow from the targets."""
    name: str = ""
    """What the data are called: the last part of the path that was given."""

    @property
    def path(self) -> Path | None:
        """Where the data lie; None of those that come with the package."""
        return Path(self.fields["path"]) if "path" in self.fields else None


def dataset_of(kind: str, fields: dict[str, Any]) -> Dataset:
    """A dataset of plain fields."""
    made = find_kind("data", kind)
    assert made is not None and issubclass(made, Dataset)
    return made.model_validate(fields)


def loaded(kind: str, fields: dict[str, Any], size: tuple[int, int] | None = None) -> Data:
    """The data of a dataset; images of files are read when they are asked for, and are of one size."""
    probing = {**fields, "size": size} if size is not None else fields
    return dataset_of(kind, probing).reading(Reading("always", 0)).load()


def names_in(folder: Path, most: int | None = None) -> list[Path]:
    """What lies in a folder, by name, the first `most` of it; nothing where it cannot be read."""
    try:
        return sorted(folder.iterdir())[:most]
    except OSError:
        return []
