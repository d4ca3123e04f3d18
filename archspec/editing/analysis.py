"""One reading of a text, and what is kept of earlier ones while a text is half written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.diagnostics import Diagnostic, Findings, Source, Span, SpecError
from archspec.elaborate.trace import Cancelled, Trace, Visit
from archspec.loading import diagnostics_of_family, networks_of, spec_of
from archspec.located import Mapping
from archspec.positions import Lines, Moved
from archspec.source import Stamp, read_file, real, stamps_of
from archspec.spec.document import default_variant, open_document
from archspec.spec.files import is_library

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.loading import Spec
    from archspec.spec.document import Document


@dataclass
class Reading:
    """What one text says, as far as it could be read.

    `root` is the tree of the text alone, None where it is not YAML; `spec` the network of the variant that is shown,
    None for a file of blocks and where nothing could be opened; `trace` what its elaboration went through, and `graph`
    the network, None where an error is in it.
    """

    path: Path
    text: str
    variant: str | None = None
    """The variant that was asked for; None for the file's own."""
    root: Mapping | None = None
    document: Document | None = None
    spec: Spec | None = None
    trace: Trace | None = None
    graph: Graph | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: dict[Path, Source] = field(default_factory=dict)
    """The texts that were read, by path with links followed."""
    files: set[Path] = field(default_factory=set)
    """The files that were looked for."""
    stamps: dict[Path, Stamp] = field(default_factory=dict)
    """Their states on the disk."""

    def __post_init__(self) -> None:
        self.lines = Lines(self.text)

    @property
    def source(self) -> Source | None:
        """The text itself, as spans name it."""
        return self.sources.get(self.path)

    def is_here(self, span: Span) -> bool:
        """Whether a span lies in the text itself."""
        return span.source is self.source

    def is_like(self, other: Reading) -> bool:
        """Whether another reading is of the same variant and, but for the text itself, of the same texts."""
        if self.variant != other.variant:
            return False
        both = (self.files & other.files) - {self.path}
        return all(_text(self.sources.get(path)) == _text(other.sources.get(path)) for path in both)

    def visits_in(self, source: Source | None) -> list[Visit]:
        """The visits of entries that are written in a text of those that were read."""
        if self.trace is None or source is None:
            return []
        return [visit for visit in self.trace.visits if visit.node.source is source]

    @property
    def variants(self) -> list[str]:
        """The names of the file's variants, those that it has from what it extends too."""
        return list(self.document.variants) if self.document is not None else []


def _text(source: Source | None) -> str | None:
    return None if source is None else source.text


class Analysis:
    """What is known of a text: the reading of now, and of before what the one of now lacks."""

    def __init__(self, now: Reading, parsed: Reading | None, whole: Reading | None) -> None:
        self.now = now
        self.parsed = parsed
        """The last reading whose text was YAML."""
        self.whole = whole
        """The last reading with a network: its trace has every layer."""
        self.of_all: Sequence[Diagnostic] | None = None
        """What is wrong in any variant, once there was time to read all of them."""
        self.stale = False
        """Whether something that it was made of has changed since."""
        self.names: object = None
        """What `naming` made of it, which goes when it goes."""
        self._moved: dict[int, Moved] = {}

    @classmethod
    def after(cls, before: Analysis | None, now: Reading) -> Analysis:
        """What is known once a text has been read anew."""
        parsed = now if now.root is not None else before.parsed if before else None
        whole = now if now.graph is not None else before.whole if before else None
        if whole is not None and whole is not now and not whole.is_like(now):
            whole = None
        return cls(now, parsed, whole)

    @property
    def diagnostics(self) -> Sequence[Diagnostic]:
        """What is wrong: in any variant, once these were read, or in that which is shown."""
        return self.now.diagnostics if self.of_all is None else self.of_all

    def moved(self, reading: Reading) -> Moved:
        """Where the lines of one of its readings are now."""
        known = self._moved.get(id(reading))
        if known is None:
            known = self._moved[id(reading)] = Moved(reading.text, self.now.text)
        return known


def read(
    path: Path,
    text: str,
    variant: str | None,
    cancelled: Callable[[], bool],
    unforeseen: Callable[[Exception], Diagnostic],
) -> Reading:
    """Reads a text that `source.laid` holds, its variant and all that it needs. Raises `Cancelled`.

    `unforeseen` makes a diagnostic of an error that nobody foresaw: whatever a text brings about, the next one is read.
    """
    reading = Reading(path, text, variant)
    findings = Findings()
    try:
        _read(reading, findings, cancelled)
    except SpecError as error:
        reading.diagnostics = error.diagnostics
    except Cancelled:
        raise
    except Exception as error:
        reading.diagnostics = (unforeseen(error),)
    reading.stamps = stamps_of(findings.files)
    reading.files = {real(file) for file in findings.files}
    reading.sources = {real(file): source for file, source in findings.files.items() if source is not None}
    return reading


def _read(reading: Reading, findings: Findings, cancelled: Callable[[], bool]) -> None:
    """Fills a reading in, as far as the text can be read. Raises `SpecError` where that is not far."""
    reading.root = read_file(reading.path, findings)
    if reading.root is None:
        raise SpecError(findings.sorted())
    library = is_library(reading.text)
    reading.document = open_document(reading.path, findings, library=library, known={reading.path: reading.root})
    if reading.document is None:
        raise SpecError(findings.sorted())
    if library:
        reading.diagnostics = tuple(findings.sorted())
        return
    shown = shown_of(reading.document, reading.variant)
    # Other inputs, for which the whole network is expanded many times, are looked for once there is time.
    reading.trace = Trace(cancelled, suggesting=False)
    reading.spec = spec_of(reading.document, shown, (), findings)
    reading.spec.traced(reading.trace)
    reading.diagnostics = reading.spec.diagnostics
    try:
        reading.graph = reading.spec.graph()
    except SpecError:
        reading.graph = None


def shown_of(document: Document, asked: str | None) -> str | None:
    """The variant that is shown of a file: the one that was asked for, where there is such a one; that which changes
    nothing; the first that is a network."""
    if asked in document.variants:
        return asked
    networks = networks_of(document)
    usual = default_variant(document)
    return usual if usual in networks else networks[0]


def of_all_variants(reading: Reading, cancelled: Callable[[], bool]) -> list[Diagnostic]:
    """The diagnostics of all the file's variants, with the ways out that take long to find. Raises `Cancelled`.

    To be called with the files laid as they were when the text was read.
    """
    if reading.spec is None or reading.document is None or reading.root is None:
        return list(reading.diagnostics)
    found: dict[str | None, Sequence[Diagnostic]] = {reading.spec.variant: reading.diagnostics}
    for name in networks_of(reading.document):
        if name == reading.spec.variant and not any(item.severity == "error" for item in reading.diagnostics):
            continue
        findings = Findings()
        findings.files = {reading.path: reading.source}
        document = open_document(reading.path, findings, known={reading.path: reading.root})
        if document is None:
            return list(reading.diagnostics)
        try:
            spec = spec_of(document, name, (), findings)
            spec.traced(Trace(cancelled))
            found[name] = spec.diagnostics
        except SpecError as error:
            found[name] = error.diagnostics
        # What a variant alone extends was not read for the one that is shown.
        reading.stamps = {**stamps_of(findings.files), **reading.stamps}
        for path, source in findings.files.items():
            reading.files.add(real(path))
            if source is not None:
                reading.sources.setdefault(real(path), source)
    return diagnostics_of_family(found)
