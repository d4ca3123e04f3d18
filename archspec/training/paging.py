"""What is made of a run at its end: its page, and the network in other tools' formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.output import said_when_slow
from archspec.runs.folder import EXPORTED, PAGE
from archspec.training.evaluation import Evaluated
from archspec.training.result import Result
from archspec.writing import write

if TYPE_CHECKING:
    from archspec.training.loop import Loop


def write_page(loop: Loop, result: Result) -> None:
    """Writes the page of a run that has ended, with the figures of the part that it is judged by."""
    from archspec.review.making import page_of

    path = loop.folder.path / PAGE
    with _making(loop, path, "the run's page"):
        steps = loop.steps(loop.recipe.epochs)
        done = Evaluated(
            loop.folder,
            loop.spec,
            loop.data,
            result.part,
            loop.heads,
            steps.pure,
            result.params,
            result.statistics,
            result.figures,
            (),
            steps.lowerings,
        )
        write(path, page_of(done))


def write_exported(loop: Loop, result: Result, name: str) -> None:
    """Writes the network that a run ended with in the format of this name."""
    from archspec.exporting.export import exported
    from archspec.exporting.subject import subject_of_result

    path = loop.folder.path / EXPORTED[name]
    with _making(loop, path, path.name):
        subject = subject_of_result(loop.spec, loop.graph, {**result.params, **result.statistics}, result.classes)
        exported(subject, name, path, (), {})


@contextmanager
def _making(loop: Loop, path: Path, what: str) -> Iterator[None]:
    """What goes wrong inside is said, and is no failure of the run: the network is trained."""
    try:
        with said_when_slow(f"making {what}") if loop.shown else nullcontext():
            yield
    except Exception as error:  # of a layer's or a task's own code too, or too little memory
        words = str(error).strip().partition("\n")[0][:300]
        loop.say(f"{path} could not be made: {type(error).__name__}{': ' if words else ''}{words}")
