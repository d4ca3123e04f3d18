"""The four questions, in a terminal; each has a default, and an answer that will not do is asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from archspec.diagnostics import DataError, SpecError
from archspec.output import printable, say

Answer = TypeVar("Answer")


class EndedError(Exception):
    """There are no more answers: the input has ended."""


def ask(question: str, default: str | None, read: Callable[[str], Answer]) -> Answer:
    """The answer as `read` makes it of the words, or of the default where there are none.

    Where `read` raises `DataError` or `SpecError`, its reason is said, and the question asked again. Raises
    `EndedError`.
    """
    prompt = printable(f"{question} [{default}]: " if default is not None else f"{question}: ")
    while True:
        try:
            words = input(prompt).strip()
        except EOFError:
            print()
            raise EndedError from None
        words = words or default or ""
        if not words:
            continue
        try:
            return read(words)
        except DataError as error:
            _tell([error.message, *error.help])
        except SpecError as error:
            for item in error.diagnostics[:3]:
                _tell([item.message, *item.help])


def _tell(words: list[str]) -> None:
    first, *help = words
    say(printable(f"  {first}"))
    for line in help:
        say(printable(f"  help: {line}"))
