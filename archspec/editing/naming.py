"""Where the name at a place is given, and where it is used: in its file, in those that this extends and imports, and in
those that extend or import this."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import Span
from archspec.editing.analysis import Analysis
from archspec.editing.families import Family
from archspec.editing.links import links
from archspec.editing.symbols import Place, Symbol
from archspec.editing.workspace import Workspace
from archspec.positions import Position, covers
from archspec.source import Files, Texts
from archspec.spec.files import ENDINGS, is_ours

MAX_SEARCHED = 2000
"""Files of folders that are looked at for those that use a file."""

_SKIPPED = {"node_modules", "__pycache__", "site-packages", "runs", "build", "dist"}


class Highlight(NamedTuple):
    """A place of a name in a text. `given` says that it has its name there."""

    span: Span
    given: bool


class Names:
    """What the names of an open text are, from which all questions about them are answered.

    While it, or another open text, is half written, its names are those that it had; places are of the text of now.
    """

    def __init__(self, workspace: Workspace, analysis: Analysis) -> None:
        self.workspace = workspace
        self.analysis = analysis
        self.path = workspace.real(analysis.now.path)
        self.older: dict[Path, Analysis] = {}
        """Open texts that are half written."""
        texts: dict[Path, str] = {}
        for path in workspace.texts:
            known = analysis if path == self.path else workspace.analysis(path)
            if known is not None and known.now is not known.parsed and known.parsed is not None:
                texts[path] = known.parsed.text
                self.older[path] = known
        self.files = Texts(texts, workspace)
        self.family = Family(self.files)
        self.index = self.family.add(self.path)
        parsed = analysis.parsed
        if self.index is not None and parsed is not None and parsed.trace is not None:
            self.family.add_trace(self.index, parsed.trace, parsed.variant)

    @classmethod
    def of(cls, workspace: Workspace, analysis: Analysis) -> Names:
        """The names of a text, made once for each reading of it."""
        known = analysis.names
        if not isinstance(known, cls) or known.workspace is not workspace:
            known = analysis.names = cls(workspace, analysis)
        return known

    def then(self, position: Position) -> Position | None:
        """Where a place of the text of now stood in that whose names are known; None in a line that is new."""
        parsed = self.analysis.parsed
        if parsed is None or parsed is self.analysis.now:
            return position
        line = self.analysis.moved(parsed).back(position.line)
        return Position(line, position.column) if line is not None else None

    def now(self, place: Place) -> Place | None:
        """A place in the text of now; None where its line was changed."""
        known = self.older.get(place.path)
        if known is None or known.parsed is None:
            return place
        moved = known.moved(known.parsed)
        first, last = moved.line(place.span.line), moved.line(place.span.end_line)
        if first is None or last is None:
            return None
        return place._replace(span=place.span._replace(line=first, end_line=last))

    def at(self, position: Position) -> list[Symbol]:
        """What is named at a place of the text."""
        then = self.then(position)
        return self.family.at(self.path, then) if then is not None else []

    def places(self, symbols: Iterable[Symbol]) -> list[Place]:
        """All places of names, each once."""
        found: dict[tuple[Path, int, int, int, int], Place] = {}
        for symbol in symbols:
            for place in symbol.places:
                now = self.now(place)
                if now is not None:
                    found.setdefault(now.key, now)
        return list(found.values())


def definition(workspace: Workspace, analysis: Analysis, position: Position) -> list[Place]:
    """Where what is named at a place has its name: a layer without one, its kind; a file, its beginning."""
    names = Names.of(workspace, analysis)
    found = [place for place in names.places(names.at(position)) if place.definition]
    if found:
        return found
    for link in links(analysis, workspace):
        if link.path is not None and covers(link.span, position):
            return [Place(link.path, link.span._replace(line=1, column=1, end_line=1, end_column=1), True)]
    return []


def highlights(workspace: Workspace, analysis: Analysis, position: Position) -> list[Highlight]:
    """The places in the text of what is named at one of them."""
    names = Names.of(workspace, analysis)
    places = [place for place in names.places(names.at(position)) if place.path == names.path]
    return sorted((Highlight(place.span, place.definition) for place in places), key=lambda item: item.span[1:])


def references(
    workspace: Workspace, analysis: Analysis, position: Position, folders: Iterable[Path] = ()
) -> list[Place]:
    """All places of what is named at a place, definitions first. `folders` are looked through for files that use those
    of the text. What `$(…)` makes is known of the variant that is shown."""
    names = Names.of(workspace, analysis)
    if names.index is None or not names.at(position):
        return []
    add_users(names, folders)
    return names.places(names.at(position))


def add_users(names: Names, folders: Iterable[Path]) -> None:
    """Adds the open texts and the files of folders that use one that is known, and those that use these."""
    paths = {path: None for path in names.workspace.texts if names.workspace.is_ours(path)}
    paths |= dict.fromkeys(_specs(folders, names.files))
    waiting = [path for path in paths if path not in names.family.indexes]
    while waiting:
        words = {word for index in names.family.indexes.values() for word in (index.path.stem, *index.variants)}
        mentions = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(words)))})\b")
        found = []
        for path in waiting:
            text = _text(path, names.files)
            if ("extends" in text or "import" in text) and mentions.search(text):
                found.append(path)
        if not found:
            return
        waiting = [path for path in waiting if path not in found]
        for path in found:
            names.family.add(path)


def _specs(folders: Iterable[Path], files: Files) -> Iterator[Path]:
    """The specs in folders, as many as are looked at."""
    count = 0
    for folder in folders:
        for root, below, inside in os.walk(folder):
            below[:] = sorted(name for name in below if name not in _SKIPPED and not name.startswith("."))
            for name in sorted(inside):
                if name.endswith(ENDINGS):
                    count += 1
                    if count > MAX_SEARCHED:
                        return
                    path = files.real(Path(root) / name)
                    if is_ours(_text(path, files)):
                        yield path


def _text(path: Path, files: Files) -> str:
    try:
        data = files.bytes_of(path) if files.holds(path) else path.read_bytes()
        return data.decode("utf-8-sig", "replace")
    except OSError:
        return ""
