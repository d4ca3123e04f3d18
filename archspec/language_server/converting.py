"""From what `editing/` says to the protocol's types: URIs, code units, Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote
from urllib.request import url2pathname

from lsprotocol import types

from archspec.diagnostics import Diagnostic, Edit, Mend, Source, Span
from archspec.editing.analysis import Reading
from archspec.editing.positions import Lines, Position, end_of, start_of

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

    # Diagnostics.

    def diagnostics(self, reading: Reading, items: Iterable[Diagnostic]) -> dict[str, list[types.Diagnostic]]:
        """Diagnostics by the URI of the file that they are in; what has no place is at the beginning of the text."""
        files = {id(source): path for path, source in reading.sources.items()}
        found: dict[str, list[types.Diagnostic]] = {}
        for item in items:
            path = files.get(id(item.primary.span.source), reading.path) if item.primary else reading.path
            found.setdefault(self.uri(path), []).append(self.diagnostic(reading, item, files))
        return found

    def diagnostic(self, reading: Reading, item: Diagnostic, files: dict[int, Path]) -> types.Diagnostic:
        span = item.primary.span if item.primary is not None and id(item.primary.span.source) in files else None
        if span is None:
            range = self.between(reading.lines, Position(1, 1), Position(1, 10_000))
        else:
            range = self.range(self.lines(reading, span.source), span)
        return types.Diagnostic(
            range,
            words_of(item),
            SEVERITIES[item.severity],
            item.code,
            source="archspec",
            related_information=[
                types.DiagnosticRelatedInformation(
                    types.Location(
                        self.uri(files[id(label.span.source)]),
                        self.range(self.lines(reading, label.span.source), label.span),
                    ),
                    label.text or "here",
                )
                for label in item.secondary
                if id(label.span.source) in files
            ],
        )

    def lines(self, reading: Reading, source: Source) -> Lines:
        """The lines of one of the texts that were read."""
        return reading.lines if source is reading.source else Lines(source.text)

    # Edits.

    def action(self, reading: Reading, item: Diagnostic, mend: Mend, *, only: bool) -> types.CodeAction | None:
        """A mend as a quick fix; None where its edits are not all in files that were read."""
        edits = self.workspace_edit(reading, mend.edits)
        if edits is None:
            return None
        files = {id(source): path for path, source in reading.sources.items()}
        return types.CodeAction(
            mend.help,
            types.CodeActionKind.QuickFix,
            [self.diagnostic(reading, item, files)],
            is_preferred=mend.certain and only,
            edit=edits,
        )

    def workspace_edit(self, reading: Reading, edits: Sequence[Edit]) -> types.WorkspaceEdit | None:
        files = {id(source): path for path, source in reading.sources.items()}
        changes: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            if id(edit.span.source) not in files:
                return None
            lines = self.lines(reading, edit.span.source)
            written = types.TextEdit(self.range(lines, edit.span), edit.text)
            changes.setdefault(self.uri(files[id(edit.span.source)]), []).append(written)
        return self.changes(changes)

    def changes(self, changes: Mapping[str, Sequence[types.TextEdit]]) -> types.WorkspaceEdit:
        """Edits by URI, with the versions of the texts that they are for where the client knows of these."""
        if not self.versioned:
            return types.WorkspaceEdit(changes={uri: list(edits) for uri, edits in changes.items()})
        versions = {uri: version for known in self.named.values() for uri, version in known.items()}
        return types.WorkspaceEdit(
            document_changes=[
                types.TextDocumentEdit(
                    types.OptionalVersionedTextDocumentIdentifier(uri, versions.get(uri)), list(edits)
                )
                for uri, edits in changes.items()
            ]
        )


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
