"""A spec as a tree of located values, after `extends`, `import` and variant, before any section is read."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Findings, Span, did_you_mean, listed
from archspec.expressions import MISSING, Environment
from archspec.located import Located, Scalar, is_null, merged
from archspec.located import Mapping as LocatedMapping
from archspec.source import is_file, is_folder, read_file
from archspec.spec.arguments import Argument, bind, declared
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS

if TYPE_CHECKING:
    from archspec.spec.importing import Libraries

MAX_FILES = 100

MAPPINGS = (
    *("args", "variants", "defaults", "blocks", "input", "inputs", "outputs", "train", "published", "weights"),
    "lineage",
)
"""Sections that are mappings."""


# Plain classes where starting counts: to make a data class takes a third of a millisecond.
class Block:
    """A layer kind that a spec defines. `inputs` are the names of its inputs; none where it takes what it is given."""

    def __init__(
        self, name: str, key: Scalar, arguments: dict[str, Argument], layers: Located | None, inputs: tuple[str, ...]
    ) -> None:
        self.name = name
        self.key = key
        self.arguments = arguments
        self.layers = layers
        self.inputs = inputs
        self.document: Document | None = None
        """The library it comes from, None for the spec's own."""


class Document:
    """One file with what it extends merged in."""

    def __init__(self, root: LocatedMapping, path: Path | None) -> None:
        self.root = root
        self.path = path
        self.written = root
        """The root as it was before a variant or overrides changed it."""
        self.arguments: dict[str, Argument] = {}
        self.blocks: dict[str, Block] = {}
        self.env: Environment = {}
        """What gives its arguments to `$(…)`."""
        self.variant: str | None = None

    def changed(self, root: LocatedMapping) -> Document:
        """The document with another root."""
        same = copy(self)
        same.root = root
        return same

    @property
    def defaults(self) -> LocatedMapping | None:
        node = self.root.get("defaults")
        return node if isinstance(node, LocatedMapping) else None

    @property
    def variants(self) -> dict[str, Located]:
        node = self.root.get("variants")
        return {name: value for name, _, value in node.items()} if isinstance(node, LocatedMapping) else {}


def open_document(path: Path, findings: Findings, *, library: bool = False) -> Document | None:
    """Reads a file with everything it extends and imports; arguments are declared but not yet evaluated."""
    return _Opener(findings).open(path, (), library=library)


class _Opener:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.files = 0
        self.libraries: Libraries | None = None

    def open(
        self,
        path: Path,
        chain: tuple[Path, ...],
        *,
        library: bool,
        span: Span | None = None,
        given: Mapping[str, tuple[Scalar, Located]] | None = None,
    ) -> Document | None:
        """The document of a file; `given` are arguments of a library."""
        imports: list[Scalar] = []
        root = self._root(path, chain, span, imports)
        if root is None:
            return None
        document = Document(root, path)
        chain = (*chain, path.resolve())
        self._check_sections(root)
        if imports:
            from archspec.spec.importing import Libraries

            self.libraries = self.libraries or Libraries(self.open, self.findings)
            self.libraries.add_blocks(document, imports, chain)
        document.arguments = declared(root.get("args"), "args", self.findings)
        if "blocks" in root.entries:
            from archspec.spec.defining import define_blocks

            define_blocks(document, self.findings)
        if library:
            for block in document.blocks.values():
                block.document = block.document or document
            bind_arguments(document, given or {}, self.findings, lenient=True)
        return document

    def _root(
        self, path: Path, chain: tuple[Path, ...], span: Span | None, imports: list[Scalar]
    ) -> LocatedMapping | None:
        """The file's mapping, laid over the one that it extends; what both import is added to `imports`."""
        if path.resolve() in chain:
            names = " → ".join(item.name for item in (*chain, path))
            self.findings.error("E111", f"files refer to each other in a circle: {names}", span)
            return None
        self.files += 1
        if self.files > MAX_FILES:
            self.findings.error("E111", f"more than {MAX_FILES} files are involved", span)
            return None
        if span is not None and not is_file(path):
            self.findings.files.setdefault(path, None)
            what = f"{path} is a folder, not a file" if is_folder(path) else f"there is no file {path}"
            self.findings.error("E101", what, span, help=["paths are relative to the file that names them"])
            return None
        root = read_file(path, self.findings)
        if root is None:
            return None
        if "import" in root.entries:
            from archspec.spec.importing import imported_paths

            imports.extend(imported_paths(root, self.findings))
        if "extends" not in root.entries:
            return root
        from archspec.spec.extending import extended

        chain = (*chain, path.resolve())
        return extended(root, lambda base, place: self._root(base, chain, place, imports), self.findings)

    def _check_sections(self, root: LocatedMapping) -> None:
        for name, key, value in root.items():
            if name not in SECTIONS:
                from archspec.spec.unknown import unknown_section

                unknown_section(name, key, value, self.findings)
            elif name in MAPPINGS and not isinstance(value, LocatedMapping) and not is_null(value):
                from archspec.spec.unknown import no_mapping

                no_mapping(name, value, self.findings)


def bind_arguments(
    document: Document, given: Mapping[str, tuple[Scalar, Located]], findings: Findings, *, lenient: bool = False
) -> None:
    """Evaluates a document's arguments, in the order declared, and gives them to its expressions."""
    env: Environment = {}
    values: dict[str, Any] = {}
    bind(document.arguments, given, env, env, findings, "the spec", None, values, lenient=lenient)
    # What uses an argument without a value is passed over in silence: the reason is among the findings.
    document.env = {name: values.get(name, MISSING) for name in document.arguments}


def with_variant(document: Document, variant: str | None, span: Span | None, findings: Findings) -> Document | None:
    """The document with a variant's sections laid over it. The variant's arguments are bound later."""
    if variant is None:
        return document
    declared = document.root.get("variants")
    node = declared.get(variant) if isinstance(declared, LocatedMapping) else None
    if node is None:
        hint = did_you_mean(variant, document.variants)
        known = f"variants: {listed(document.variants)}" if document.variants else "the spec has no variants"
        findings.error("E212", f"there is no variant `{variant[:60]}`", span, help=[hint or known])
        return None
    if not isinstance(node, LocatedMapping):
        if not is_null(node):
            findings.error("E206", f"variant `{variant[:60]}` is a mapping, not {node.described}", node.span)
        return _replaced(document, document.root, variant)
    entries: dict[str, tuple[Scalar, Located]] = {}
    for name, key, value in node.items():
        if name in MAPPINGS and name in VARIANT_SECTIONS and not (isinstance(value, LocatedMapping) or is_null(value)):
            where = f"`{name}` of variant `{variant[:60]}`"
            findings.error("E206", f"{where} is a mapping, not {value.described}", value.span)
        elif name in VARIANT_SECTIONS:
            entries[name] = (key, value)
    over = LocatedMapping(node.source, node.place, entries)
    over.dynamic = node.dynamic
    return _replaced(document, laid_over(document.root, over), variant)


def laid_over(base: LocatedMapping, over: LocatedMapping) -> LocatedMapping:
    """The sections of one file or variant laid over those of another: of `input` and `inputs` the later one holds."""
    for mine, theirs in (("input", "inputs"), ("inputs", "input")):
        if mine in over.entries and theirs not in over.entries:
            base = base.without(theirs)
    root = merged(base, over)
    assert isinstance(root, LocatedMapping)
    return root


def _replaced(document: Document, root: LocatedMapping, variant: str | None) -> Document:
    document = document.changed(root)
    document.variant = variant
    return document


def variant_arguments(document: Document) -> dict[str, tuple[Scalar, Located]]:
    """What the chosen variant sets: its entries that are not sections."""
    declared = document.root.get("variants")
    node = declared.get(document.variant or "") if isinstance(declared, LocatedMapping) else None
    if not isinstance(node, LocatedMapping):
        return {}
    return {name: (key, value) for name, key, value in node.items() if name not in VARIANT_SECTIONS}


def default_variant(document: Document) -> str | None:
    """The variant that changes nothing, which is what the file describes without one."""
    for name, node in document.variants.items():
        empty = (isinstance(node, LocatedMapping) and not node.entries) or is_null(node)
        if empty:
            return name
    return None
