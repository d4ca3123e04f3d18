"""The words of `$(…)`, as they are written: with escapes and over line ends, half-written expressions too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from archspec.expressions import FUNCTIONS

Kind = Literal["name", "size", "function", "constant", "keyword", "number", "text", "operator"]

_TEXTS = {
    "": r"""'[^'\n]*'|"[^"\n]*\"""",
    "'": r"""''(?:[^'\n])*?''|"[^"'\n]*\"""",
    '"': r"""'[^'"\n]*'|\\"[^"\n]*?\\\"""",
}
"""Texts in an expression, by the quotes around the scalar that it stands in."""

_WORDS = {
    quote: re.compile(
        rf"(?P<text>{text})|(?P<name>[^\W\d]\w*)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
        r"|(?P<operator>\*\*|//|[<>=!]=|[-+*/%<>])|(?P<other>[^\s])"
    )
    for quote, text in _TEXTS.items()
}

_KEYWORDS = frozenset({"if", "else", "and", "or", "not", "in"})
_CONSTANTS = frozenset({"true", "false", "null", "True", "False", "None"})

_OPEN = re.compile(r"\$?\$\(")


class Word(NamedTuple):
    """A word of an expression, with its offsets in the text; of a text those of what is between its quotes."""

    kind: Kind
    text: str
    start: int
    end: int


class Expression(NamedTuple):
    """One `$(…)`, whose offsets are those of the dollar and of what follows the bracket, or of where the text ends."""

    start: int
    end: int
    words: tuple[Word, ...]


def expressions(text: str, start: int, end: int) -> Iterator[Expression]:
    """The expressions in a scalar that is written between two offsets of a text."""
    quote = text[start] if text[start : start + 1] in ("'", '"') else ""
    at = start
    while match := _OPEN.search(text, at, end):
        at = match.end()
        if len(match.group()) == 3:
            continue
        words, at = _words(text, at, end, quote)
        yield Expression(match.start(), at, tuple(words))


def _words(text: str, start: int, end: int, quote: str) -> tuple[list[Word], int]:
    """The words of an expression from behind its bracket on, and where it ends."""
    words: list[Word] = []
    depth = 1
    before = ""
    for match in _WORDS[quote].finditer(text, start, end):
        kind, word = match.lastgroup, match.group()
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
            if depth == 0:
                return words, match.end()
        elif kind == "text":
            inside = 2 if word[:1] == "\\" or (quote == "'" and word[:2] == "''") else 1
            words.append(Word("text", word[inside:-inside], match.start() + inside, match.end() - inside))
        elif kind == "name":
            words.append(Word(_kind_of(word, before, text[match.end() : end]), word, match.start(), match.end()))
        elif kind in ("number", "operator"):
            words.append(Word("number" if kind == "number" else "operator", word, match.start(), match.end()))
        before = word
    return words, end


def _kind_of(word: str, before: str, rest: str) -> Kind:
    if before == ".":
        return "size"
    if word in _KEYWORDS:
        return "keyword"
    if word in FUNCTIONS and rest.lstrip().startswith("("):
        return "function"
    return "constant" if word in _CONSTANTS else "name"


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether a scalar that is written between two offsets is one expression and nothing beside it."""
    if text[start : start + 1] in ("'", '"'):
        start, end = start + 1, end - 1
    found = list(expressions(text, start, end))
    return len(found) == 1 and (found[0].start, found[0].end) == (start, end)
