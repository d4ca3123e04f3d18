"""`import`: files whose blocks a spec uses. Imported once a spec has some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from archspec.diagnostics import Findings, Label, Span
from archspec.fields import at_home
from archspec.located import Located, Scalar, Sequence
from archspec.located import Mapping as LocatedMapping
from archspec.source import is_file
from archspec.spec.document import Block, Document
from archspec.spec.extending import given_arguments, is_path


def imported_paths(root: LocatedMapping, findings: Findings) -> Iterable[Scalar]:
    """The paths under `import`; what is none is reported."""
    node = root.entries["import"][1]
    for item in node.items if isinstance(node, Sequence) else [node]:
        if is_path(item):
            yield item
        else:
            findings.error("E112", "`import` is a list of file paths", item.span)


class Open(Protocol):
    """What opens a library: a file that others import, with the arguments that they give it."""

    def __call__(
        self,
        path: Path,
        chain: tuple[Path, ...],
        *,
        library: bool,
        span: Span | None,
        given: Mapping[str, tuple[Scalar, Located]] | None,
    ) -> Document | None: ...


class Libraries:
    """Imported files, each opened once for the arguments given."""

    def __init__(self, open: Open, findings: Findings) -> None:
        self.open = open
        self.findings = findings
        self.documents: dict[tuple[Path, str], Document | None] = {}

    def add_blocks(self, document: Document, imports: Iterable[Scalar], chain: tuple[Path, ...]) -> None:
        """Adds the blocks of imported files to a document's. `chain` is the files that led to it."""
        for item in imports:
            other = self._library(item, chain)
            for block in other.blocks.values() if other else ():
                self._add(document, block, item)

    def _library(self, item: Scalar, chain: tuple[Path, ...]) -> Document | None:
        path = item.source.folder / at_home(item.value)
        file, mark, query = item.value.partition("?")
        given: dict[str, tuple[Scalar, Located]] = {}
        if mark and not is_file(path):
            read = given_arguments(item, len(file), self.findings)
            if read is None:
                return None
            path, given = item.source.folder / at_home(file), read
        key = (path.resolve(), query if given else "")
        if key not in self.documents or key[0] in chain:
            self.documents[key] = self.open(path, chain, library=True, span=item.span, given=given)
        return self.documents[key]

    def _add(self, document: Document, block: Block, item: Scalar) -> None:
        earlier = document.blocks.get(block.name)
        if earlier is not None and earlier is not block:
            self.findings.error(
                "E208",
                f"two imported files define the block `{block.name}`",
                item.span,
                secondary=[Label(earlier.key.span, "first here"), Label(block.key.span, "and here")],
                help=["rename one of them"],
            )
        document.blocks[block.name] = block
