"""Formatting that keeps comments: indentation, spaces and blank lines; what was written, and in which lines, stays.

- Two spaces a level; lists stand two spaces within what holds them; `- ` and what follows begin a level.
- What a flow collection or a text has on further lines stands two spaces within the entry of its first one, or right
  behind a bracket that begins a line or an item. A bracket that closes first in a line stands where the entry is.
- `{a: 1, b: [2, 3]}`: nothing inside of brackets, one space behind `,` and `:` and before a comment.
- A comment of its own line stands in the column of a level around it.
- One blank line at most, none at either end; no blanks at the end of a line; a last line has its end.

Quotes, anchors, ends of lines and the inside of texts are not touched. ruamel.yaml, which keeps comments when it writes
a tree, was tried first on twelve of the zoo's specs: it drops comments inside of brackets and anchors that nobody uses,
writes `null` as nothing and joins flow collections into one line. So the spaces between the scanner's tokens are
written anew here, and the result is parsed and held to what was there, event for event and comment for comment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from archspec.diagnostics import Edit, Source, Span
from archspec.editing.tokens import BlockText, NotYamlError, Token, comments, events, tokens
from archspec.positions import YAML_BREAK

INDENT = 2

_MARK = "\ufeff"
"""Stands before a text in some files, and is no part of it."""

_OPENING = {"FlowMappingStartToken", "FlowSequenceStartToken"}
_CLOSING = {"FlowMappingEndToken", "FlowSequenceEndToken"}
_INDENTLESS = "list without an indentation of its own"


class CannotFormat(Exception):  # noqa: N818 (the reason is for people)
    """Why a text stays as it is."""


class Level(NamedTuple):
    """A block collection that is open: what it is, the column it has and the one that it is to have, from 0."""

    kind: str
    old: int
    new: int

    @property
    def inside(self) -> int:
        """The column of what it holds, where that begins a line."""
        return self.new + INDENT


def formatted(text: str) -> str:
    """A YAML text with its spaces put right. Raises `CannotFormat`."""
    return "".join(line.after for line in _formatted(text))


def edits(source: Source, first: int = 1, last: int | None = None) -> list[Edit]:
    """What formatting changes in a text, line by line; with a range, in those of its lines alone.

    Raises `CannotFormat`, for a range too whose lines cannot stand as they would without the others.
    """
    lines = _formatted(source.text)
    if last is None:
        chosen = lines
    else:
        chosen = [line if first <= number <= last else line.kept() for number, line in enumerate(lines, 1)]
        if "".join(line.after for line in chosen) != source.text:
            _hold(source.text, "".join(line.after for line in chosen), "the lines cannot be formatted without others")
    found: list[Edit] = []
    for number, line in enumerate(chosen, 1):
        if line.after == line.before:
            continue
        edit = line.edit(source, number)
        if found and _touch(found[-1].span, edit.span):
            span = found[-1].span
            joined = Span(source, span.line, span.column, edit.span.end_line, edit.span.end_column)
            edit = Edit(joined, found.pop().text + edit.text)
        found.append(edit)
    return found


def _touch(a: Span, b: Span) -> bool:
    return (a.end_line, a.end_column) == (b.line, b.column)


class _Line(NamedTuple):
    """One line of a text with its end, before and after."""

    before: str
    after: str

    def kept(self) -> _Line:
        return _Line(self.before, self.before)

    def edit(self, source: Source, number: int) -> Edit:
        """The change of the line as small as it is: what both begin and end with is left."""
        old, new = (YAML_BREAK.sub("", text) for text in self)
        if self.before[len(old) :] != self.after[len(new) :]:
            # The line goes as a whole, or its end is put there.
            ended = len(self.before) > len(old)
            end = (number + 1, 1) if ended else (number, len(old) + 1)
            return Edit(Span(source, number, 1, *end), self.after)
        shared = min(len(old), len(new))
        start = next((n for n in range(shared) if old[n] != new[n]), shared)
        rest = shared - start
        tail = next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)
        return Edit(Span(source, number, start + 1, number, len(old) - tail + 1), new[start : len(new) - tail])


def _formatted(text: str) -> list[_Line]:
    mark = text[: len(_MARK)] if text.startswith(_MARK) else ""
    body = text[len(mark) :]
    try:
        lines = _Writer(body, tokens(body)).lines()
        after = "".join(line.after for line in lines)
        if after != body:
            _hold(body, after, "the text cannot be formatted")
            again = "".join(line.after for line in _Writer(after, tokens(after)).lines())
            if again != after:
                raise CannotFormat("the text cannot be formatted: what comes of it would be formatted once more")
    except NotYamlError as error:
        raise CannotFormat(f"the text is not YAML: {error}") from None
    if mark and lines:
        lines[0] = _Line(mark + lines[0].before, mark + lines[0].after)
    return lines


def _hold(before: str, after: str, reason: str) -> None:
    """Raises `CannotFormat` where a text does not say what the other says, comments included."""
    try:
        same = events(before) == events(after) and comments(before) == comments(after)
    except NotYamlError:
        same = False
    if not same:
        raise CannotFormat(f"{reason}: it would say something else")


class _Writer:
    """Writes a text's lines anew, token by token."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.bodies: list[str] = []
        """The lines that are written, without their ends."""
        self.blank: set[int] = set()
        """Those that are blank and stand between values."""
        self.buffer = ""
        self.fresh = True
        """Whether nothing stands in the line yet."""
        self.at = 0
        self.levels: list[Level] = []
        self.flows: list[tuple[int, int]] = []
        """Of flow collections, the innermost last, the column of a bracket that closes it and that of what it holds."""
        self.base = 0
        """The column of the line's entry, from which flow collections that begin in it count."""
        self.previous = ""
        self.in_key = False
        self.before: tuple[Level, ...] = ()
        """The levels that were open at the last token."""

    def lines(self) -> list[_Line]:
        for token in self.tokens:
            self.take(token)
        self.gap(self.text[self.at :], None)
        self.end_line()
        starts = [0, *(match.end() for match in YAML_BREAK.finditer(self.text))]
        befores = [self.text[start:end] for start, end in zip(starts, [*starts[1:], len(self.text)], strict=True)]
        afters = [
            body + before[len(YAML_BREAK.sub("", before)) :] for body, before in zip(self.bodies, befores, strict=True)
        ]
        full = [number for number in range(len(afters)) if number not in self.blank]
        first, last = (full[0], full[-1]) if full else (len(afters), -1)
        for number in self.blank:
            if number < first or number > last or number - 1 in self.blank:
                afters[number] = ""
        if full and not YAML_BREAK.search(afters[last]):
            ends = YAML_BREAK.search(self.text)
            afters[last] += ends.group() if ends else "\n"
        return [_Line(before, after) for before, after in zip(befores, afters, strict=True)]

    # What stands between two tokens.

    def end_line(self) -> None:
        self.bodies.append(self.buffer)
        self.buffer, self.fresh = "", True

    def gap(self, gap: str, token: Token | None) -> None:
        """Writes what stands before a token, comments and ends of lines, and the spaces that belong there."""
        parts = YAML_BREAK.split(gap)
        for number, part in enumerate(parts):
            comment = part.strip(" \t\ufeff")
            last = number == len(parts) - 1
            if comment:
                column = len(part) - len(part.lstrip(" \t\ufeff"))
                if self.fresh:
                    self.buffer = " " * self.column_of_comment(column, token) + comment.rstrip()
                else:
                    self.buffer += " " + comment.rstrip()
                self.fresh = False
            elif self.fresh and not (last and token is not None):
                self.blank.add(len(self.bodies))
            if not last:
                self.end_line()

    def column_of_comment(self, column: int, token: Token | None) -> int:
        """Where a comment of its own line stands: as what comes next if it did, or else in the column of the nearest
        level on its left that is open before it or behind it."""
        if self.flows:
            return self.flows[-1][1]
        next_column = self.column_of(token) if token is not None else 0
        if token is not None and column == token.column:
            return next_column
        around = [(level.old, level.new) for level in (*self.before, *self.levels)]
        if token is not None:
            around.append((token.column, next_column))
        return max([pair for pair in around if pair[0] <= column], default=(0, 0))[1]

    # Tokens.

    def take(self, token: Token) -> None:
        """Writes a token, or notes what one that cannot be seen begins or ends."""
        kind = token.kind
        top = self.levels[-1] if self.levels else None
        if kind in ("BlockMappingStartToken", "BlockSequenceStartToken"):
            self.levels.append(Level(kind, token.column, top.inside if top else 0))
            return
        if kind == "BlockEndToken":
            while self.levels and self.levels.pop().kind == _INDENTLESS:
                pass
            return
        if not self.flows and top is not None:
            if kind == "BlockEntryToken" and top.kind == "BlockMappingStartToken":
                # A list in a mapping may stand in the column of its keys, and then has no tokens of its own.
                self.levels.append(Level(_INDENTLESS, token.column, top.inside))
            elif kind in ("KeyToken", "QuestionToken", "ValueToken") and top.kind == _INDENTLESS:
                self.levels.pop()
        if kind == "KeyToken":
            self.in_key = True
        if token.end == token.start and kind != "BlockScalarToken":
            return
        self.gap(self.text[self.at : token.start], token)
        first = self.fresh or self.previous == "BlockEntryToken"
        if self.fresh:
            self.base = self.column_of(token)
            self.buffer = " " * self.base
        else:
            self.buffer += self.space(token)
        if kind in _OPENING:
            if not self.flows and not self.fresh:
                self.base = self.column_of_entry()
            aligned = first and self.follows(token)
            self.flows.append((self.base, self.base + (1 if aligned else INDENT)))
        if kind in _CLOSING and self.flows:
            self.flows.pop()
        self.fresh = False
        self.write(token)
        self.before = tuple(self.levels)
        self.previous = kind
        self.in_key = False

    def follows(self, token: Token) -> bool:
        """Whether something that a bracket holds stands behind it in its line."""
        rest = YAML_BREAK.split(self.text[token.end :], maxsplit=1)[0].strip()
        return bool(rest) and not rest.startswith("#")

    def space(self, token: Token) -> str:
        """What stands between a token and the one before it in its line."""
        kind, before = token.kind, self.previous
        if before in ("ValueToken", "TagToken"):
            return " "
        if before in _OPENING or kind in _CLOSING or kind == "FlowEntryToken":
            return ""
        if kind == "ValueToken" and before in ("ScalarToken", *_CLOSING):
            return ""
        return " "

    def column_of(self, token: Token) -> int:
        """The column of a token that begins a line."""
        if self.flows:
            return self.flows[-1][0 if token.kind in _CLOSING else 1]
        if not self.levels or token.kind in ("DocumentStartToken", "DocumentEndToken", "DirectiveToken"):
            return 0
        top = self.levels[-1]
        in_column = self.in_key or token.kind in ("BlockEntryToken", "QuestionToken", "ValueToken")
        return top.new if in_column else top.inside

    def column_of_entry(self) -> int:
        """The column of the entry that a line in block style has."""
        if not self.levels:
            return 0
        top = self.levels[-1]
        return top.new if top.kind == "BlockMappingStartToken" else top.inside

    def write(self, token: Token) -> None:
        if token.kind == "BlockScalarToken":
            self.write_block(token)
            return
        first, *others = YAML_BREAK.split(self.text[token.start : token.end])
        self.at = token.end
        for number, part in enumerate((first, *others)):
            last = number == len(others)
            line = part if number == 0 or not (self.levels or self.flows) else part.lstrip(" \t")
            if number and line and (self.levels or self.flows):
                self.buffer = " " * (self.flows[-1][0] + INDENT if self.flows else self.levels[-1].inside)
            if not last:
                # A blank behind a backslash is a part of the text.
                line = re.sub(r"(\\[ \t])?[ \t]*$", r"\1", line)
            self.buffer += line
            if not last:
                self.end_line()
        self.fresh = False

    def write_block(self, token: Token) -> None:
        """Writes a text behind `|` or `>`, whose lines are moved together."""
        levels = [level for level in self.levels if level.kind != _INDENTLESS]
        block = BlockText(self.text, token.start, levels[-1].old if levels else 0)
        self.at = block.end
        self.buffer += self.text[token.start : block.header]
        rest = self.text[block.header : block.first]
        comment = YAML_BREAK.sub("", rest).strip(" \t")
        self.buffer += f" {comment}" if comment else ""
        if not YAML_BREAK.search(rest):
            return
        self.end_line()
        new = self.levels[-1].inside if self.levels else block.column or 0
        if block.explicit is not None and self.levels:
            new = self.levels[-1].new + block.explicit
        if block.end == block.first:
            return
        *lines, tail = YAML_BREAK.split(self.text[block.first : block.end])
        for line in lines:
            self.buffer = self.moved(line, block.column or 0, new)
            self.end_line()
        self.buffer = self.moved(tail, block.column or 0, new)
        self.fresh = not self.buffer

    @staticmethod
    def moved(line: str, old: int, new: int) -> str:
        """A line of a text whose column was the old one, in the new one."""
        return " " * new + line[old:] if len(line) > old else ""
