"""Figures for the writers that `train.log` names. One that fails says so once, and the run goes on without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.kinds import plain
from archspec.runs.events import scalars
from archspec.writers import Begun, Log, Writer

if TYPE_CHECKING:
    from archspec.training.loop import Loop


NOTHING = Begun("", Path(), {}, ())


class Logs:
    """The logs of a run with its writers. `say` takes what is to be said of one that fails."""

    def __init__(
        self,
        writers: Sequence[Writer] = (),
        begun: Begun = NOTHING,
        classes: Sequence[str] = (),
        say: Callable[[str], None] = lambda note: None,
    ) -> None:
        self.classes = classes
        self._say = say
        self._open: dict[str, Log] = {}
        for writer in writers:
            with self._held(writer.kind):
                self._open[writer.kind] = writer.begin(begun)

    @classmethod
    def of_run(cls, loop: Loop, records: Sequence[Mapping[str, Any]]) -> Logs:
        """The logs of a run that begins, or goes on after these records."""
        recipe = loop.recipe
        if not recipe.log:
            return cls()
        own = {name: value for name, value in plain(recipe).items() if name != "log"}
        settings = dict(settings_of({"parameters": loop.graph.params, "train": own}))
        steps = [record["step"] for record in records]
        return cls(recipe.log, Begun(loop.spec.name, loop.folder.path, settings, steps), loop.classes, loop.say)

    def record(self, record: Mapping[str, Any]) -> None:
        """Gives a record of metrics.jsonl to all writers."""
        figures = dict(scalars(dict(record), self.classes))
        for kind, log in list(self._open.items()):
            with self._held(kind):
                log.record(record["step"], figures)

    def end(self, files: Sequence[Path]) -> None:
        """Ends all logs, with the files that a finished run has for them; once."""
        for kind, log in list(self._open.items()):
            with self._held(kind):
                log.end(files)
        self._open.clear()

    @contextmanager
    def _held(self, kind: str) -> Iterator[None]:
        """Whatever a writer raises ends its log, and nothing else."""
        try:
            yield
        except Exception as error:
            self._open.pop(kind, None)
            words = str(error).strip().partition("\n")[0][:300]
            said = f"{type(error).__name__}{': ' if words else ''}{words}"
            self._say(f"`log: {kind}` failed, and takes no more of this run: {said}")


def settings_of(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Settings as flat names, `train.batch_size`, with plain values."""
    if isinstance(value, Mapping):
        for key, own in value.items():
            yield from settings_of(own, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(map(str, value))
    else:
        yield name, value
