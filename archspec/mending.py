"""Applies mends: to texts, and to the files of specs as `validate --fix` does.

A mend is kept where its finding is gone with it and nothing has come. What comes to light was there before: a name that
is unknown or missing within an entry or section that was not read, since its own name was wrong, and warnings, which
are looked for once there is no error. Where an error comes that has a certain mend of its own, both are tried together,
since one mistake often hides another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError, Diagnostic, Edit, Mend, Span, but_for_numbers
from archspec.positions import Lines, start_of
from archspec.source import Texts, laid, laid_now

MAX_ROUNDS = 2000
"""Times that specs are read, at most."""

MAX_HIDDEN = 12
"""Errors behind one another that a mend may bring to light and that are mended with it."""


class Change(NamedTuple):
    """A stretch of a text, by its characters, and what comes in its place."""

    begin: int
    end: int
    text: str


def changes_of(text: str, edits: Iterable[Edit]) -> list[Change]:
    """Edits of one text by the characters that they are about, in order; line ends are the text's own.

    Raises ValueError where two of them overlap.
    """
    lines, ending = Lines(text), "\r\n" if "\r\n" in text else "\n"
    changes = []
    for span, new in edits:
        begin, end = lines.extent(span)
        changes.append(Change(begin, end, new.replace("\n", ending)))
    changes.sort(key=lambda change: change[:2])
    if any(first.end > second.begin for first, second in pairwise(changes)):
        raise ValueError("edits overlap")
    return changes


def applied(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits made in it. Raises ValueError where they overlap."""
    return _changed(text, changes_of(text, edits))


def _changed(text: str, changes: Sequence[Change]) -> str:
    parts, last = [], 0
    for begin, end, new in changes:
        parts += [text[last:begin], new]
        last = end
    return "".join([*parts, text[last:]])


def _moved(offset: int, changes: Sequence[Change]) -> int:
    """Where a character stands in a text that was changed; what was put at it comes before it."""
    shift = 0
    for begin, end, new in changes:
        if end <= offset:
            shift += len(new) - (end - begin)
        elif begin <= offset:
            return begin + shift
    return offset + shift


class Reading(NamedTuple):
    """What was found in one spec, and the files that were read for it."""

    findings: tuple[Diagnostic, ...]
    files: frozenset[Path]


Read = Callable[[str], Reading]
"""Reads a spec, whose name is given, as `validate` does."""


class Step(NamedTuple):
    """A mend that was made, where, and the lines that it changed as they were and as they are."""

    code: str
    help: str
    place: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Fixed(NamedTuple):
    """What came of mending specs."""

    steps: tuple[Step, ...]
    left: Mapping[Diagnostic, str]
    """Findings with a certain mend that was not made, and why."""
    findings: tuple[Diagnostic, ...]
    """All that is left."""
    texts: Mapping[Path, tuple[str, str]]
    """The files to be written: the text that was read, and the new one."""


class Known(NamedTuple):
    """A finding by what stays the same of it while a text changes around it."""

    code: str
    words: str
    path: Path | None
    offset: int


def known(item: Diagnostic) -> Known:
    """A finding by its code, its words but for numbers, and the character that it begins with."""
    words = but_for_numbers(item.message)
    span = item.primary.span if item.primary is not None else None
    if span is None or span.source.path is None:
        return Known(item.code, words, None, 0)
    offset = Lines(span.source.text).offset(start_of(span))
    return Known(item.code, words, span.source.path.resolve(), offset)


def moved(items: Iterable[Known], path: Path, changes: Sequence[Change]) -> set[Known]:
    """The same findings in a text that was changed. One where something was put may stand before it or behind it."""
    found: set[Known] = set()
    for item in items:
        offset = shift = 0
        if item.path == path:
            offset = item.offset
            for begin, end, new in changes:
                if begin == end == item.offset:
                    found.add(item._replace(offset=offset + shift))
                if end <= item.offset:
                    shift += len(new) - (end - begin)
                elif begin <= item.offset:
                    offset = begin
        found.add(item._replace(offset=offset + shift) if item.path == path else item)
    return found


def is_packaged(path: Path) -> str | None:
    """Whose a file is that a package brought, the zoo's or another's; None where it is not of one."""
    from archspec.zoo import zoo_folder

    real = path.resolve()
    if zoo_folder().resolve() in real.parents:
        return f"{path} is of the zoo"
    return f"{path} is another package's" if {"site-packages", "dist-packages"} & set(real.parts) else None


def is_foreign(path: Path) -> str | None:
    """Why a file is not to be changed: a package brought it, or it is no file; None where it is the user's."""
    return is_packaged(path) or (None if path.resolve().is_file() else f"{path} is no file")


def edits_by_file(mends: Iterable[Mend]) -> dict[Path, list[Edit]]:
    """The edits of mends by the file that they are about, each once."""
    found: dict[Path, dict[Edit, None]] = {}
    for mend in mends:
        for edit in mend.edits:
            assert edit.span.source.path is not None
            found.setdefault(edit.span.source.path.resolve(), {})[edit] = None
    return {path: list(edits) for path, edits in found.items()}


class _State(NamedTuple):
    texts: dict[Path, tuple[str, str]]
    readings: dict[str, Reading]

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        return tuple(dict.fromkeys(item for reading in self.readings.values() for item in reading.findings))


class Mender:
    """Makes mends of specs, each as far as it does no harm. No file is written."""

    def __init__(self, targets: Sequence[str], read: Read, may: Callable[[Path], str | None] = is_foreign) -> None:
        """`may` says why a file is not to be changed, and None where it may be."""
        self.read = read
        self.may = may
        self.state = _State({}, {target: read(target) for target in dict.fromkeys(targets)})
        self.steps: list[Step] = []
        self.refused: dict[Known, str] = {}

    def all(self) -> Fixed:
        """Makes every certain mend that can be kept."""
        many = MAX_ROUNDS
        for _ in range(MAX_ROUNDS):
            chosen = self._chosen(self.state)[:many]
            if not chosen:
                break
            # All together, or half of them where one does harm, until that one is found.
            kept = self._keep(chosen, single=len(chosen) == 1)
            many = 2 * many if kept or len(chosen) == 1 else len(chosen) // 2
        findings = self.state.findings
        left = {item: why for item in findings if (why := self.refused.get(known(item))) is not None}
        return Fixed(tuple(self.steps), left, findings, self.state.texts)

    def harm_of(self, item: Diagnostic, mend: Mend) -> str | None:
        """Why a mend is not to be made; None where its finding is gone with it and nothing has come."""
        try:
            came = self._made(self.state, [(item, mend)], {known(each) for each in self.state.findings})[1]
        except _HarmError as error:
            return str(error)
        return _told(came[0]) if came else None

    def _chosen(self, state: _State, among: Iterable[Diagnostic] | None = None) -> list[tuple[Diagnostic, Mend]]:
        """The findings that have one certain mend, but for those refused, and those of which the mends meet."""
        chosen: list[tuple[Diagnostic, Mend]] = []
        taken: set[Edit] = set()
        for item in state.findings if among is None else among:
            mend, key = item.certain_mend, known(item)
            if mend is None or key in self.refused or taken & set(mend.edits):
                continue
            files = edits_by_file([mend])
            why = next((why for path in files if (why := self.may(path)) is not None), None)
            if why is not None:
                self.refused[key] = why
                continue
            try:
                for path, edits in files.items():
                    own = [edit for edit in taken if edit.span.source.path and edit.span.source.path.resolve() == path]
                    changes_of(edits[0].span.source.text, [*own, *edits])
            except ValueError:
                continue  # in a round of its own
            taken.update(mend.edits)
            chosen.append((item, mend))
        return chosen

    def _keep(self, chosen: list[tuple[Diagnostic, Mend]], *, single: bool) -> bool:
        """Makes mends and keeps them where they do no harm. Of a single one it is noted why it was not kept."""
        first = known(chosen[0][0])
        state, before = self.state, {known(item) for item in self.state.findings}
        steps: list[Step] = []
        harm = ""
        try:
            for _ in range(MAX_HIDDEN):
                steps.extend(_step(item, mend) for item, mend in chosen)
                state, came, before = self._made(state, chosen, before)
                if not came:
                    self.refused = {key: why for key, why in self.refused.items() if why in self._lasting()}
                    self.state = state
                    self.steps.extend(steps)
                    return True
                harm = _told(came[0])
                chosen = self._chosen(state, came)
                if len(chosen) < len(came):
                    break
        except _HarmError as error:
            harm = str(error)
        if single:
            self.refused[first] = harm
        return False

    def _lasting(self) -> set[str]:
        """Reasons that stay whatever else is mended."""
        return {why for path in self._files() if (why := self.may(path)) is not None}

    def _files(self) -> set[Path]:
        return {path for reading in self.state.readings.values() for path in reading.files}

    def _made(
        self, state: _State, chosen: Sequence[tuple[Diagnostic, Mend]], before: set[Known]
    ) -> tuple[_State, list[Diagnostic], set[Known]]:
        """What is found with some mends made; what of it has come; and what was found before, at its new places.

        Raises `_HarmError` where a finding stays.
        """
        texts, asked = dict(state.texts), {known(item) for item, _ in chosen}
        within = {span for item, _ in chosen if (span := _unread(item)) is not None}
        hides = {item.severity for item, _ in chosen} != {"warning"}
        regions: list[tuple[Path, int, int]] = []
        files = edits_by_file(mend for _, mend in chosen)
        for path, edits in files.items():
            old = edits[0].span.source.text
            changes = changes_of(old, edits)
            new = _changed(old, changes)
            texts[path] = (texts[path][0] if path in texts else old, new)
            before, asked = moved(before, path, changes), moved(asked, path, changes)
            lines = Lines(old)
            for span in within:
                if span.source.path is not None and span.source.path.resolve() == path:
                    begin, end = (_moved(offset, changes) for offset in lines.extent(span))
                    regions.append((path, begin, end))
        with laid(Texts({path: new for path, (_, new) in texts.items()}, laid_now())):
            readings = {
                target: self.read(target) if reading.files & files.keys() else reading
                for target, reading in state.readings.items()
            }
        made = _State(texts, readings)
        after = {known(item): item for item in made.findings}
        if stays := asked & after.keys():
            raise _HarmError(f"it does not mend it: {after[next(iter(stays))].message}")
        came = [item for key, item in after.items() if key not in before and not _was_hidden(item, key, regions, hides)]
        return made, came, before


class _HarmError(Exception):
    """A mend does harm; the message says which."""


_UNREAD = ("E201", "E202", "E203", "E204", "E207")
"""Findings of names that are unknown, or missing."""


def _unread(item: Diagnostic) -> Span | None:
    """The entry, or the value of a field, that was not read for what is wrong at its beginning."""
    from archspec.spec.mending import unread

    return unread(item.primary.span) if item.primary is not None and item.code in _UNREAD else None


def _was_hidden(item: Diagnostic, key: Known, regions: Iterable[tuple[Path, int, int]], hides: bool) -> bool:
    """Whether a finding that has come was there before, and could not be seen for one that is gone."""
    if item.severity == "warning":
        return hides
    return item.code in _UNREAD and any(path == key.path and begin <= key.offset < end for path, begin, end in regions)


def _told(item: Diagnostic) -> str:
    place = f" in line {item.primary.span.line}" if item.primary is not None else ""
    return f"with it {item.code} would come{place}: {item.message}"


def _step(item: Diagnostic, mend: Mend) -> Step:
    """What a mend changes, as lines of the first file that it is about."""
    edits = next(iter(edits_by_file([mend]).values()))
    source = edits[0].span.source
    changes = changes_of(source.text, edits)
    new = _changed(source.text, changes)
    old_lines, new_lines = source.text.splitlines(), new.splitlines()
    same = next((n for n, (a, b) in enumerate(zip(old_lines, new_lines, strict=False)) if a != b), 0)
    tail = 0
    while tail < min(len(old_lines), len(new_lines)) - same and old_lines[-1 - tail] == new_lines[-1 - tail]:
        tail += 1
    place = item.primary.span if item.primary is not None else edits[0].span
    before, after = old_lines[same : len(old_lines) - tail], new_lines[same : len(new_lines) - tail]
    return Step(item.code, mend.help, str(place), tuple(before), tuple(after))


def written(fixed: Fixed, but: Path | None = None) -> list[Path]:
    """Writes the files whose texts were mended, each as a whole, and gives their paths; `but` is one that is none.

    Raises `DataError` (E534) before anything is written where a file is no longer as it was read.
    """
    from archspec.writing import write

    contents: dict[Path, bytes] = {}
    for path, (old, new) in fixed.texts.items():
        if path == but:
            continue
        try:
            data = path.read_bytes()
            mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
            same = data.decode("utf-8-sig") == old
        except (OSError, ValueError):
            same, mark = False, b""
        if not same:
            raise DataError("E534", f"{path} was changed meanwhile", help=["nothing is written: try again"])
        contents[path] = mark + new.encode()
    for path, text in contents.items():
        write(path, text)
    return list(contents)
