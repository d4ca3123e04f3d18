"""What each word of a text is, for colours: of the last tree in the lines that there still are, and in lines that are
half written by what it looks like."""

from __future__ import annotations

import re
from collections.abc import Iterable

from archspec.diagnostics import Span
from archspec.editing.analysis import Analysis, Reading
from archspec.editing.naming import Names
from archspec.editing.painting import Painter, Token, of_word, placed
from archspec.editing.words import expressions
from archspec.editing.workspace import Workspace
from archspec.kinds import STRUCTURE, builtin_kinds
from archspec.positions import Position

_LINE = re.compile(
    r"(?P<comment>(?:^|(?<=\s))\#.*)|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*')|(?P<label>[&*][\w-]+)"
    r"|(?P<key>[A-Za-z_][\w.-]*)(?=\s*:(?:\s|$))|(?P<number>(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.]))"
    r"|(?P<word>[A-Za-z_][\w.-]*)"
)


def colours(workspace: Workspace, analysis: Analysis, first: int = 1, last: int | None = None) -> list[Token]:
    """The words of a text in order, none of two within each other; of some of its lines where these are asked for."""
    now, parsed = analysis.now, analysis.parsed
    source = now.source
    if source is None:
        return []
    last = now.lines.count if last is None else last
    moved = analysis.moved(parsed) if parsed is not None and parsed is not now else None
    found: list[Token] = []
    kept: set[int] = set()
    if parsed is not None and parsed.root is not None:
        for token in Painter(Names.of(workspace, analysis), parsed).tokens():
            line = token.span.line if moved is None else moved.line(token.span.line)
            if line is not None and first <= line <= last:
                found.append(token._replace(span=token.span._replace(line=line, end_line=line)))
        if moved is None:
            kept = set(range(1, now.lines.count + 1))
        else:
            kept = {number for number in range(1, now.lines.count + 1) if moved.back(number) is not None}
    for number in range(max(first, 1), last + 1):
        if number not in kept:
            found += _scanned(now, number)
    return _in_order(found)


def _in_order(tokens: Iterable[Token]) -> list[Token]:
    """Words by their places; of two that overlap the one that begins first, and the shorter one."""
    found: list[Token] = []
    for token in sorted(tokens, key=lambda token: (*token.span[1:3], token.span.end_column)):
        if token.span.column >= token.span.end_column:
            continue
        if found and found[-1].span.line == token.span.line and token.span.column < found[-1].span.end_column:
            continue
        found.append(token)
    return found


def _scanned(reading: Reading, number: int) -> list[Token]:
    """The words of a line that is not known to be YAML, by what they look like."""
    source = reading.source
    assert source is not None
    lines = reading.lines
    line = lines.line(number)
    start = lines.offset(Position(number, 1))
    found: list[Token] = []
    taken: list[tuple[int, int]] = []
    for expression in expressions(reading.text, start, start + len(line)):
        taken.append((expression.start - start, expression.end - start))
        found += [of_word(source_span, word) for source_span, word in placed(reading, expression.words)]
    known = {*STRUCTURE, *builtin_kinds("layers")}
    for match in _LINE.finditer(line):
        if any(begin <= match.start() < end for begin, end in taken):
            continue
        kind, word = match.lastgroup or "", match.group()
        type_ = {"key": "property", "text": "string", "word": "string"}.get(kind, kind)
        modifiers: tuple[str, ...] = ()
        if kind in ("key", "word") and word in known and re.search(r"-\s+$", line[: match.start()]):
            type_, modifiers = ("keyword", ()) if word in STRUCTURE else ("class", ("defaultLibrary",))
        span = Span(source, number, match.start() + 1, number, match.end() + 1)
        found.append(Token(span, type_, modifiers))
        if kind == "comment":
            break
    return found
