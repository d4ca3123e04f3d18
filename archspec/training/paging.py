"""The page of a run, at its end."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from archspec.output import said_when_slow
from archspec.runs.folder import PAGE
from archspec.training.evaluation import Evaluated
from archspec.training.result import Result
from archspec.writing import write

if TYPE_CHECKING:
    from archspec.training.loop import Loop


def write_page(loop: Loop, result: Result) -> None:
    """Writes the page of a run that has ended, with the figures of the part that it is judged by.

    What goes wrong there is said, and is no failure of the run: the network is trained.
    """
    from archspec.review.making import page_of

    path = loop.folder.path / PAGE
    try:
        with said_when_slow("making the run's page") if loop.shown else nullcontext():
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
    except Exception as error:  # of a layer's or a task's own code too, or too little memory
        words = str(error).strip().partition("\n")[0][:300]
        loop.say(f"{path} could not be made: {type(error).__name__}{': ' if words else ''}{words}")
