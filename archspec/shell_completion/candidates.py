"""What may come next on a command line, by the parser of the command that stands on it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from archspec.shell_completion.scripts import SHELLS
from archspec.shell_completion.values import BY_METAVAR, BY_NAME, Candidate

ParserOf = Callable[[str], argparse.ArgumentParser]
"""The parser of a command."""

GLOBAL = {
    "--help": "show this help message and exit",
    "--version": "print the version and exit",
    "--install-completion": "install completion of commands for a shell",
    "--show-completion": "print the script that completes commands in a shell",
}
"""Options that stand where a command could."""


def candidates(words: Sequence[str], current: str, commands: Mapping[str, str], parser_of: ParserOf) -> list[Candidate]:
    """What fits where `current` has been typed so far behind `words`, those after the program's own name.

    `commands` are all, with what each is for; a parser is made of the one alone that is named.
    """
    if not words:
        known: Iterable[Candidate] = (Candidate(*item) for item in (GLOBAL if current[:1] == "-" else commands).items())
    elif words[-1] in ("--install-completion", "--show-completion"):
        known = map(Candidate, SHELLS)
    elif words[0] in commands:
        known = _Line(words[0], parser_of(words[0])).after(words[1:], current)
    else:
        known = ()
    found = {own.value: own for own in known if own.value.startswith(current)}
    return sorted(found.values())


class _Line:
    """A command's line, word by word."""

    def __init__(self, command: str, parser: argparse.ArgumentParser) -> None:
        self.command = command
        self.parser = parser
        self.given: set[str] = set()
        """Names of the options that were given."""
        self.place = 0
        """The number of words that are no options."""
        self.open: argparse.Action | None = None
        """An option that waits for its value."""
        self.options = True
        """Whether a word with a - in front is an option still."""

    def after(self, words: Sequence[str], current: str) -> Iterable[Candidate]:
        for word in words:
            self._take(word)
        if self.open is not None:
            return self._values(self.open, current)
        if self.options and current.startswith("--") and "=" in current:
            name, _, start = current.partition("=")
            action = self.parser._option_string_actions.get(name)
            if action is None or action.nargs == 0:
                return ()
            return (Candidate(f"{name}={own.value}", own.about) for own in self._values(action, start))
        if self.options and current.startswith("-"):
            return self._names()
        action = self._positional()
        return () if action is None else self._values(action, current)

    def _take(self, word: str) -> None:
        if self.open is not None:
            self.open = None
        elif self.options and word == "--":
            self.options = False
        elif self.options and word.startswith("-") and word != "-" and not word.startswith("-#"):
            name, given, _ = word.partition("=")
            action = self.parser._option_string_actions.get(name)
            if action is not None:
                self.given.add(action.dest)
                self.open = action if action.nargs is None and not given else None
        else:
            action = self._positional()
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                self.parser, self.place = action.choices[word], 0
                return
            self.place += 1

    def _positional(self) -> argparse.Action | None:
        """What the next word is that is no option."""
        place = self.place
        for action in self.parser._actions:
            if action.option_strings:
                continue
            many = action.nargs in ("*", "+", argparse.REMAINDER)
            size = action.nargs if isinstance(action.nargs, int) else 1
            if many or place < size:
                return action
            place -= size
        return None

    def _names(self) -> Iterator[Candidate]:
        for action in self.parser._actions:
            again = isinstance(action, argparse._AppendAction) or action.dest not in self.given
            if action.option_strings and again and action.help != argparse.SUPPRESS:
                yield Candidate(action.option_strings[-1], action.help or "")

    def _values(self, action: argparse.Action, start: str) -> Iterable[Candidate]:
        if isinstance(action, argparse._SubParsersAction):
            helps: dict[str, Any] = {own.dest: own.help for own in action._choices_actions}
            return (Candidate(name, helps.get(name) or "") for name in action.choices)
        if action.choices is not None:
            return (Candidate(str(choice)) for choice in action.choices)
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        values = BY_NAME.get((self.command, action.dest)) or BY_METAVAR.get(metavar)
        return () if values is None else values(start)
