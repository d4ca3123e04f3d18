"""What was found and what is used, as tables and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.diagnostics import count, listed
from archspec.lowerings.case import Case
from archspec.lowerings.choosing import Source
from archspec.lowerings.plain import case_to_plain
from archspec.reports.cells import Cell, Table, short
from archspec.reports.roofline import seconds
from archspec.tuning.explaining import Explained
from archspec.tuning.search import NOISE, Outcome, Tried
from archspec.tuning.step import Step
from archspec.xla import PROGRAMS, Mode

SOURCES: tuple[Source, ...] = ("recorded", "tuned", "rule", "library")
NAMED = 2
"""Paths of a row that are named."""


def said(case: Case) -> str:
    """A case in one line: `conv 3×3 by 2, 56×56, 64→128, batch 8`, with what is not usual behind it."""
    kernel, size = ("×".join(map(str, own)) for own in (case.kernel, case.size))
    words = f"{case.operation} {kernel}"
    if set(case.stride) != {1}:
        words += f" by {case.stride[0] if len(set(case.stride)) == 1 else '×'.join(map(str, case.stride))}"
    is_conv = case.operation in ("conv", "transposed_conv")
    wide = f"{case.channels}→{case.filters}" if is_conv else count(case.channels, "channel")
    parts = [words, size, wide, f"batch {case.batch}"]
    if set(case.dilation) != {1}:
        parts.append(f"dilation {'×'.join(map(str, case.dilation))}")
    if case.groups != 1 and is_conv:
        parts.append("depthwise" if case.is_depthwise else f"{case.groups} groups")
    if case.dtype != "float32":
        parts.append(case.dtype)
    return ", ".join(parts)


def _paths(paths: Sequence[str]) -> str:
    return ", ".join(paths[:NAMED]) + (f" and {len(paths) - NAMED} more" if len(paths) > NAMED else "")


def explained(name: str, rows: Sequence[Explained], device: str, notes: Sequence[str]) -> Table:
    """A row for each direction of each operation, in the network's order, with counts of the sources."""
    cells = [[row.path, said(row.case), row.direction, ", ".join(row.modes), *row.why] for row in rows]
    return Table(
        ["layer", "operation", "direction", "in", "candidate", "chosen by", "because"],
        cells,
        [False] * 7,
        [f"{name} on {device}", sources(rows)],
        notes=notes,
    )


def sources(rows: Sequence[Explained]) -> str:
    """`9 directions of operations: rule 4, library 5`."""
    counted = Counter(row.why.source for row in rows)
    parts = [f"{source} {counted[source]}" for source in SOURCES if counted[source]]
    return f"{count(len(rows), 'direction')} of operations" + (f": {', '.join(parts)}" if parts else "")


def explained_to_dict(name: str, rows: Sequence[Explained], device: str, notes: Sequence[str]) -> dict[str, Any]:
    """As plain data."""
    counted = Counter(row.why.source for row in rows)
    return {
        "network": name,
        "device": device,
        "sources": {source: counted[source] for source in SOURCES},
        "notes": list(notes),
        "operations": [
            {
                "path": row.path,
                "case": case_to_plain(row.case),
                "direction": row.direction,
                "modes": list(row.modes),
                **row.why._asdict(),
            }
            for row in rows
        ],
    }


def tuned(name: str, outcome: Outcome, device: str, steps: Mapping[Mode, Step], notes: Sequence[str]) -> Table:
    """A row for each direction of a case that was timed, in the network's order."""
    rows = [_row(own) for own in outcome.tried]
    caption = [f"{name} on {device}", *summary(outcome), *(_step(mode, step) for mode, step in steps.items())]
    if not rows:
        return Table([], [], [], caption, notes=notes)
    return Table(
        ["layers", "operation", "direction", "so far", "time", "best", "time", "library"],
        rows,
        [False, False, False, False, True, False, True, True],
        caption,
        notes=notes,
    )


def _row(own: Tried) -> list[str | Cell]:
    present, best = own.present.candidate, own.best
    times = own.seconds
    return [
        _paths(own.asked.paths),
        said(own.asked.case),
        own.asked.direction,
        f"{present} ({own.present.source})",
        Cell(seconds(times[present]), times[present]),
        best if own.changed else "the same",
        Cell(seconds(times[best]), times[best]),
        Cell(seconds(times["library"]), times["library"]),
    ]


def summary(outcome: Outcome) -> list[str]:
    """In lines: how many were timed, how many have another candidate now, and what was not timed."""
    timed, changed = len(outcome.tried), outcome.changed
    faster = f", {len(changed)} with a candidate that takes at least {100 * NOISE:.0f} % less than the present one"
    lines = [f"{count(timed, 'direction')} of operations timed" + faster * (timed > 0)]
    modes: list[Mode] = ["train", "eval"]
    gains = [f"{seconds(outcome.gain(mode))} a {PROGRAMS[mode]}" for mode in modes if outcome.gain(mode) > 0]
    if gains:
        lines.append(f"together, by these times: {listed(gains)} less")
    said = [
        (outcome.left, "not reached in the time: the same command goes on with them, `--seconds` gives more"),
        (outcome.known, "tuned before, and not timed again: `--again` does"),
        (outcome.failed, "could not be run by themselves, and stay as they are"),
        (outcome.single, "with the library's as their only candidate"),
    ]
    return [*lines, *(f"{number} {words}" for number, words in said if number)]


def _step(mode: Mode, step: Step) -> str:
    before, after = seconds(step.before), seconds(step.after)
    return f"a whole {PROGRAMS[mode]}: {before} before, {after} now, {short(step.ratio)} times"


def tuned_to_dict(
    name: str, outcome: Outcome, device: str, steps: Mapping[Mode, Step], notes: Sequence[str], file: str | None
) -> dict[str, Any]:
    """As plain data: seconds. `file` is where the choices are kept, None where they are not."""
    modes: list[Mode] = ["train", "eval"]
    return {
        "network": name,
        "device": device,
        "kept": file,
        "single": outcome.single,
        "known": outcome.known,
        "failed": outcome.failed,
        "left": outcome.left,
        "gain": {mode: outcome.gain(mode) for mode in modes},
        "steps": {mode: {**step._asdict(), "ratio": step.ratio} for mode, step in steps.items()},
        "notes": list(notes),
        "operations": [
            {
                "paths": list(own.asked.paths),
                "case": case_to_plain(own.asked.case),
                "direction": own.asked.direction,
                "times": own.asked.times,
                "present": own.present.candidate,
                "source": own.present.source,
                "best": own.best,
                "seconds": own.seconds,
            }
            for own in outcome.tried
        ],
    }
