"""Watches over the other processes of a run, and has all do at the same step what one of them wants.

A collective operation waits for every process. One that is lost would have the others wait, for minutes or without
end, in code that nothing interrupts: so a thread ends this process, with words that say who is gone. And one that
stopped, or saved, at another step than the others would have them wait as well.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from archspec.diagnostics import DataError, SpecError
from archspec.output import say
from archspec.rendering import render_text
from archspec.training.star import LostError, Message, Star

GRACE = 5.0
"""Seconds that this process has to end by itself once another is lost, before a thread ends it."""


class Turn:
    """What all processes do at the same one of their calls of `due`, a few calls after one of them wanted it.

    All must make these calls, in the same order. Process 0 hears of the wish and has all hold: none makes another call
    until each has said how many it made. It will be the call after the most of these. Only threads that wait for
    nothing else take part in that, so it takes as long as a few messages do, and no step is waited for. A process
    alone does at once what it wants.
    """

    def __init__(self, star: Star | None, name: str) -> None:
        self.star, self.name = star, name
        self.calls = 0
        self.said = ""
        """Who wanted what was done last, and why, in words."""
        self.number = 0
        """A number that came with the wish."""
        self._wished = self._held = False
        self._at: dict[int, Message] = {}
        self._asked: Message = {}
        self._holding = False
        self._counts: dict[int, int] = {}
        if star is not None:
            star.handlers |= {
                f"wish {name}": self._wish,
                f"hold {name}": self._hold,
                f"calls {name}": self._called,
                f"turn {name}": self._turn,
            }

    def due(self, wanted: bool, number: int = 0, why: str = "") -> bool:
        """Whether this is the call. `number` and `why` are told to all with the wish. Raises `LostError`."""
        star = self.star
        if star is None:
            return wanted
        with star.changed:
            if wanted and not (self._wished or self._held or self._at):
                self._wished = True
                star.send(f"wish {self.name}", number=number, said=f"{star.own.said} {why}".rstrip())
            while self._held and star.lost is None:
                star.changed.wait(0.5)
            star.check()
            self.calls += 1
            if self.calls not in self._at:
                return False
            message = self._at.pop(self.calls)
            self.number, self.said = message["number"], message["said"]
            return True

    def _wish(self, sender: int, message: Message) -> None:
        """In process 0. While all are held for an earlier wish, that stands for this one too."""
        if not self._holding and self.star is not None:
            self._holding, self._counts = True, {}
            self._asked = {name: message[name] for name in ("number", "said")}
            self.star.tell(f"hold {self.name}")

    def _hold(self, sender: int, message: Message) -> None:
        assert self.star is not None
        with self.star.changed:
            self._held, self._wished = True, False
            calls = self.calls
        self.star.send(f"calls {self.name}", calls=calls)

    def _called(self, sender: int, message: Message) -> None:
        """In process 0: how many calls one has made."""
        assert self.star is not None
        self._counts[sender] = message["calls"]
        if len(self._counts) == self.star.total:
            self._holding = False
            self.star.tell(f"turn {self.name}", at=max(self._counts.values()) + 1, **self._asked)

    def _turn(self, sender: int, message: Message) -> None:
        assert self.star is not None
        with self.star.changed:
            self._held = False
            self._at[message["at"]] = message
            self.star.changed.notify_all()


class Lookout:
    """A thread that ends this process once another is lost, unless it ends by itself in time."""

    def __init__(self, star: Star, ending: Callable[[int], object] = os._exit) -> None:
        self.star = star
        self._ending = ending
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="archspec-lookout", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the watch: this process ends by itself."""
        self._over.set()

    def verdict(self, seconds: float) -> LostError | None:
        """Who is lost, for which it waits so long: an operation fails at once that the lookout is yet to explain."""
        with self.star.changed:
            self.star.changed.wait_for(lambda: self.star.lost is not None, seconds)
            return LostError(self.star.lost) if self.star.lost is not None else None

    def _watch(self) -> None:
        with self.star.changed:
            while self.star.lost is None and not self._over.is_set():
                self.star.changed.wait(1)
        if self._over.wait(GRACE):
            return
        assert self.star.lost is not None
        error = LostError(self.star.lost)
        say(render_text(error.diagnostics, colour=False))
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for child in multiprocessing.active_children():  # that read the data
            with suppress(OSError, ValueError):
                child.terminate()
        self._ending(error.status)


def first_line(error: BaseException) -> str:
    """What others are told of the error with which this process ends."""
    if isinstance(error, SpecError) and error.diagnostics:
        own = error.diagnostics[0]
        return f"{own.severity}[{own.code}]: {own.message}"
    if isinstance(error, DataError):
        return f"error[{error.code}]: {error.message}"
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted"
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:300]
