"""What stands open where a text is cut: brackets, quotes, a comment. Nothing is refused, however broken the text is."""

from __future__ import annotations

import re
from typing import NamedTuple

_BLANK = re.compile(r"[ \t\r\n\x85\u2028\u2029\ufeff]*")
_COMMENT = re.compile(r"#[^\n\r]*")
_DOUBLE = re.compile(r'"(?:\\.|[^"\\])*"?', re.DOTALL)
_SINGLE = re.compile(r"'(?:''|[^'])*'?")
_IN_BLOCK = re.compile(r"(?:[^\n\r:# \t]|:(?=\S)|(?<=\S)#|[ \t](?!#))+")
_IN_FLOW = re.compile(r"(?:[^\n\r:# \t,\[\]{}]|:(?![\s,\[\]{}]|\Z)|(?<=\S)#|[ \t](?!#))+")
_PROPERTY = re.compile(r"[&!*][^\s,\[\]{}]*")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(?:#[^\n\r]*)?(?:\r\n|\n|\r|\Z)")
_INDICATOR = re.compile(r"[-?:](?=\s|\Z)")

CLOSING = {"{": "}", "[": "]"}


class Open(NamedTuple):
    """What stands open at the end of a text."""

    brackets: tuple[tuple[str, int], ...]
    """The brackets that are not closed, from the outside in, each with its offset."""
    quote: str
    """The quote that a value began with and that has not come again; empty outside."""
    silent: bool
    """Whether it ends in a comment, or in a text of several lines after `|` or `>`."""

    @property
    def closers(self) -> str:
        """What closes all of it."""
        return self.quote + "".join(CLOSING[bracket] for bracket, _ in reversed(self.brackets))


def open_at_end(text: str) -> Open:
    """What stands open at the end of a text, as YAML reads it."""
    brackets: list[tuple[str, int]] = []
    at, end = 0, len(text)
    while at < end:
        blank = _BLANK.match(text, at)
        assert blank is not None
        at = blank.end()
        if at >= end:
            break
        char = text[at]
        if char == "#" and (at == 0 or text[at - 1].isspace()):
            comment = _COMMENT.match(text, at)
            assert comment is not None
            if comment.end() >= end:
                return Open(tuple(brackets), "", True)
            at = comment.end()
        elif char in "\"'":
            quoted = (_DOUBLE if char == '"' else _SINGLE).match(text, at)
            assert quoted is not None
            if quoted.end() >= end and (len(quoted.group()) == 1 or not quoted.group().endswith(char)):
                return Open(tuple(brackets), char, False)
            at = quoted.end()
        elif char in "[{":
            brackets.append((char, at))
            at += 1
        elif char in "]}":
            if brackets:
                brackets.pop()
            at += 1
        elif char == "," and brackets:
            at += 1
        elif (indicator := _INDICATOR.match(text, at)) is not None or (char == ":" and brackets):
            at = indicator.end() if indicator is not None else at + 1
        elif char in "&!*" and (word := _PROPERTY.match(text, at)) is not None:
            at = word.end()
        elif char in "|>" and not brackets and (header := _HEADER.match(text, at)) is not None:
            after = _after_lines(text, at, header.end())
            if after is None:
                return Open((), "", True)
            at = after
        else:
            plain = (_IN_FLOW if brackets else _IN_BLOCK).match(text, at)
            at = plain.end() if plain is not None else at + 1
    return Open(tuple(brackets), "", False)


def _after_lines(text: str, header: int, start: int) -> int | None:
    """Where the lines after `|` or `>` end: the first one that is indented less; None where the text ends in them."""
    begin = max(text.rfind("\n", 0, header), text.rfind("\r", 0, header)) + 1
    own = len(text[begin:header]) - len(text[begin:header].lstrip(" "))
    least: int | None = None
    at = start
    while at < len(text):
        stop = text.find("\n", at)
        line = text[at:] if stop < 0 else text[at:stop]
        indent = len(line) - len(line.lstrip(" "))
        if line.strip() and least is None:
            least = max(indent, own + 1)
        if (line.strip() or stop < 0) and indent < (own + 1 if least is None else least):
            return at
        if stop < 0:
            return None
        at = stop + 1
    return len(text)
