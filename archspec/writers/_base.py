"""The base class of writers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from archspec.diagnostics import DataError
from archspec.kinds import Kind


class Begun(NamedTuple):
    """A run that begins, or goes on, as a writer is told of it."""

    name: str
    """That of the network's spec."""
    folder: Path
    settings: Mapping[str, Any]
    """The elaborated spec as flat names, `train.batch_size`, with plain values."""
    steps: Sequence[int]
    """The steps of the records that there are already, where the run goes on; none of one that begins."""


class Log(Protocol):
    """What a writer makes of one run."""

    def record(self, step: int, figures: Mapping[str, float]) -> None:
        """Takes figures after a step by their names, `validation/loss`, as TensorBoard has them."""

    def end(self, files: Sequence[Path]) -> None:
        """Ends the log with files of the run folder, after the last record, or where the run was stopped with none."""


class Writer(Kind):
    """Base of all writers: where a run's figures go besides its own folder.

    Nothing is sent anywhere unless the user says where to. What a writer raises is said once, and ends its log alone.
    """

    @property
    def needs(self) -> Mapping[str, str]:
        """Modules that it imports, and what pip calls the packages that have them."""
        return {}

    def check(self) -> None:
        """Raises `DataError` where a package is missing; imports none."""
        from importlib.util import find_spec

        missing = list(dict.fromkeys(package for module, package in self.needs.items() if find_spec(module) is None))
        if missing:
            raise DataError(
                "E529",
                f"`log: {self.kind}` needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
                "installed",
                help=[f"pip install {' '.join(missing)}", "or leave it out of `train.log`"],
            )

    def begin(self, run: Begun) -> Log:
        """Begins the log of a run, or goes on with it."""
        raise NotImplementedError
