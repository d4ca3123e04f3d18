"""From what `editing/` says to the protocol's types: URIs, code units, Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote
from urllib.request import url2pathname

from lsprotocol import types

from archspec.diagnostics import Diagnostic, Edit, Source, Span
from archspec.editing.actions import Action
from archspec.editing.analysis import Reading
from archspec.positions import Lines, Position, end_of, start_of
from archspec.source import real

FAR = Position(1, 10_000)

SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}


class Converter:
    """Converts by the encoding that a client counts columns in. `named` has the URIs by which it knows open texts, with
    their versions."""

    def __init__(self) -> None:
        self.encoding = "utf-16"
        self.versioned = False
        """Whether edits may say of which version of a text they are."""
        self.folder = Path()
        """What relative paths in texts without a file start from."""
        self.named: dict[Path, dict[str, int]] = {}

    # Files.

    def path(self, uri: str) -> Path | None:
        """The path of a URI; a text that is no file yet gets one in the workspace's folder.

        None where there can be no file: what lies in a repository's history is not what is on the disk.
        """
        scheme, _, rest = uri.partition(":")
        if scheme == "untitled":
            return self.folder / quote(uri, safe="")
        if scheme != "file":
            return None
        host, slash, path = rest.removeprefix("//").partition("/") if rest.startswith("//") else ("", "/", rest[1:])
        where = url2pathname(slash + path)
        return Path(where if host in ("", "localhost") else f"//{host}{where}")

    def uri(self, path: Path) -> str:
        """The URI of a file: as the client wrote it, where it is open."""
        return next(iter(self.named.get(path, ())), None) or path.as_uri()

    # Places.

    def range(self, lines: Lines, span: Span) -> types.Range:
        return self.between(lines, start_of(span), end_of(span))

    def between(self, lines: Lines, start: Position, end: Position) -> types.Range:
        return types.Range(self.position(lines, start), self.position(lines, end))

    def position(self, lines: Lines, position: Position) -> types.Position:
        return types.Position(*lines.to_editor(position, self.encoding))

    def place(self, lines: Lines, position: types.Position) -> Position:
        return lines.from_editor(position.line, position.character, self.encoding)

    def line(self, lines: Lines, number: int) -> int:
        """An editor's line, from 0."""
        return self.position(lines, Position(number, 1)).line

    def location(self, span: Span, reading: Reading | None = None) -> types.Location | None:
        """A span with the URI of the file that it is in; None where that is no file."""
        path = file_of(span.source)
        if path is None:
            return None
        return types.Location(self.uri(path), self.range(lines_of(span.source, reading), span))

    # Diagnostics.

    def diagnostics(self, reading: Reading, items: Iterable[Diagnostic]) -> dict[str, list[types.Diagnostic]]:
        """Diagnostics by the URI of the file that they are in; what has no place is at the beginning of the text."""
        found: dict[str, list[types.Diagnostic]] = {}
        for item in items:
            uri, said = self.diagnostic(reading, item)
            found.setdefault(uri, []).append(said)
        return found

    def diagnostic(self, reading: Reading, item: Diagnostic) -> tuple[str, types.Diagnostic]:
        """One of them, with its URI."""
        place = self.location(item.primary.span, reading) if item.primary is not None else None
        if place is None:
            place = types.Location(self.uri(reading.path), self.between(reading.lines, Position(1, 1), FAR))
        others = [(label, self.location(label.span, reading)) for label in item.secondary]
        return place.uri, types.Diagnostic(
            place.range,
            words_of(item),
            SEVERITIES[item.severity],
            item.code,
            source="archspec",
            related_information=[
                types.DiagnosticRelatedInformation(where, label.text or "here") for label, where in others if where
            ],
        )

    # Edits.

    def action(self, reading: Reading, action: Action) -> types.CodeAction | None:
        """A mend as a quick fix; None where its edits are not all in files."""
        edits = self.workspace_edit(action.mend.edits, reading)
        if edits is None:
            return None
        return types.CodeAction(
            action.mend.help,
            types.CodeActionKind.QuickFix,
            [self.diagnostic(reading, action.diagnostic)[1]],
            is_preferred=action.preferred,
            edit=edits,
        )

    def workspace_edit(self, edits: Iterable[Edit], reading: Reading | None = None) -> types.WorkspaceEdit | None:
        """Edits of several files as one; None where one of them is in no file."""
        changes: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            place = self.location(edit.span, reading)
            if place is None:
                return None
            changes.setdefault(place.uri, []).append(types.TextEdit(place.range, edit.text))
        return self.changes(changes)

    def changes(self, changes: Mapping[str, Sequence[types.TextEdit]]) -> types.WorkspaceEdit:
        """Edits by URI, with the versions of the texts that they are for where the client knows of these."""
        if not self.versioned:
            return types.WorkspaceEdit(changes={uri: list(edits) for uri, edits in changes.items()})
        versions = {uri: version for known in list(self.named.values()) for uri, version in list(known.items())}
        return types.WorkspaceEdit(
            document_changes=[
                types.TextDocumentEdit(
                    types.OptionalVersionedTextDocumentIdentifier(uri, versions.get(uri)), list(edits)
                )
                for uri, edits in changes.items()
            ]
        )


def file_of(source: Source) -> Path | None:
    """The file that a text is of, with links followed."""
    return None if source.path is None else real(source.path)


def lines_of(source: Source, reading: Reading | None = None) -> Lines:
    """The lines of a text; those of the reading that it is of are known."""
    return reading.lines if reading is not None and source is reading.source else Lines(source.text)


def words_of(item: Diagnostic) -> str:
    """A diagnostic in words, as the command line has it: the reason, what is at the place, notes and ways out."""
    lines = [item.message]
    if item.primary is not None and item.primary.text:
        lines.append(item.primary.text)
    lines += [f"note: {text}" for text in item.notes]
    lines += [f"help: {text}" for text in item.help]
    return "\n".join(lines)


def markdown(text: str) -> types.MarkupContent:
    return types.MarkupContent(types.MarkupKind.Markdown, text)
