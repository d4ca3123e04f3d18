"""Examples of codes, and what `validate` says of those that are specs."""

from __future__ import annotations

import re
from pathlib import Path

from archspec.codes import Code, complete
from archspec.diagnostics import SpecError, count
from archspec.loading import open_specs
from archspec.rendering import render_text
from archspec.source import OneText, laid

FILE = Path("net.yaml")
"""What the spec of an example is called."""

LONGEST = 12
"""Lines of an example, and of what is said of it, that are shown; the rest is only counted."""


WIDEST = 200
"""Characters of their lines that are."""


def example_of(code: Code) -> str:
    """The example as a whole spec, or as commands that come to it."""
    return cut(complete(code.example).rstrip() if code.example else "\n".join(f"$ {line}" for line in code.commands))


def said_of(code: Code) -> str:
    """What `archspec validate net.yaml` says of the example; nothing where it is no spec."""
    if not code.example:
        return ""

    with laid(OneText(FILE, complete(code.example))):
        try:
            found = [item for spec in open_specs(str(FILE)) for item in spec.diagnostics]
        except SpecError as error:
            found = list(error.diagnostics)
    # Paths that messages have whole are shown as the spec's neighbours.
    return cut(render_text(list(dict.fromkeys(found))).replace(f"{Path.cwd()}/", ""))


def cut(text: str) -> str:
    """A text without the lines and characters that are too many to be shown."""
    lines = [line if len(line) <= WIDEST else line[: WIDEST - 1] + "…" for line in text.splitlines()]
    left = len(lines) - LONGEST
    return "\n".join(lines if left < 3 else [*lines[:LONGEST], f"… and {count(left, 'line')} more"])


def plain(text: str) -> str:
    """Text of the page for a terminal: links as the files that they lead to."""
    return re.sub(r"\[([^\]]*)\]\(([^)]*)\)", lambda found: f"docs/{found[2]}", text)
