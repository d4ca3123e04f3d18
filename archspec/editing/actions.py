"""Mends of what is wrong where the cursor is: those that do no harm."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from archspec import mending
from archspec.diagnostics import Diagnostic, Mend
from archspec.editing.analysis import Analysis, Reading, of_all_variants, read
from archspec.editing.workspace import Workspace
from archspec.positions import Position, end_of, start_of
from archspec.source import text_of

MOST = 12
"""Mends that are tried, each of which takes a reading of the text."""


class Action(NamedTuple):
    """A mend of a finding. It is `preferred` where there is no other and the text leaves no doubt."""

    diagnostic: Diagnostic
    mend: Mend
    preferred: bool


def actions(workspace: Workspace, analysis: Analysis, first: Position, last: Position) -> list[Action]:
    """The mends of the findings between two positions with which their finding is gone and no error has come, in any
    variant that was read. To be called with the open texts laid over the disk's files."""
    asked = [
        (item, mend)
        for item in analysis.diagnostics
        if _is_between(analysis.now, item, first, last)
        for mend in item.mends
        if all(_is_the_users(workspace, edit.span.source.path) for edit in mend.edits)
    ][:MOST]
    if not asked:
        return []
    of_all = analysis.of_all is not None and any(item not in analysis.now.diagnostics for item, _ in asked)
    mender = mending.Mender([str(analysis.now.path)], _Reader(workspace, analysis, of_all=of_all))
    good = [(item, mend) for item, mend in asked if mender.harm_of(item, mend) is None]
    counts = {id(item): sum(other is item for other, _ in good) for item, _ in good}
    return [Action(item, mend, mend.certain and counts[id(item)] == 1) for item, mend in good]


class _Reader:
    """Reads the text as mends would make it; the first time it is as it was read."""

    def __init__(self, workspace: Workspace, analysis: Analysis, *, of_all: bool) -> None:
        self.workspace = workspace
        self.analysis = analysis
        self.of_all = of_all
        self.begun = False

    def __call__(self, target: str) -> mending.Reading:
        now = self.analysis.now
        if not self.begun:
            self.begun = True
            items = self.analysis.diagnostics if self.of_all else now.diagnostics
            return mending.Reading(tuple(items), frozenset(now.files))
        made = read(now.path, text_of(now.path), now.variant, _never, self.workspace.unforeseen)
        items = of_all_variants(made, _never) if self.of_all else made.diagnostics
        return mending.Reading(tuple(items), frozenset(made.files))


def _never() -> bool:
    return False


def _is_between(reading: Reading, item: Diagnostic, first: Position, last: Position) -> bool:
    span = item.primary.span if item.primary is not None else None
    return span is not None and reading.is_here(span) and start_of(span) <= last and first <= end_of(span)


def _is_the_users(workspace: Workspace, path: Path | None) -> bool:
    """Whether a file may be changed: one that is open, or one of the disk that no package brought."""
    return path is not None and (workspace.holds(path) or mending.is_foreign(path) is None)
