"""Commands that a page of docs/ shows with what they print: `    $ archspec …`, and indented lines below it.

python -m tests.shown docs/lecture.md       runs them from the repository and writes what they print into the page
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from archspec.cli import main

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^    \$ (archspec (?:.*\\\n)*.*)\n((?:    .*\n|\n(?=    (?!\$ )))*)", re.M)
"""A command, which lines that end in a backslash go on, and what it prints, up to the next command or text."""

LEFT_OUT = "…"
"""A line that stands for lines which the page leaves out."""


class Shown(NamedTuple):
    """A command as it is typed, and the lines that the page says it prints."""

    command: str
    lines: tuple[str, ...]


def shown(page: Path) -> Iterator[Shown]:
    for command, printed in BLOCK.findall(page.read_text("utf-8")):
        yield Shown(command, tuple(line.removeprefix("    ") for line in printed.rstrip().splitlines()))


def printed(command: str) -> list[str]:
    """The lines that a command prints to standard output and error, in the current folder.

    What is said where a start is slow, `loading JAX …`, is left out.
    """
    text = StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        main(shlex.split(command.replace("\\\n", " "))[1:])
    lines = [line.rstrip() for line in text.getvalue().rstrip().splitlines()]
    return [line for line in lines if not line.endswith(" …")]


def agrees(said: tuple[str, ...], lines: list[str]) -> bool:
    """Whether the page says what was printed; a line `…` stands for any lines."""
    pattern = "".join("(?:.*\n)*" if line.strip() == LEFT_OUT else re.escape(line.rstrip()) + "\n" for line in said)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def rewritten(page: Path) -> str:
    """The page with what its commands print now; where lines are left out, and the page agrees, as it is."""

    def block(found: re.Match[str]) -> str:
        said = tuple(line.removeprefix("    ") for line in found[2].rstrip().splitlines())
        lines = printed(found[1])
        if agrees(said, lines):
            return found[0]
        indented = "".join(f"    {line}\n" if line else "\n" for line in lines)
        return f"    $ {found[1]}\n{indented}"

    return BLOCK.sub(block, page.read_text("utf-8"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(rewritten(Path(name)), "utf-8")
