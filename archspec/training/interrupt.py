"""Ctrl-C and SIGTERM between steps, so that a checkpoint that is being written is never cut off, and never in vain."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from archspec.output import LOADING, said_when_slow

if TYPE_CHECKING:
    from archspec.training.lookout import Turn


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM, which waited for its moment. `status` is the exit status that says which.

    With `by_all` all processes of a run stopped at the same step, since one was told to.
    """

    def __init__(self, words: str = "", number: int = signal.SIGINT, *, by_all: bool = False) -> None:
        super().__init__(words)
        self.number = number
        self.by_all = by_all

    @property
    def status(self) -> int:
        return 128 + self.number


@contextmanager
def held_back(*signals: signal.Signals, turn: Turn | None = None) -> Iterator[Callable[[], None]]:
    """Holds Ctrl-C, or the signals named, back until the function that this gives is called, which raises `Stopped`.

    A second one of them acts at once. With `turn` all processes of a run stop at the same one of these calls, a signal
    to any of them.
    """
    asked: list[int] = []

    def check() -> None:
        number = asked[0] if asked else 0
        if turn is None or turn.star is None:
            if asked:
                raise Stopped(number=number)
        elif turn.due(bool(asked), number, f"got {signal.Signals(number).name}" if asked else ""):
            raise Stopped(turn.said, number or turn.number, by_all=True)

    if not _main_thread():
        yield check  # signals reach the main thread only
        return
    before = {number: signal.getsignal(number) for number in signals or (signal.SIGINT,)}

    def restore() -> None:
        for number, handler in before.items():
            # None: it was set by what is not Python, and cannot be set again from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield check
    finally:
        restore()


@contextmanager
def loading() -> Iterator[None]:
    """Says that JAX is loaded, where that takes long, and holds Ctrl-C back meanwhile, which is raised at the end.

    Extension modules that it falls into while they are loaded print a traceback, or bring the process down.
    """
    with said_when_slow(LOADING), held_back() as check:
        yield
    check()


interrupts = threading.Event()
"""Set by a Ctrl-C: extension modules that it falls into while they are loaded raise an error of their own instead."""


def lose_nothing() -> None:
    """From now on, sees to the errors that Python can only print, since what they were raised in has no caller."""
    if not isinstance(sys.unraisablehook, _Unheard):
        sys.unraisablehook = _Unheard(sys.unraisablehook)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler and _main_thread():
        signal.signal(signal.SIGINT, _noted)


def _noted(number: int, frame: FrameType | None) -> None:
    interrupts.set()
    signal.default_int_handler(number, frame)


def _main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@dataclass(frozen=True)
class _Unheard:
    """Answers errors without a caller: two kinds itself, all others as it was done before.

    A Ctrl-C that falls into a callback of the garbage collector, of which JAX has one, is sent once more: it would
    have been printed and forgotten. Reads of a checkpoint that go on after another read of it failed are not told of;
    some of them end when the command has ended.
    """

    before: Callable[[sys.UnraisableHookArgs], object]

    def __call__(self, error: sys.UnraisableHookArgs) -> None:
        if isinstance(error.exc_value, KeyboardInterrupt):
            # Later, and not from here, where it would be lost again.
            threading.Timer(0.02, _thread.interrupt_main).start()
        elif not (isinstance(error.exc_value, RuntimeError) and str(error.exc_value) == "Event loop is closed"):
            self.before(error)
