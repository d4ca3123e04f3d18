"""What is wrong with a spec, as data; renderers turn it into text or JSON.

A `Diagnostic` says what is wrong (code, message), where (spans into the files that were read), why (notes) and
what to do about it (help). The codes are declared in codes.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from archspec.output import printable

Severity = Literal["error", "warning"]

MAX_ALIKE = 3
"""Findings of one code at one place, such as a layer in a repeat, that are kept."""

MAX_COMPARED = 100
"""Names that did-you-mean looks at."""

MAX_SHOWN = 50
"""Diagnostics printed as text before the rest is only counted; JSON has them all."""

_MAX_FRAME_WIDTH = 160


class Source:
    """One text that was read: a file, or a `--set` value. Relative paths in it start from `folder`."""

    __slots__ = ("_lines", "folder", "name", "text")

    def __init__(self, name: str, text: str, folder: Path | None = None) -> None:
        self.name = name
        self.text = text
        self.folder = folder or Path()
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """The line with this 1-based number, without its end; empty beyond the text."""
        return self._split[number - 1] if 0 < number <= self.length else ""

    @property
    def length(self) -> int:
        """Number of lines."""
        return len(self._split)

    @property
    def _split(self) -> list[str]:
        if self._lines is None:
            self._lines = self.text.splitlines()
        return self._lines


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source. Lines and columns count from 1; the end column is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.source.name,
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
        }


@dataclass(frozen=True, slots=True)
class Label:
    """A span with the words to print under it."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `primary` is where it is, `secondary` where the other thing that it speaks of is."""

    code: str
    message: str
    primary: Label | None = None
    severity: Severity = "error"
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        def label(item: Label) -> dict[str, Any]:
            return {**item.span.to_json(), "label": item.text}

        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "primary": label(self.primary) if self.primary else None,
            "secondary": [label(item) for item in self.secondary],
            "notes": list(self.notes),
            "help": list(self.help),
        }


class SpecError(Exception):
    """Raised by the Python API when a spec is wrong; `diagnostics` holds everything that was found."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n" + render_text(self.diagnostics))


class ShapeError(Exception):
    """Raised by a layer's `infer`: the reason alone. The graph adds the node, its place and its inputs.

    `code` is E301 unless the reason has its own; `help` lists ways out in numbers; `field` names the layer's field
    that the frame should point at.
    """

    def __init__(self, message: str, *, code: str = "E301", help: Iterable[str] = (), field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.help = tuple(help)
        self.field = field


class DataError(Exception):
    """Raised while data is read or run folders are opened: the reason alone. `train` adds the place in the spec."""

    def __init__(self, code: str, message: str, *, notes: Iterable[str] = (), help: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.notes = tuple(notes)
        self.help = tuple(help)

    def located(self, span: Span | None) -> SpecError:
        """The same as a diagnostic with a place."""
        primary = Label(span) if span is not None else None
        return SpecError([Diagnostic(self.code, self.message, primary, notes=self.notes, help=self.help)])


def unwritable(path: Path, error: OSError) -> DataError:
    """What the system says of a file or folder that cannot be written, and what to do where its folder is missing."""
    if path.parent.is_dir():
        return DataError("E534", f"{path} cannot be written: {error.strerror or error}")
    help = ["make the folder first, or choose another file"]
    return DataError("E534", f"{path} cannot be written: there is no folder {path.parent}", help=help)


@dataclass(slots=True)
class Findings:
    """Collects diagnostics while a spec is read, so that all of them can be shown at once."""

    items: list[Diagnostic] = field(default_factory=list)
    files: dict[Path, Source | None] = field(default_factory=dict)
    """Files that were looked for, and the text of each that could be read."""
    _seen: set[Diagnostic] = field(default_factory=set)
    _alike: Counter[tuple[str, Span]] = field(default_factory=Counter)

    def copy(self) -> Findings:
        """The same findings, to be added to."""
        return Findings(list(self.items), self.files, set(self._seen), Counter(self._alike))

    def add(self, item: Diagnostic) -> None:
        """Keeps the diagnostic unless the same one, or several of its code at its place, are there already."""
        if item in self._seen:
            return
        self._seen.add(item)
        if item.primary is not None:
            self._alike[item.code, item.primary.span] += 1
            if self._alike[item.code, item.primary.span] > MAX_ALIKE:
                return
        self.items.append(item)

    def replace(self, item: Diagnostic, by: Diagnostic) -> None:
        """Puts a diagnostic in another's place, if that was kept."""
        self.items = [by if known is item else known for known in self.items]

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        label: str = "",
        *,
        secondary: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: Iterable[str] = (),
        severity: Severity = "error",
    ) -> None:
        primary = Label(span, label) if span is not None else None
        self.add(Diagnostic(code, message, primary, severity, tuple(secondary), tuple(notes), tuple(help)))

    def warning(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        label: str = "",
        *,
        secondary: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: Iterable[str] = (),
    ) -> None:
        self.error(code, message, span, label, secondary=secondary, notes=notes, help=help, severity="warning")

    @property
    def failed(self) -> bool:
        return any(item.severity == "error" for item in self.items)

    def sorted(self) -> list[Diagnostic]:
        """By place: file in order of first mention, then line and column; those without a place come first."""
        order: dict[str, int] = {}
        for item in self.items:
            if item.primary:
                order.setdefault(item.primary.span.source.name, len(order))

        def key(item: Diagnostic) -> tuple[int, int, int]:
            if item.primary is None:
                return (-1, 0, 0)
            span = item.primary.span
            return (order[span.source.name], span.line, span.column)

        return sorted(self.items, key=key)

    def raise_if_failed(self) -> None:
        """Raises `SpecError` with everything found when any of it is an error."""
        if self.failed:
            raise SpecError(self.sorted())


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """`did you mean …?` for the choice nearest to the word, or None when none is spelt nearly alike."""
    # Capitals make no difference: ReLU is near to relu.
    word = word[:100].lower()
    known = {name.lower(): name for name in sorted(set(choices), reverse=True)}
    names = sorted(known)
    if len(names) > MAX_COMPARED:
        # Comparing is slow; among very many names only those that begin alike are looked at.
        names = [name for name in names if name[:1] == word[:1] and abs(len(name) - len(word)) < 3]
        names = sorted(names, key=lambda name: -_alike_at_the_start(name, word))[:MAX_COMPARED]
    best = min(((_distance(word, name), index) for index, name in enumerate(names)), default=None)
    # A slip in three letters is near; in a word of one or two any other word would be.
    if best is None or best[0] > max(1, len(word) // 3) or best[0] >= min(len(word), len(names[best[1]])):
        # A part of one name alone: `median` of `median_frequency`.
        whole = [name for name in names if len(word) > 3 and (name.startswith(word) or word in name.split("_"))]
        return f"did you mean `{known[whole[0]]}`?" if len(whole) == 1 else None
    return f"did you mean `{known[names[best[1]]]}`?"


def _alike_at_the_start(a: str, b: str) -> int:
    """How many first letters two words share."""
    return next((index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _distance(a: str, b: str) -> int:
    """Letters that are missing, too many, wrong or swapped with their neighbour (optimal string alignment)."""
    most = max(1, len(a) // 3)
    if abs(len(a) - len(b)) > most or len(set(a) - set(b)) > most:
        return len(a) + len(b)  # far, without looking closer
    older: list[int] = []
    last = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                least = min(least, older[j - 2] + 1)
            row.append(least)
        older, last = last, row
    return last[-1]


def listed(words: Iterable[str], limit: int = 12) -> str:
    """`a, b and c`, cut after `limit` words."""
    items = list(words)
    if len(items) > limit:
        return ", ".join(items[:limit]) + f" and {len(items) - limit} more"
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


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


def count(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def render_json(diagnostics: Sequence[Diagnostic]) -> str:
    """A JSON list, one object a diagnostic, with the same content as the text."""
    import json

    return json.dumps([item.to_json() for item in diagnostics], indent=2, ensure_ascii=False)


def _frame(item: Diagnostic, paint: Any) -> Iterator[str]:
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


def _snippet(label: Label, width: int, mark: str, severity: str, paint: Any) -> Iterator[str]:
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
