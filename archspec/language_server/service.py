"""The workspace on a thread of its own, so that the server hears what is typed while a text is read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from archspec.diagnostics import Diagnostic
from archspec.editing.analysis import Analysis
from archspec.editing.workspace import Workspace
from archspec.elaborate.trace import Cancelled
from archspec.source import laid

Answer = TypeVar("Answer")

UNCOLLECTED = 30
"""Readings whose remains may lie in memory while somebody types, two megabytes each of a large network."""


class Service:
    """Asks and changes a `Workspace` in the order of what comes.

    A change ends the reading of a text that is older than it, and whoever waits for an answer gets one from the text of
    now.
    """

    def __init__(self, unforeseen: Callable[[Exception], Diagnostic]) -> None:
        self._workspace = Workspace(unforeseen)
        self._thread = ThreadPoolExecutor(1, "reading")
        self._changes = 0
        self._collected = 0
        # A collection looks at every object there is, which takes as long as a reading: it waits for a moment in which
        # nobody waits for an answer.
        gc.disable()

    async def change(self, change: Callable[[Workspace], Answer]) -> Answer:
        """Changes the workspace; what is being read is left off."""
        self._changes += 1
        return await self.run(lambda: change(self._workspace))

    async def ask(self, path: Path, question: Callable[[Workspace, Analysis], Answer]) -> Answer | None:
        """What a question about an open text gives; None where the text is none of ours."""

        def answer() -> Answer | None:
            # Much of what is asked is read only then: bases of variants, smallest inputs. It is read from what is open.
            with laid(self._workspace):
                analysis = self._workspace.analysis(path, lambda: self._changes != changes)
                return None if analysis is None else question(self._workspace, analysis)

        while True:
            changes = self._changes
            try:
                return await self.run(answer)
            except Cancelled:
                continue

    async def collect(self, *, idle: bool) -> None:
        """Takes apart what older readings were made of, if it is time: when nobody types, or much has piled up."""
        readings = self._workspace.readings
        if readings - self._collected > (0 if idle else UNCOLLECTED):
            self._collected = readings
            await self.run(_collect)

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Does something on the thread, behind what it was given before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def see(self, question: Callable[[Workspace], Answer]) -> Answer:
        """What a question about all open texts gives."""

        def answer() -> Answer:
            with laid(self._workspace):
                return question(self._workspace)

        return await self.run(answer)

    def is_changed(self, since: int) -> bool:
        """Whether anything was changed since `now`."""
        return self._changes != since

    @property
    def now(self) -> int:
        """The number of changes so far."""
        return self._changes

    def stop(self) -> None:
        """Ends the thread once what it is at is done."""
        self._changes += 1
        self._thread.shutdown(wait=False, cancel_futures=True)


def _collect() -> None:
    gc.collect()
