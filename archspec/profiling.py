"""Traces of steps that TensorBoard (its profile plug-in) and Perfetto open: perfetto_trace.json.gz. Nodes have paths.

On CPUs XLA gives a trace the bare names of operations; what it knows of them otherwise, the paths of nodes too, is in
the text of the compiled program, from which it is added.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archspec.diagnostics import count, unwritable

PROFILED = 3
"""Steps of a trace."""
BEFORE = 1
"""Steps that a run takes before: the first is slower."""

TRACE = "perfetto_trace.json.gz"


def check_folder(folder: Path) -> None:
    """Makes the folder of a profile. Raises `DataError` (E534) where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None


class Profile:
    """A trace of steps that others take: `begin`, some steps, `end`. `say` is told where it lies.

    With no folder nothing is ever traced.
    """

    def __init__(self, folder: Path | None, say: Callable[[str], None] = lambda note: None) -> None:
        self._folder = folder
        self._say = say
        self._steps = 0
        self._there: set[Path] = set()
        self._program: Callable[[], str] | None = None
        """The text of the program that is traced; None while nothing is."""

    def step(self, state: Any, program: Callable[[], str]) -> None:
        """A step of a run comes next, on this state: begins after the first steps, and ends some steps later."""
        if self._folder is None:
            return
        if self._steps == BEFORE:
            self.begin(state, program)
        elif self._steps == BEFORE + PROFILED:
            self.end(state)
        self._steps += 1

    def begin(self, state: Any, program: Callable[[], str]) -> None:
        """From now on; once what the state comes from is computed."""
        import jax

        assert self._folder is not None
        wait: Any = jax.block_until_ready
        wait(state)
        self._there = set(self._folder.rglob(TRACE))
        jax.profiler.start_trace(str(self._folder), create_perfetto_trace=True)
        self._program = program

    def end(self, state: Any) -> None:
        """Until now, where it has begun: once the state is computed, the trace is written."""
        import jax

        program, self._program = self._program, None
        if program is None or self._folder is None:
            return
        wait: Any = jax.block_until_ready
        wait(state)
        _stop_trace()
        for file in set(self._folder.rglob(TRACE)) - self._there:
            _name_nodes(file, program())
        self._say(said(self._folder))

    def close(self, state: Any) -> None:
        """A run has ended: what it had is written; where it took too few steps, that is told."""
        self.end(state)
        if self._folder is not None and self._steps <= BEFORE:
            self._say(f"no profile: {count(self._steps, 'step')} taken, and the first is not traced")

    def drop(self) -> None:
        """Ends a trace that is of no use, where one goes on: a run was stopped, or failed."""
        if self._program is not None:
            self._program = None
            _stop_trace()


def _stop_trace() -> None:
    import jax

    stop: Any = jax.profiler.stop_trace  # which has types in later versions alone
    stop()


def said(folder: Path) -> str:
    """Where a profile lies, and what opens it."""
    return f"profile {folder}: `tensorboard --logdir`, or {TRACE} on ui.perfetto.dev"


def _name_nodes(file: Path, program: str) -> None:
    """Adds to the operations of a trace what XLA knows of them, the nodes' paths: on CPUs it has bare names alone."""
    known = dict(re.findall(r"%?([\w.\-]+) = [^\n]*metadata=\{[^}\n]*?op_name=\"([^\"]*)\"", program))
    whole = json.loads(gzip.decompress(file.read_bytes()))
    for event in whole["traceEvents"] if isinstance(whole, dict) else whole:
        name = known.get(event.get("args", {}).get("hlo_op", ""))
        if name is not None:
            event["name"] = f"{name} ({event['name']})"
    file.write_bytes(gzip.compress(json.dumps(whole).encode()))
