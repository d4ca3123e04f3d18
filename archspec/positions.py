"""Lines and columns of a text, as YAML and as editors count them, and where lines stand once others were changed."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

from archspec.diagnostics import Span

YAML_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_EDITOR_BREAK = re.compile("\r\n|[\n\r]")
"""Editors know three ends of a line, YAML 1.1's parser six."""


class Position(NamedTuple):
    """A place between two characters, as spans count: line and column from 1."""

    line: int
    column: int


class Lines:
    """Where the lines of a text begin. A place is an offset in it, which each way of counting turns into its own."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _yaml(self) -> list[int]:
        return [0, *(match.end() for match in YAML_BREAK.finditer(self.text))]

    @cached_property
    def _editor(self) -> list[int]:
        return [0, *(match.end() for match in _EDITOR_BREAK.finditer(self.text))]

    def offset(self, position: Position) -> int:
        """The characters before a position; a place beyond the end of its line or text is that end."""
        return _offset(self.text, self._yaml, position.line - 1, position.column - 1)

    def position(self, offset: int) -> Position:
        """The position with so many characters before it."""
        line = bisect_right(self._yaml, offset) - 1
        return Position(line + 1, offset - self._yaml[line] + 1)

    def from_editor(self, line: int, units: int, encoding: str = "utf-16") -> Position:
        """The position of an editor's place: a line from 0 and code units of an encoding before it in the line."""
        if line >= len(self._editor):
            return self.position(len(self.text))
        start, end = self._bounds(line)
        at = start
        while at < end and units > 0:
            units -= _units(self.text[at], encoding)
            at += units >= 0  # within a character of two units is before it
        return self.position(at)

    def to_editor(self, position: Position, encoding: str = "utf-16") -> tuple[int, int]:
        """An editor's line from 0, and the code units of an encoding that come before the place in it."""
        offset = self.offset(position)
        line = bisect_right(self._editor, offset) - 1
        start, end = self._bounds(line)
        before = self.text[start : min(offset, end)]
        return line, len(before) if before.isascii() else sum(_units(char, encoding) for char in before)

    def _bounds(self, line: int) -> tuple[int, int]:
        """Where an editor's line begins and where its characters end."""
        start = self._editor[line]
        end = self._editor[line + 1] if line + 1 < len(self._editor) else len(self.text)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return start, end

    def extent(self, span: Span) -> tuple[int, int]:
        """The characters before a span's beginning and before its end."""
        return self.offset(start_of(span)), self.offset(end_of(span))

    def slice(self, span: Span) -> str:
        """The text of a span."""
        begin, end = self.extent(span)
        return self.text[begin:end]

    @property
    def count(self) -> int:
        """The number of lines, as YAML counts."""
        return len(self._yaml)

    def line(self, number: int) -> str:
        """The line with this number, from 1, without its end; empty beyond the text."""
        if not 0 < number <= len(self._yaml):
            return ""
        end = self._yaml[number] if number < len(self._yaml) else len(self.text)
        return self.text[self._yaml[number - 1] : end].rstrip("\r\n\x85\u2028\u2029")


def _offset(text: str, starts: list[int], line: int, column: int) -> int:
    if line >= len(starts):
        return len(text)
    end = starts[line + 1] - 1 if line + 1 < len(starts) else len(text)
    if line + 1 < len(starts) and text[end - 1 : end + 1] == "\r\n":
        end -= 1
    return min(starts[line] + max(column, 0), max(end, starts[line]))


def _units(char: str, encoding: str) -> int:
    """Code units of one character."""
    if encoding == "utf-16":
        return 1 + (ord(char) > 0xFFFF)
    return len(char.encode("utf-8", "surrogatepass")) if encoding == "utf-8" else 1


def start_of(span: Span) -> Position:
    return Position(span.line, span.column)


def end_of(span: Span) -> Position:
    return Position(span.end_line, span.end_column)


def covers(span: Span, position: Position) -> bool:
    """Whether a position is in a span or at either end of it."""
    return start_of(span) <= position <= end_of(span)


class Moved:
    """Where lines of an older text stand in a newer one: those above and below all that was changed."""

    def __init__(self, old: str, new: str) -> None:
        before, after = YAML_BREAK.split(old), YAML_BREAK.split(new)
        shorter = min(len(before), len(after))
        self.above = next((n for n in range(shorter) if before[n] != after[n]), shorter)
        rest = shorter - self.above
        self.below = next((n for n in range(rest) if before[-1 - n] != after[-1 - n]), rest)
        self.length = len(before)
        self.shift = len(after) - len(before)

    def line(self, number: int) -> int | None:
        """The line that a line of the older text is now; None of one that was changed."""
        if number <= self.above:
            return number
        return number + self.shift if number > self.length - self.below else None

    def back(self, number: int) -> int | None:
        """The line of the older text that a line is; None of one that is new."""
        if number <= self.above:
            return number
        return number - self.shift if number > self.length + self.shift - self.below else None
