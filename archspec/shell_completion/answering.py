"""`archspec --complete SHELL …`, which the shells' scripts call."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from archspec.shell_completion.candidates import ParserOf, candidates
from archspec.shell_completion.values import Candidate
from archspec.shell_completion.words import BREAKS, inserted, split

WIDTH = 60
"""Descriptions have so many characters at most."""


def answer(arguments: Sequence[str], commands: Mapping[str, str], parser_of: ParserOf) -> int:
    """Prints what fits, one a line, and returns the exit status.

    Of bash the arguments are the cursor's place in bytes and the line; of zsh and fish the words, of which the last is
    the one at the cursor. Nobody can read what goes wrong here, so nothing is said of it.
    """
    if len(arguments) < 2:
        return 2
    shell, *rest = arguments
    lines: list[str] = []
    with suppress(OSError, ValueError):
        if shell == "bash":
            if len(rest) != 2:
                return 2
            text = os.fsencode(rest[1])[: int(rest[0])]
            line = split(text.decode(errors="ignore"))
            found = candidates(line.words[1:], line.current, commands, parser_of)
            breaks = os.environ.get("_ARCHSPEC_BREAKS", BREAKS)
            lines = [inserted(own.value, line, breaks) for own in found if _is_line(own)]
        else:
            found = candidates(rest[:-1], rest[-1], commands, parser_of)
            lines = [f"{own.value}\t{_about(own)}" for own in found if _is_line(own)]
    sys.stdout.write("".join(f"{own}\n" for own in lines))
    return 0


def _is_line(own: Candidate) -> bool:
    """Whether a name has no character that would end its line."""
    return not any(char in own.value for char in "\n\r\t")


def _about(own: Candidate) -> str:
    text = " ".join(own.about.replace("%%", "%").split())
    return text if len(text) <= WIDTH else text[: WIDTH - 1].rstrip() + "…"
