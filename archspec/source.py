"""YAML 1.2 text → values that know their place.

The text is parsed by PyYAML's event parser (libyaml where it is there); scalars are resolved here by YAML 1.2's core
schema: `no`, `on` and `off` are strings, `5e-4` is a number. Duplicate keys, tags that build objects, and texts that
would expand beyond bounds are errors.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from stat import S_ISCHR, S_ISFIFO, S_ISREG, S_ISSOCK
from typing import Any, Protocol

from archspec.diagnostics import Edit, Findings, Label, Mend, Source, Span
from archspec.located import Located, Mapping, Scalar, Sequence, describe

MAX_BYTES = 32 * 2**20

MAX_DEPTH = 60

MAX_ALIASED = 1_000_000
"""Values that aliases may add to a document when they are written out."""


STANDARD_INPUT = Path("-")
"""What stands for standard input where a spec is asked for."""

_taken: dict[str, bytes] = {}
"""What was read from standard input and from descriptors, which give it once only."""


class Files(Protocol):
    """Files as they were at some other time, as a git revision has them. Of paths that it `holds` it answers in the
    disk's place, also that there is nothing."""

    def holds(self, path: Path) -> bool: ...
    def is_file(self, path: Path) -> bool: ...
    def is_folder(self, path: Path) -> bool: ...
    def bytes_of(self, path: Path) -> bytes:
        """All bytes of a file. Raises OSError."""

    def inside(self, folder: Path) -> list[str]:
        """The names of the files in a folder."""

    def real(self, path: Path) -> Path:
        """The path with links followed."""


class OneText:
    """A spec that is not on the disk, in the place of a file: `Files` that hold it alone."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    def holds(self, path: Path) -> bool:
        return path == self.path

    def is_file(self, path: Path) -> bool:
        return True

    def is_folder(self, path: Path) -> bool:
        return False

    def bytes_of(self, path: Path) -> bytes:
        return self.text.encode()

    def inside(self, folder: Path) -> list[str]:
        return []

    def real(self, path: Path) -> Path:
        return path


class Texts:
    """Texts in the place of files: `Files` that hold them, over others that hold more, if there are any."""

    def __init__(self, texts: dict[Path, str], below: Files | None) -> None:
        self.texts = {path.resolve(): text for path, text in texts.items()}
        self.below = below

    def _below(self, path: Path) -> Files | None:
        return self.below if self.below is not None and self.below.holds(path) else None

    def holds(self, path: Path) -> bool:
        return path.resolve() in self.texts or self._below(path) is not None

    def is_file(self, path: Path) -> bool:
        below = self._below(path)
        return path.resolve() in self.texts or (below is not None and below.is_file(path))

    def is_folder(self, path: Path) -> bool:
        below = self._below(path)
        return below is not None and below.is_folder(path)

    def bytes_of(self, path: Path) -> bytes:
        text = self.texts.get(path.resolve())
        if text is not None:
            # Half of a character of two units, which an editor may have, is left to who reads the bytes to refuse.
            return text.encode("utf-8", "surrogatepass")
        below = self._below(path)
        if below is None:
            raise FileNotFoundError(2, "No such file", str(path))
        return below.bytes_of(path)

    def inside(self, folder: Path) -> list[str]:
        below = self._below(folder)
        return below.inside(folder) if below is not None else []

    def real(self, path: Path) -> Path:
        below = self._below(path)
        return path.resolve() if below is None else below.real(path)


_laid: ContextVar[Files | None] = ContextVar("files laid over the disk's", default=None)


@contextmanager
def laid(files: Files | None) -> Iterator[None]:
    """Specs are read from these files meanwhile, and from the disk what they do not hold; None changes nothing."""
    token = _laid.set(files)
    try:
        yield
    finally:
        _laid.reset(token)


def laid_now() -> Files | None:
    """The files that are laid over the disk's at the moment."""
    return _laid.get()


def _instead(path: Path) -> Files | None:
    """The files that answer for a path in the disk's place; None where the disk does."""
    files = _laid.get()
    return files if files is not None and files.holds(path) else None


def real(path: Path) -> Path:
    """The path with links followed, by which two paths of one file are told to be that."""
    files = _instead(path)
    return path.resolve() if files is None else files.real(path)


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files in a folder whose names end so, sorted; none where there is no such folder."""
    files = _instead(folder)
    if files is None:
        return sorted(folder.glob(f"*{ending}"))
    return sorted(folder / name for name in files.inside(folder) if name.endswith(ending))


def text_of(path: Path) -> str:
    """A file's text. Raises OSError, and ValueError where it is not UTF-8."""
    files = _instead(path)
    if path == STANDARD_INPUT and files is None:
        return _bytes_of(path).decode("utf-8-sig")
    return path.read_text("utf-8") if files is None else files.bytes_of(path).decode()


def _bytes_of(path: Path) -> bytes:
    """The first bytes of a file, one more than a spec may have. Raises OSError and ValueError."""
    files = _instead(path)
    if files is not None:
        return files.bytes_of(path)
    once = path == STANDARD_INPUT or _is_descriptor(path)
    if once and str(path) in _taken:
        return _taken[str(path)]
    if path == STANDARD_INPUT:
        stream = getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise OSError("there is no standard input")
        data: bytes = stream.read(MAX_BYTES + 1)
    else:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if once:
        _taken[str(path)] = data
    return data


def _is_descriptor(path: Path) -> bool:
    """Whether a path is that of a descriptor, which gives what it has once; /dev/shm has files as others are."""
    return str(path).startswith(("/dev/", "/proc/")) and not str(path).startswith("/dev/shm/")


def is_file(path: Path) -> bool:
    """Whether there is such a file; a path that the system refuses is none."""
    files = _instead(path)
    if files is not None:
        return files.is_file(path)
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_readable(path: Path) -> bool:
    """Whether a spec can be read there: a file, a pipe, or a descriptor such as /dev/stdin."""
    files = _instead(path)
    if files is not None:
        return files.is_file(path)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return S_ISREG(mode) or S_ISFIFO(mode) or S_ISCHR(mode) or S_ISSOCK(mode)


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a path that the system refuses is none."""
    files = _instead(path)
    if files is not None:
        return files.is_folder(path)
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


Stamp = tuple[int, int, int] | None
"""What tells one state of a file from another: time, size and inode, or None for no file."""


def stamp(path: Path) -> Stamp:
    """The state of a file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not S_ISREG(status.st_mode):
        return None  # a pipe gives what it has once
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def stamps_of(paths: Iterable[Path]) -> dict[Path, Stamp]:
    """The states of files."""
    return {path: stamp(path) for path in paths}


def text_in(data: bytes, name: str, findings: Findings) -> str | None:
    """The text that a file's bytes are, its mark included; None with the reason among the findings."""
    if len(data) > MAX_BYTES:
        findings.error("E101", f"{name} is larger than {MAX_BYTES // 2**20} MiB, the largest spec that is read")
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        findings.error(
            "E102",
            f"{name} is not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start} (line {line})",
            help=["save the file as UTF-8"],
        )
        return None


def read_file(path: Path, findings: Findings, *, name: str | None = None) -> Mapping | None:
    """The mapping that a spec file holds, or None with the reason among the findings."""
    name = name or ("standard input" if path == STANDARD_INPUT else str(path))
    findings.files[path] = None
    try:
        data = _bytes_of(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        findings.error("E101", f"cannot read {name}: {reason}")
        return None
    text = text_in(data, name, findings)
    if text is None:
        return None
    text = text.removeprefix("\ufeff")
    # Descriptors lie in no folder of the user's: paths in what they give start from the current one.
    folder = Path() if _is_descriptor(path) else path.parent
    source = Source(name, text, folder, path)
    if path in _last:
        read, known = _last[path]
        if (read.name, read.text, read.folder) == (name, text, folder):
            findings.files[path] = read
            return known
    findings.files[path] = source
    value = _Composer(source, findings).compose()
    if value is None:
        return None
    if not isinstance(value, Mapping):
        findings.error(
            "E103",
            f"a spec is a mapping with name, input and layers, not {value.described}",
            value.span,
            help=["begin with `archspec: 1`, `name:`, `input:` and `layers:`"],
        )
        return None
    _last.clear()
    if not findings.items:
        _last[path] = (source, value)
    return value


_last: dict[Path, tuple[Source, Mapping]] = {}
"""The file that was read last and had no fault: finding a name of the zoo reads the file that is then opened."""


def read_text(
    text: str, name: str, findings: Findings, *, folder: Path | None = None, before: str = ""
) -> Located | None:
    """The value of a YAML text, or None with the reason among the findings. Paths in it start from the folder.

    `before` stands before the text on its first line without being part of it.
    """
    return _Composer(Source(name, before + text, folder), findings, len(before)).compose()


def reread(source: Source) -> Located | None:
    """What a text says, as it stands there; what is wrong with it was told when it was read."""
    return _Composer(source, Findings()).compose()


_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")

_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

_NUMERIC = frozenset("+-.0123456789")

_TAG = "tag:yaml.org,2002:"

_TAGS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}


def resolve_plain(text: str) -> Any:
    """The value of a plain scalar by YAML 1.2's core schema. Raises ValueError for a number beyond bounds."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INT.match(text):
        if len(text) > 40:
            raise ValueError("the number has more than 40 digits")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.match(text) else text


_PROBLEMS = {
    "did not find expected key": "the indentation of this line fits no mapping above it",
    "did not find expected ',' or '}'": "expected `,` or `}` here",
    "did not find expected ',' or ']'": "expected `,` or `]` here",
    "did not find expected '-' indicator": "expected `-` here: the lines of a list begin in one column",
    "mapping values are not allowed in this context": "a `:` cannot stand here",
    "found character that cannot start any token": "this character cannot begin a value",
    "could not find expected ':'": "a `:` is missing after this key",
    "block sequence entries are not allowed in this context": "a list cannot begin here",
}
"""libyaml's words in words for people who write specs."""


class _Stop(Exception):  # noqa: N818 (not an error by itself)
    """Ends reading; the reason is among the findings."""


class _Composer:
    """Builds `Located` values from parser events."""

    def __init__(self, source: Source, findings: Findings, start: int = 0) -> None:
        self.source = source
        self.findings = findings
        self.start = start
        """Characters of the source's first line that come before what is parsed."""
        self.anchors: dict[str, Located | None] = {}
        self.aliased = 0

    def compose(self) -> Located | None:
        import yaml

        try:
            return self._document(yaml)
        except _Stop:
            return None
        except yaml.MarkedYAMLError as error:
            self._syntax_error(error)
        except yaml.YAMLError as error:
            position = getattr(error, "position", None)
            where = f" at position {position}" if isinstance(position, int) else ""
            reason = getattr(error, "reason", None) or str(error).splitlines()[0]
            self.findings.error("E104", f"{self.source.name} is not YAML: {reason}{where}", self._start())
        except (ValueError, OverflowError, UnicodeError) as error:
            self.findings.error("E104", f"{self.source.name} is not YAML: {error}", self._start())
        return None

    def _start(self) -> Span:
        return Span(self.source, 1, 1, 1, 1)

    def _document(self, yaml: Any) -> Located | None:
        parser = _parser(yaml, self.source.text[self.start :])
        next_event = parser.get_event
        next_event()  # stream start
        event = next_event()
        if isinstance(event, yaml.StreamEndEvent):
            self.findings.error(
                "E103",
                f"{self.source.name} is empty",
                help=["begin with `archspec: 1`, `name:`, `input:` and `layers:`"],
            )
            return None
        value = self._value(yaml, next_event, next_event(), 0)
        next_event()  # document end
        event = next_event()
        if not isinstance(event, yaml.StreamEndEvent):
            self.findings.error(
                "E104",
                "a file holds one YAML document; a second one begins here",
                self._span(event.start_mark, event.end_mark),
                help=["remove the `---`, or put the second document into a file of its own"],
            )
            return None
        return value

    def _value(self, yaml: Any, next_event: Any, event: Any, depth: int) -> Located:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            return self._anchored(event, self._scalar(event))
        if kind is yaml.AliasEvent:
            return self._alias(event)
        if depth >= MAX_DEPTH:
            self._stop(event, "E106", f"values are nested more than {MAX_DEPTH} deep")
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # an alias inside its own anchor finds this
        if kind is yaml.SequenceStartEvent:
            return self._anchored(event, self._sequence(yaml, next_event, event, depth))
        return self._anchored(event, self._mapping(yaml, next_event, event, depth))

    def _sequence(self, yaml: Any, next_event: Any, start: Any, depth: int) -> Sequence:
        self._check_tag(start, "seq")
        items: list[Located] = []
        size, dynamic = 1, False
        while type(event := next_event()) is not yaml.SequenceEndEvent:
            item = self._value(yaml, next_event, event, depth + 1)
            items.append(item)
            size += item.size
            dynamic = dynamic or item.dynamic
        result = Sequence(self.source, self._place(start.start_mark, event.end_mark), items)
        result.size, result.dynamic = size, dynamic
        return result

    def _mapping(self, yaml: Any, next_event: Any, start: Any, depth: int) -> Mapping:
        self._check_tag(start, "map")
        entries: dict[str, tuple[Scalar, Located]] = {}
        merges: list[Mapping] = []
        size, dynamic, refused = 1, False, len(self.findings.items)
        while type(event := next_event()) is not yaml.MappingEndEvent:
            key = self._value(yaml, next_event, event, depth + 1)
            value = self._value(yaml, next_event, next_event(), depth + 1)
            if dynamic and _is_rest(value, entries, self.findings):
                continue
            if not isinstance(key, Scalar) or not isinstance(key.value, str):
                self.findings.error(
                    "E107",
                    f"keys are text, not {key.described}",
                    key.span,
                    help=[f'write "{key.value}" in quotes'] if isinstance(key, Scalar) else [],
                    mends=_quoted_key(key) if isinstance(key, Scalar) and self.source.path is not None else [],
                )
                continue
            if key.value == "<<":
                given = value.items if isinstance(value, Sequence) else [value]
                if all(isinstance(item, Mapping) for item in given):
                    merges.extend(item for item in given if isinstance(item, Mapping))
                    size += value.size
                    dynamic = dynamic or value.dynamic
                else:
                    self.findings.error(
                        "E107",
                        f"a merge key (`<<`) takes a mapping or a list of mappings, not {value.described}",
                        value.span,
                        help=["`<<: *name` lays a mapping that was marked with &name under this one"],
                    )
                continue
            earlier = entries.get(key.value)
            if earlier:
                self.findings.error(
                    "E108",
                    f"`{key.value}` is given twice",
                    key.span,
                    "again here",
                    secondary=[Label(earlier[0].span, "first here")],
                    help=["remove one of them"],
                    mends=_one_of_two(earlier, (key, value)) if self.source.path is not None else [],
                )
                continue
            entries[key.value] = (key, value)
            size += 1 + value.size
            dynamic = dynamic or value.dynamic or key.dynamic
        for below in merges:  # what is written here, or in an earlier one, holds
            for name, entry in below.entries.items():
                entries.setdefault(name, entry)
        result = Mapping(self.source, self._place(start.start_mark, event.end_mark), entries)
        result.size, result.dynamic = size, dynamic
        result.partial = len(self.findings.items) > refused
        return result

    def _scalar(self, event: Any) -> Scalar:
        text: str = event.value
        plain = event.style is None or event.style == ""
        value: Any = text
        if event.tag is None or event.tag == "!":
            if plain and event.implicit[0]:
                try:
                    value = resolve_plain(text)
                except ValueError as error:
                    self._error(event, "E109", str(error))
                    value = 0
        else:
            value = self._tagged(event, text)
        start, end = event.start_mark, event.end_mark
        return Scalar(self.source, self._place(start, end), value)

    def _tagged(self, event: Any, text: str) -> Any:
        short = event.tag.removeprefix(_TAG)
        expected = _TAGS.get(short)
        if expected is None:
            self._error(event, "E105", f"the tag {event.tag} is refused: a spec holds plain values only")
            return text
        if short == "str":
            return text
        try:
            value = resolve_plain(text)
        except ValueError as error:
            self._error(event, "E109", str(error))
            return 0
        if not isinstance(value, expected):
            self._error(event, "E105", f"{describe(text)} is not of the type that its tag !!{short} says")
        return value

    def _check_tag(self, event: Any, expected: str) -> None:
        if event.tag not in (None, "!", _TAG + expected):
            self._error(event, "E105", f"the tag {event.tag} is refused: a spec holds plain values only")

    def _alias(self, event: Any) -> Located:
        if event.anchor not in self.anchors:
            self._stop(event, "E110", f"there is no anchor &{event.anchor} before this alias")
        target = self.anchors[event.anchor]
        if target is None:
            self._stop(event, "E110", f"the alias *{event.anchor} lies inside what it stands for")
        assert target is not None
        self.aliased += target.size
        if self.aliased > MAX_ALIASED:
            self._stop(event, "E106", f"aliases expand to more than {MAX_ALIASED:,} values")
        return target

    def _anchored(self, event: Any, value: Located) -> Located:
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def _place(self, start: Any, end: Any) -> tuple[int, int, int, int]:
        first = start.column + 1 if start.line else start.column + 1 + self.start
        last = end.column + 1 if end.line else end.column + 1 + self.start
        return (start.line + 1, first, end.line + 1, last)

    def _span(self, start: Any, end: Any) -> Span:
        return Span(self.source, *self._place(start, end))

    def _error(self, event: Any, code: str, message: str) -> None:
        self.findings.error(code, message, self._span(event.start_mark, event.end_mark))

    def _stop(self, event: Any, code: str, message: str) -> None:
        self._error(event, code, message)
        raise _Stop

    def _syntax_error(self, error: Any) -> None:
        mark = error.problem_mark or error.context_mark
        span = self._span(mark, mark) if mark else self._start()
        if "nesting depth" in (error.problem or ""):  # libyaml has a bound of its own
            self.findings.error("E106", f"values are nested more than {MAX_DEPTH} deep", span)
            return
        mends: list[Mend] = []
        problem = _PROBLEMS.get(error.problem or "", error.problem or "the text cannot be parsed")
        help = []
        line = self.source.line(span.line)
        if "$(" in line and "{" in line:
            help.append('inside { } quote an expression that has a comma or bracket: {times: "$(depths[0])"}')
            if problem.startswith("expected `,`"):
                mends = self._quoted_expression(span.line, help[-1])
        elif "\t" in line[: max(1, len(line) - len(line.lstrip()))] or "'\\t'" in problem:
            help.append("indent with spaces, not tabs")
            mends = self._without_tabs(help[-1])
        secondary = []
        if error.context_mark and error.context_mark.line != mark.line:
            secondary.append(Label(self._span(error.context_mark, error.context_mark), error.context or ""))
        self.findings.error("E104", f"not YAML: {problem}", span, secondary=secondary, help=help, mends=mends)

    def _quoted_expression(self, number: int, help: str) -> list[Mend]:
        """The one expression without quotes of a line, in quotes."""
        from archspec.edits import expression_in_quotes

        begins = [match.start() for match in re.finditer(r"(?<=[\s,:\[])\$\(", self.source.line(number))]
        if self.source.path is None or len(begins) != 1:
            return []
        edits = expression_in_quotes(self.source, (number, begins[0] + 1))
        return [Mend(help, edits, certain=True)] if edits else []

    def _without_tabs(self, help: str) -> list[Mend]:
        """Two spaces for each tab that a line begins with."""
        edits = []
        for number in range(1, self.source.length + 1 if self.source.path is not None else 0):
            line = self.source.line(number)
            begin = line[: len(line) - len(line.lstrip())]
            if "\t" in begin:
                edits.append(Edit(Span(self.source, number, 1, number, len(begin) + 1), begin.replace("\t", "  ")))
        return [Mend(help, tuple(edits))] if edits else []


def _parser(yaml: Any, text: str) -> Any:
    """An event parser over the text: libyaml's, or PyYAML's own where the C library is missing."""
    if yaml.__with_libyaml__:
        from yaml._yaml import CParser

        return CParser(text)
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class PurePythonParser(Reader, Scanner, Parser):
        def __init__(self, stream: str) -> None:
            Reader.__init__(self, stream)
            Scanner.__init__(self)
            Parser.__init__(self)

    return PurePythonParser(text)


def _is_rest(value: Located, entries: dict[str, tuple[Scalar, Located]], findings: Findings) -> bool:
    """Whether an entry is but what follows the comma in an expression without quotes: `4))` of `{units: $(max(2,4))}`.

    The expression before it is then reported, as it is where it is read, if it is.
    """
    from archspec.expressions import cut_off, unclosed

    if not isinstance(value, Scalar) or value.value is not None or not entries:
        return False
    _, before = next(reversed(entries.values()))
    error = unclosed(before.value) if isinstance(before, Scalar) and before.dynamic else None
    if error is None or not isinstance(before, Scalar):
        return False
    cut = cut_off(before, error)
    help = [*([error.help] if error.help else []), *cut]
    from archspec.edits import expression_in_quotes

    known = before.source.path is not None and bool(cut)
    edits = expression_in_quotes(before.source, before.place[:2]) if known else None
    mends = [Mend(cut[0], edits, certain=True)] if edits else []
    findings.error("E202", error.message, before.span_at(error.offset, error.length), help=help, mends=mends)
    return True


def _quoted_key(key: Scalar) -> list[Mend]:
    """A key that is no text, in quotes."""
    written = key.span.text
    if not re.fullmatch(r"[\w.+-]+", written) or written != str(key.value):
        return []
    return [Mend(f'write "{key.value}" in quotes', (Edit(key.span, f'"{written}"'),), certain=True)]


def _one_of_two(first: tuple[Scalar, Located], second: tuple[Scalar, Located]) -> list[Mend]:
    """A key that is given twice, without the one or the other; where both say the same, one is as good."""
    from archspec.edits import without_field

    same = first[1].plain == second[1].plain
    mends = []
    for key, value in (second, first):
        line = key.source.line(key.line)[: key.column - 1].strip()
        edit = without_field(key, value, flow=line not in ("", "-"))
        if edit is not None:
            mends.append(Mend("remove one of them", (edit,), certain=same and key is second[0]))
    return mends
