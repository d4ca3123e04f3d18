"""Diagnostics as text: frames with the source lines that they speak of. Imported once there is something to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from archspec.diagnostics import Diagnostic, Label, Source, count
from archspec.output import printable

MAX_SHOWN = 50
"""Diagnostics printed as text before the rest is only counted; JSON has them all."""

_MAX_FRAME_WIDTH = 160


Paint = Callable[[str, str], str]
"""Gives a text the colour of a style."""

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "place": "\x1b[36m", "help": "\x1b[32m", "bold": "\x1b[1m"}
_RESET = "\x1b[0m"


def render_text(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """Frames with source lines, one per diagnostic, then a count. Colour only where the caller asks for it."""

    def paint(style: str, text: str) -> str:
        return f"{_COLOURS[style]}{text}{_RESET}" if colour and text else text

    blocks = ["\n".join(_frame(item, paint)) for item in diagnostics[:MAX_SHOWN]]
    errors = sum(item.severity == "error" for item in diagnostics)
    warnings = len(diagnostics) - errors
    if len(diagnostics) > MAX_SHOWN:
        blocks.append(f"{len(diagnostics) - MAX_SHOWN} more are not shown; --format json lists them all")
    counts = [count(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    if counts:
        blocks.append(" and ".join(counts))
    return "\n\n".join(blocks)


def _frame(item: Diagnostic, paint: Paint) -> Iterator[str]:
    yield paint(item.severity, f"{item.severity}[{item.code}]") + paint("bold", f": {printable(item.message)}")
    labels = ([item.primary] if item.primary else []) + list(item.secondary)
    width = max([len(str(label.span.line)) for label in labels if label.span.line], default=1) + 1
    margin = " " * width
    previous: Source | None = None
    for index, label in enumerate(labels):
        span = label.span
        if span.source is not previous:
            yield f"{margin}{paint('place', '┌─')} {printable(str(span))}"
            yield f"{margin}{paint('place', '│')}"
        else:
            yield f"{margin}{paint('place', '·')}"
        previous = span.source
        yield from _snippet(label, width, "^" if index == 0 else "-", item.severity, paint)
    for note in item.notes:
        yield f"{margin}{paint('place', '=')} note: {printable(note)}"
    for text in item.help:
        yield f"{margin}{paint('help', '= help')}: {printable(text)}"


def _snippet(label: Label, width: int, mark: str, severity: str, paint: Paint) -> Iterator[str]:
    span = label.span
    line = span.source.line(span.line)
    end = span.end_column if span.end_line == span.line else len(line.rstrip()) + 1
    length = max(1, end - span.column)
    start = span.column - 1
    cut = 0
    if len(line) > _MAX_FRAME_WIDTH:
        cut = max(0, min(start - 40, len(line) - _MAX_FRAME_WIDTH))
        line = line[cut : cut + _MAX_FRAME_WIDTH]
        start -= cut
        length = max(1, min(length, len(line) - start))
    line = printable(line)
    number = f"{span.line:>{width - 1}} "
    yield f"{paint('place', number + '│')} {line}"
    before = " " * _columns(line[:start])
    marks = mark * max(1, _columns(line[start : start + length]))
    yield (
        f"{' ' * width}{paint('place', '│')} {before}{paint(severity, marks)}"
        f"{' ' + printable(label.text) if label.text else ''}"
    )


def _columns(text: str) -> int:
    """Columns of a terminal that a text takes: Chinese characters and emoji take two, accents on a letter none."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(char) in ("Mn", "Me") else 2 if east_asian_width(char) in ("W", "F") else 1 for char in text
    )
