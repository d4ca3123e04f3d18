"""The pages of docs/reference/."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from archspec.manual import commands, kinds, language, python, specs

PAGES: dict[str, Callable[[], str]] = {
    "language.md": language.page,
    **{f"{family}.md": partial(kinds.page, family) for family in kinds.ABOUT},
    "commands.md": commands.page,
    "examples.md": specs.page,
    "python.md": python.page,
}
"""By file what makes it."""


def folder() -> Path:
    """Where the pages are, in a checkout."""
    return Path(__file__).parents[2] / "docs" / "reference"
