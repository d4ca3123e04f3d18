"""What is wrong with a spec, as data, and the words that messages share.

A `Diagnostic` says what is wrong (code, message), where (spans into the files that were read), why (notes) and
what to do about it (help). Its code is declared in codes/, and rendering.py makes text of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from archspec.spelling import Meant

Severity = Literal["error", "warning"]

MAX_ALIKE = 3
"""Findings of one code at one place, such as a layer in a repeat, that are kept."""


class Source:
    """One text that was read: a file, or a `--set` value. Relative paths in it start from `folder`.

    `path` is that of the file whose whole text it is, where it is one's.
    """

    __slots__ = ("_lines", "folder", "name", "path", "text")

    def __init__(self, name: str, text: str, folder: Path | None = None, path: Path | None = None) -> None:
        self.name = name
        self.text = text
        self.folder = folder or Path()
        self.path = path
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


class Span(NamedTuple):
    """A place in a source. Lines and columns count from 1; the end column is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    @property
    def text(self) -> str:
        """What stands there; of several lines, with a line feed between them."""
        if self.line == self.end_line:
            return self.source.line(self.line)[self.column - 1 : self.end_column - 1]
        first, last = self.source.line(self.line)[self.column - 1 :], self.source.line(self.end_line)
        between = [self.source.line(number) for number in range(self.line + 1, self.end_line)]
        return "\n".join([first, *between, last[: self.end_column - 1]])

    @property
    def first(self) -> str:
        """The first character that stands there; what stands there may be a whole file."""
        return self.source.line(self.line)[self.column - 1 : self.column]

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.source.name,
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
        }


class Label(NamedTuple):
    """A span with the words to print under it."""

    span: Span
    text: str = ""


class Edit(NamedTuple):
    """Text in place of what stands at a span of a source; the span of an insertion is empty."""

    span: Span
    text: str

    def to_json(self) -> dict[str, Any]:
        return {**self.span.to_json(), "text": self.text}


class Mend(NamedTuple):
    """A help line that a program can follow: the line, and edits of the texts that were read.

    Edits do not overlap, and all count lines and columns in the texts as they are. A mend is `certain` where the text
    leaves no doubt that this was meant.
    """

    help: str
    edits: tuple[Edit, ...]
    certain: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"help": self.help, "certain": self.certain, "edits": [edit.to_json() for edit in self.edits]}


class Diagnostic(NamedTuple):
    """One finding. `primary` is where it is, `secondary` where the other thing that it speaks of is.

    `mends` are those of the help lines that a program can follow.
    """

    code: str
    message: str
    primary: Label | None = None
    severity: Severity = "error"
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    mends: tuple[Mend, ...] = ()

    @property
    def certain_mend(self) -> Mend | None:
        """The one mend that leaves no doubt; None where there is none, or more than one."""
        certain = [mend for mend in self.mends if mend.certain]
        return certain[0] if len({mend.edits for mend in certain}) == 1 else None

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
            "mends": [mend.to_json() for mend in self.mends],
        }


class SpecError(Exception):
    """Raised by the Python API when a spec is wrong; `diagnostics` holds everything that was found."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from archspec.rendering import render_text

        return "\n" + render_text(self.diagnostics)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the findings, whose places are in the spec, and no frames of this package."""
        return str(self).strip().splitlines()


class Setting(NamedTuple):
    """A help line of a layer that a program can follow: fields of the layer that speaks, another kind in its place, or
    a layer before it. A field that is set to None is left out. The graph makes a `Mend` of it.

    With `said=False` it is no line of its own: another one speaks of it among other things.
    """

    help: str
    fields: tuple[tuple[str, Any], ...] = ()
    kind: str | None = None
    before: str | None = None
    certain: bool = False
    said: bool = True


def ways_of(help: Iterable[str | Setting]) -> tuple[tuple[str, ...], tuple[Setting, ...]]:
    """The lines of help that are said, and those that a program can follow."""
    ways = tuple(help)
    said = tuple(way if isinstance(way, str) else way.help for way in ways if isinstance(way, str) or way.said)
    return said, tuple(way for way in ways if isinstance(way, Setting))


class ShapeError(Exception):
    """Raised by a layer's `infer`: the reason alone. The graph adds the node, its place and its inputs.

    `code` is E301 unless the reason has its own; `help` lists ways out in numbers, as text or as a `Setting` of the
    layer's fields; `field` names the layer's field that the frame should point at.
    """

    def __init__(
        self, message: str, *, code: str = "E301", help: Iterable[str | Setting] = (), field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        ways = tuple(help)
        self.help, self.settings = ways_of(ways)
        self.field = field


class DataError(Exception):
    """Raised while data is read or run folders are opened: the reason alone. `train` adds the place in the spec."""

    about: tuple[str, str, str] | None = None
    """Where it is an output's or an input's fault: its name, which part of it (task, loss, metrics, target, input), and
    the kind that is wrong there, if one is."""

    def __init__(self, code: str, message: str, *, notes: Iterable[str] = (), help: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.notes = tuple(notes)
        self.help = tuple(help)

    def located(self, span: Span | None, mends: Iterable[Mend] = ()) -> SpecError:
        """The same as a diagnostic with a place, and with those of its help lines that a program can follow there."""
        primary = Label(span) if span is not None else None
        item = Diagnostic(self.code, self.message, primary, notes=self.notes, help=self.help, mends=tuple(mends))
        return SpecError([item])


def unwritable(path: Path, error: OSError) -> DataError:
    """What the system says of a file or folder that cannot be written, and what to do where its folder is missing."""
    if path.parent.is_dir():
        return DataError("E534", f"{path} cannot be written: {error.strerror or error}")
    help = ["make the folder first, or choose another file"]
    return DataError("E534", f"{path} cannot be written: there is no folder {path.parent}", help=help)


class Findings:
    """Collects diagnostics while a spec is read, so that all of them can be shown at once."""

    __slots__ = ("_again", "_alike", "_seen", "files", "items")

    def __init__(self) -> None:
        self.items: list[Diagnostic] = []
        self.files: dict[Path, Source | None] = {}
        """Files that were looked for, and the text of each that could be read."""
        self._seen: set[Diagnostic] = set()
        self._alike: Counter[tuple[str, Span]] = Counter()
        self._again: Counter[tuple[str, Span, str]] = Counter()
        """How often errors were found that are alike but for numbers, as in the rounds of a repeat."""

    def copy(self) -> Findings:
        """The same findings, to be added to."""
        same = Findings()
        same.items = list(self.items)
        same.files = self.files
        same._seen = set(self._seen)
        same._alike = Counter(self._alike)
        same._again = Counter(self._again)
        return same

    def add(self, item: Diagnostic) -> None:
        """Keeps the diagnostic unless the same one, or several of its code at its place, are there already.

        Errors at one place that differ in numbers alone are kept once and counted.
        """
        if item in self._seen:
            return
        self._seen.add(item)
        if item.severity == "error" and item.primary is not None:
            key = _but_for_numbers(item)
            self._again[key] += 1
            if self._again[key] > 1:
                return
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
        mends: Iterable[Mend] = (),
        severity: Severity = "error",
    ) -> None:
        primary = Label(span, label) if span is not None else None
        ways = tuple(help)
        made = (*_respelling(ways, span), *mends)
        self.add(Diagnostic(code, message, primary, severity, tuple(secondary), tuple(notes), ways, made))

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
        mends: Iterable[Mend] = (),
    ) -> None:
        self.error(
            code, message, span, label, secondary=secondary, notes=notes, help=help, mends=mends, severity="warning"
        )

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

        return sorted(map(self._counted, self.items) if self._again else self.items, key=key)

    def _counted(self, item: Diagnostic) -> Diagnostic:
        """The diagnostic with a note on those that are alike."""
        more = self._again[_but_for_numbers(item)] - 1 if item.severity == "error" and item.primary is not None else 0
        if more < 1:
            return item
        often = "once" if more == 1 else f"{more:,} times"
        return item._replace(notes=(*item.notes, f"the same {often} more, in other rounds or calls"))

    def raise_if_failed(self) -> None:
        """Raises `SpecError` with everything found when any of it is an error."""
        if self.failed:
            raise SpecError(self.sorted())


def _respelling(help: Iterable[str], span: Span | None) -> Iterator[Mend]:
    """Mends of a misspelt word, for each `did you mean …?` of a finding whose place is that word in a file."""
    for way in help:
        if type(way) is str or span is None or span.source.path is None:
            continue
        from archspec.spelling import Meant

        if isinstance(way, Meant) and (instead := way.instead(span.text)) is not None:
            yield Mend(str(way), (Edit(span, instead),), way.certain)


def _but_for_numbers(item: Diagnostic) -> tuple[str, Span, str]:
    """The code, the place and the words of an error."""
    assert item.primary is not None
    return item.code, item.primary.span, but_for_numbers(item.message)


def but_for_numbers(text: str) -> str:
    """Words with 0 for every number, by which findings of several rounds or readings are told to be alike."""
    words = "".join("0" if char.isdigit() else char for char in text)
    while "00" in words:
        words = words.replace("00", "0")
    return words


def listed(words: Iterable[str], limit: int = 12) -> str:
    """`a, b and c`, cut after `limit` words."""
    items = list(words)
    if len(items) > limit:
        return ", ".join(items[:limit]) + f" and {len(items) - limit} more"
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def name_at(names: Sequence[str], number: int) -> str:
    """What a class or a value is called: by its name, or by its number where it has none."""
    return names[number] if number < len(names) else str(number)


def count(number: int, word: str) -> str:
    """`1 error`, `2 errors`, `2 classes`, `3 axes`, `3 meshes`, `4 entries`, `5 branches`, `6 epochs`."""
    if number == 1:
        return f"1 {word}"
    if word.endswith("is"):
        return f"{number:,} {word[:-2]}es"
    if word.endswith("ry"):
        return f"{number:,} {word[:-1]}ies"
    return f"{number:,} {word}" + ("es" if word.endswith(("s", "x", "ch", "sh")) and not word.endswith("poch") else "s")


def article(word: str) -> str:
    """`a word`, `an apple`; of names in code `an int`, `an ArrayImpl`, `a uint8`."""
    # A `u` is heard as in `unit` and `uint8` unless `un` stands before a word of its own, as in `unpool`.
    sound = word[:1].lower()
    return f"an {word}" if sound and (sound in "aeio" or word.startswith(("unp", "unk", "up"))) else f"a {word}"


def did_you_mean(word: str, choices: Iterable[str]) -> Meant | None:
    """`did you mean …?` for the choice nearest to the word, or None when none is spelt nearly alike.

    Where a finding's place is the word, as it is written in a file, its help line is a mend too.
    """
    from archspec.spelling import meant

    return meant(word, choices)
