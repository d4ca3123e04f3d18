"""What a text refers to outside of it: files of `extends` and `import`, papers by their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import Findings, Span
from archspec.editing.analysis import Analysis, Reading
from archspec.located import Located, Mapping, Sequence
from archspec.positions import Lines
from archspec.source import Files, is_file, laid, real
from archspec.spec.extending import is_path, named_base
from archspec.spec.importing import library

_PAPER = re.compile(
    r"\barxiv:\s?(?P<arxiv>\d{4}\.\d{4,5}(?:v\d+)?)\b|\bdoi:\s?(?P<doi>10\.\d{4,9}/[^\s,;\"'<>]*[\w/])", re.IGNORECASE
)


class Link(NamedTuple):
    """A stretch of a text, and the file or the page that it names."""

    span: Span
    path: Path | None
    url: str = ""


def links(analysis: Analysis, files: Files | None) -> list[Link]:
    """What a text refers to; while it is half written what it did in the lines that there still are."""
    found = list(_papers(analysis.now))
    reading = analysis.parsed
    if reading is None or reading.root is None:
        return found
    moved = analysis.moved(reading)
    with laid(files):
        for link in _files(reading.root):
            first, last = moved.line(link.span.line), moved.line(link.span.end_line)
            if first is not None and last is not None:
                found.append(link._replace(span=link.span._replace(line=first, end_line=last)))
    return found


def _files(root: Mapping) -> Iterator[Link]:
    """The files that a spec's text names."""
    variants = root.get("variants")
    bases: list[tuple[str | None, Located | None]] = [(None, root.get("extends"))]
    if isinstance(variants, Mapping):
        bases += [(name, node.get("extends")) for name, _, node in variants.items() if isinstance(node, Mapping)]
    for variant, node in bases:
        if node is None or not is_path(node) or node.source is not root.source:
            continue
        name = node.value.partition("?")[0]
        if variant is not None and isinstance(variants, Mapping) and name in variants.entries and name != variant:
            continue
        path, _, _ = named_base(node.source.folder, node, Findings(), {})
        if path is not None and is_file(path):
            yield Link(node.span, real(path))
    imports: Located | None = root.get("import")
    for item in imports.items if isinstance(imports, Sequence) else [imports]:
        if item is not None and is_path(item) and item.source is root.source:
            found = library(item, Findings())
            if found is not None:
                yield Link(item.span, real(found[0]))


def _papers(reading: Reading) -> Iterator[Link]:
    source = reading.source
    if source is None:
        return
    lines = Lines(reading.text)
    for match in _PAPER.finditer(reading.text):
        span = Span(source, *lines.position(match.start()), *lines.position(match.end()))
        number = match["arxiv"]
        yield Link(span, None, f"https://arxiv.org/abs/{number}" if number else f"https://doi.org/{match['doi']}")
