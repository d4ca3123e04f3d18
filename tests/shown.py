"""Commands that a page of docs/ shows with what they print: `    $ archspec …`, and indented lines below it.

python -m tests.shown docs/lecture.md       runs them from the repository and writes what they print into the page
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from archspec.cli import main

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^    \$ (archspec (?:.*\\\n)*.*)\n((?:    (?!\$ ).*\n|\n(?=    (?!\$ )))*)", re.M)
"""A command, which lines that end in a backslash go on, and what it prints, up to the next command or text."""

STORY = re.compile(
    r"`(?P<file>[\w.-]+\.yaml)`[^\n`]*:\n\n(?P<text>(?:    .*\n|\n(?=    ))+)"
    r"|^    \$ (?P<command>(?:.*\\\n)*.*)\n(?P<lines>(?:    (?!\$ ).*\n|\n(?=    (?!\$ )))*)",
    re.M,
)
"""A file that a page has its reader write, or a command of any program."""

LEFT_OUT = "…"
"""A line that stands for lines which the page leaves out; at the end of a line, for what is left of it."""


class Shown(NamedTuple):
    """A command as it is typed, and the lines that the page says it prints."""

    command: str
    lines: tuple[str, ...]


class File(NamedTuple):
    """A file that a page has its reader write."""

    name: str
    text: str


def shown(page: Path) -> Iterator[Shown]:
    for command, printed in BLOCK.findall(page.read_text("utf-8")):
        yield Shown(command, _lines(printed))


def _lines(printed: str) -> tuple[str, ...]:
    return tuple(line.removeprefix("    ") for line in printed.rstrip().splitlines())


def story(page: Path) -> Iterator[Shown | File]:
    """What a page has its reader do, in order: files to write, commands with what they print."""
    for found in STORY.finditer(page.read_text("utf-8")):
        if found["file"]:
            yield File(found["file"], "\n".join(_lines(found["text"])) + "\n")
        else:
            yield Shown(found["command"], _lines(found["lines"]))


def told(page: Path, exact: bool = True) -> list[str]:
    """Does what a page has its reader do in the current folder, and gives the commands that print something else.

    What is not `exact` may have other numbers: those of training depend on the processor.
    """
    wrong = []
    for step in story(page):
        if isinstance(step, File):
            Path(step.name).write_text(step.text, "utf-8")
        elif step.command.startswith("archspec "):
            lines = printed(step.command)
            if not agrees(step.lines, lines, exact=exact and not of_a_run(step.command)):
                wrong.append("\n".join([step.command, *lines]))
        else:
            subprocess.run(["bash", "-c", step.command], check=True)
    return wrong


def of_a_run(command: str) -> bool:
    """Whether what a command prints depends on how a network was trained."""
    return re.match(r"archspec (train|eval|predict|explain runs|walkthrough runs)", command) is not None


def printed(command: str) -> list[str]:
    """The lines that a command prints to standard output and error, in the current folder.

    What is said where a start is slow, `loading JAX …`, is left out.
    """
    text = StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        main(shlex.split(re.sub(r"\s+#\s.*$", "", command.replace("\\\n", " ")))[1:])
    lines = [line.rstrip() for line in text.getvalue().rstrip().splitlines()]
    return [line for line in lines if not line.endswith(" …")]


NUMBER = re.compile(r"−?\d[\d,.]*")


def agrees(said: tuple[str, ...], lines: list[str], *, exact: bool = True) -> bool:
    """Whether the page says what was printed; a line `…` stands for any lines, and one that ends so goes on.

    Numbers, and the spaces beside them, may differ where it need not be `exact`.
    """
    text = "".join(f"{line}\n" for line in lines)

    def pattern(line: str) -> str:
        if line.strip() == LEFT_OUT:
            return "(?:.*\n)*"
        goes_on = line.endswith(f" {LEFT_OUT}")
        own = line.rstrip().removesuffix(LEFT_OUT)
        parts = [own] if exact else NUMBER.split(re.sub(r" +", " ", own))
        return NUMBER.pattern.join(map(re.escape, parts)) + (".*" if goes_on else "") + "\n"

    return re.fullmatch("".join(map(pattern, said)), text if exact else re.sub(r" +", " ", text)) is not None


def rewritten(page: Path) -> str:
    """The page with what its commands print now; where lines are left out, and the page agrees, as it is."""

    def block(found: re.Match[str]) -> str:
        said = _lines(found[2])
        lines = printed(found[1])
        if agrees(said, lines):
            return found[0]
        indented = "".join(f"    {line}\n" if line else "\n" for line in lines)
        return f"    $ {found[1]}\n{indented}"

    return BLOCK.sub(block, page.read_text("utf-8"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(rewritten(Path(name)), "utf-8")
