"""Texts with a cursor, and what is offered there."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import Diagnostic
from archspec.editing.completing import Completion, completions
from archspec.editing.workspace import Workspace
from archspec.positions import Lines
from archspec.source import laid

CURSOR = "¦"
ZOO = Path(__file__).parents[2] / "specs" / "zoo"
EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"


def raised(error: Exception) -> Diagnostic:
    """Nothing is to be unforeseen."""
    raise error


def opened(text: str, path: Path, variant: str | None = None) -> Workspace:
    """A workspace with one text in it."""
    workspace = Workspace(raised)
    workspace.put(path, text, ours=True)
    workspace.show(path, variant)
    return workspace


def offered_in(workspace: Workspace, path: Path, offset: int, focus: str = "") -> list[Completion]:
    """What is offered at an offset of an open text."""
    analysis = workspace.analysis(path)
    assert analysis is not None
    with laid(workspace):
        return completions(analysis, Lines(analysis.now.text).position(offset), focus)


def offered(text: str, *, path: Path | None = None, variant: str | None = None, focus: str = "") -> list[Completion]:
    """What is offered where the cursor is in a text."""
    before, mark, after = text.partition(CURSOR)
    assert mark
    path = path or EXAMPLES / "written.yaml"
    return offered_in(opened(before + after, path, variant), path, len(before), focus)


def labels(text: str, *, path: Path | None = None, variant: str | None = None, focus: str = "") -> list[str]:
    """The labels of what is offered, in order."""
    return [item.label for item in offered(text, path=path, variant=variant, focus=focus)]


def item(text: str, label: str, *, variant: str | None = None, focus: str = "") -> Completion:
    """The item of a label."""
    return next(own for own in offered(text, variant=variant, focus=focus) if own.label == label)


def applied(text: str, own: Completion) -> str:
    """A text with an item put in."""
    lines = Lines(text)
    return text[: lines.offset(own.start)] + own.text + text[lines.offset(own.end) :]


def completed(text: str, label: str, *, variant: str | None = None) -> str:
    """A text with a cursor, with the item of a label put in."""
    return applied(text.replace(CURSOR, ""), item(text, label, variant=variant))


def errors(workspace: Workspace, path: Path) -> list[Diagnostic]:
    """The errors of an open text."""
    analysis = workspace.analysis(path)
    assert analysis is not None
    return [found for found in analysis.now.diagnostics if found.severity == "error"]
