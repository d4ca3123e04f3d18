"""Progress: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Timer
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import count
from archspec.output import printable, said_when_slow, say
from archspec.tasks import Head
from archspec.training.scaling import said

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

UPDATES_PER_SECOND = 4
COMPILING = "compiling the training step"
SAID = 3
"""So many outputs beside the main one have their figures in an epoch's line."""


class Progress:
    """Says how training goes: how many of `what`, images or samples, a second too. `shown` is False for silence.

    `held` is what the figures of an epoch's end are called: held out, or validation where there is a test part too.
    """

    def __init__(self, total_steps: int, done: int, what: str, shown: bool, held: str = "held out") -> None:
        self.shown = shown
        self.held = held
        self.what = what
        self.done = done
        self.bar: Bar | None = None
        self.task: TaskID | None = None
        self.begun = time.monotonic()
        self.due = self.begun
        # The first step waits for its program; a large network's takes a minute.
        self.waiting = Timer(1.0, say, [f"{COMPILING} …"])
        self.waiting.daemon = True
        self._measured: set[str] = set()
        if shown and sys.stderr.isatty():
            self._open_bar(total_steps)
        elif shown:
            with suppress(RuntimeError):  # no more threads can be had
                self.waiting.start()

    def _open_bar(self, total_steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task(COMPILING, total=total_steps, completed=self.done, figures="")
        self.bar.start()

    @property
    def wants_figures(self) -> bool:
        """Whether it is time to fetch figures from the device for the bar; asked after each step."""
        self.waiting.cancel()
        return self.bar is not None and time.monotonic() >= self.due

    def figures(self, step: int, epoch: int, loss: float | None, running: str, per_second: float) -> None:
        """Moves the bar. The loss is that of the epoch so far, None before any label counted; `running` says more."""
        self.due = time.monotonic() + 1 / UPDATES_PER_SECOND
        if self.bar is not None and self.task is not None:
            text = f"loss {_loss(loss)}  {running}  {per_second:,.0f} {self.what}/s"
            self.bar.update(self.task, completed=step, description=f"epoch {epoch}", figures=text)

    @contextmanager
    def measuring(self, what: str) -> Iterator[None]:
        """Says on the bar that something is being measured; elsewhere once, where it takes long."""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, description=what)
            yield
        elif self.shown and what not in self._measured:
            self._measured.add(what)
            with said_when_slow(what):
                yield
        else:
            yield

    def epoch(self, record: dict[str, Any], epochs: int, metrics: str, main: str = "", others: str = "") -> None:
        """Says how an epoch ended; `metrics` are those of its end in words.

        With several outputs, `main` is the name of the one whose figures these are, and `others` has those of the rest.
        """
        of = f"{main} " if main else ""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=record["step"])
        after = record["validation"]
        speed = _speed(record["images_per_second"])
        text = (
            f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}  {of}loss {_loss(record['train']['loss'])}  "
            f"{self.held}: {of}loss {_loss(after['loss'])}  {metrics}{others}{said(record)}  {speed} {self.what}/s"
        )
        self.say(text)

    def say(self, text: str) -> None:
        """Prints a line without breaking the bar."""
        if self.bar is not None:
            self.bar.console.print(printable(text), highlight=False, markup=False)
        elif self.shown:
            say(text)

    def close(self) -> None:
        self.waiting.cancel()
        if self.bar is not None:
            self.bar.stop()


def of_others(heads: Sequence[Head], after: Mapping[str, Any]) -> str:
    """An epoch's held-out figures of other outputs than the main one, each with a mark before it; of many the first."""
    figures = after.get("outputs", {})
    said = [
        f"; {head.name} {head.said(figures[head.name])}"
        if head.name in figures
        else f"; {head.name} loss {_loss(after['heads'][head.name])}"
        for head in heads
    ]
    more = len(said) - SAID
    return "".join(said[:SAID]) + (f"; {count(more, 'more output')} in metrics.jsonl" if more > 0 else "")


def _loss(value: float | None) -> str:
    """Four places, unless it has run away; a dash where no label counted."""
    if value is None:
        return "–"
    return f"{value:.4f}" if value < 10_000 else f"{value:.4g}"


def _speed(value: float | None) -> str:
    """A dash where the steps took no time that was measured."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
