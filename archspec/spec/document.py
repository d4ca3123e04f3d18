"""A spec as a tree of located values, after `extends`, `import` and variant, before any section is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec import __version__
from archspec.diagnostics import Findings, Span, did_you_mean, listed
from archspec.expressions import MISSING, Environment
from archspec.located import Located, Scalar, is_null, merged
from archspec.located import Mapping as LocatedMapping
from archspec.source import is_file, is_folder, read_file, real
from archspec.spec.arguments import Argument, bind, declared
from archspec.spec.network import LANGUAGE_VERSION, SECTIONS, VARIANT_SECTIONS

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
        self.given: dict[str, tuple[Scalar, Located]] = {}
        """What the chosen variant sets: its entries that are not sections."""
        self.imports: list[Scalar] = []
        """The files that it and what it extends import."""
        self.lacks_blocks = False
        """Whether one of these could not be opened, so that kinds which nobody knows may have been its blocks."""
        self.reopen: Callable[[Scalar, Findings], Document | None] | None = None
        """Opens the file again over the base of one of its variants, given as `extends` of that variant names it."""
        self.based = False
        """Whether it was opened again over the base of its variant."""

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


def open_document(
    path: Path, findings: Findings, *, library: bool = False, known: dict[Path, LocatedMapping] | None = None
) -> Document | None:
    """Reads a file with everything it extends and imports; arguments are declared but not yet evaluated.

    What its variants extend is read once one of them is chosen. `known` has files that were read before.
    """
    return _Opener(findings, known or {}).open(path, (), library=library)


class _Opener:
    """Opens a file and those that it leads to. `known` are files that were read before, as they are written."""

    def __init__(self, findings: Findings, known: dict[Path, LocatedMapping]) -> None:
        self.findings = findings
        self.known = known
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
        base: Scalar | None = None,
    ) -> Document | None:
        """The document of a file; `given` are arguments of a library, `base` what the chosen variant extends."""
        document = self._laid(path, chain, span, base)
        if document is None:
            return None

        document.reopen = lambda base, findings: _Opener(findings, self.known).open(path, (), library=False, base=base)
        chain = (*chain, real(path))
        self._check_sections(document.root)
        if document.imports:
            from archspec.spec.importing import Libraries

            self.libraries = self.libraries or Libraries(self.open, self.findings)
            self.libraries.add_blocks(document, document.imports, chain)
        document.arguments = declared(document.root.get("args"), "args", self.findings)
        if "blocks" in document.root.entries:
            from archspec.spec.defining import define_blocks

            define_blocks(document, self.findings)
        if library:
            for block in document.blocks.values():
                block.document = block.document or document
            bind_arguments(document, given or {}, self.findings, lenient=True)
        return document

    def _laid(
        self, path: Path, chain: tuple[Path, ...], span: Span | None, base: Scalar | None = None
    ) -> Document | None:
        """The file's sections laid over those of the one that it extends, before blocks and arguments are looked at.

        `base` is what a variant extends: it takes the place of what the file extends in which it is written.
        """
        if real(path) in chain:
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
        root = self.known.get(path) or read_file(path, self.findings)
        if root is None:
            return None
        self.known[path] = root
        version = root.get("archspec")
        if isinstance(version, Scalar) and type(version.value) is int and version.value > LANGUAGE_VERSION:
            # What else is wrong with it, nobody can say who does not know the version.
            what = (
                f"this is version {version.value} of the language, and archspec {__version__} reads {LANGUAGE_VERSION}"
            )
            help = ["a newer archspec reads it: `pip install --upgrade archspec-jax`"]
            self.findings.error("E116", what, version.span, help=help)
            return None
        imports: list[Scalar] = []
        if "import" in root.entries:
            from archspec.spec.importing import imported_paths

            imports.extend(imported_paths(root, self.findings))
        own = base is None or base.source is not root.source
        document = Document(root, path)
        if "extends" in root.entries or not own:
            from archspec.spec.extending import extended

            inner = (*chain, real(path))

            def open_base(path: Path, place: Span) -> Document | None:
                below = self._laid(path, inner, place, base if own else None)
                if below is not None:
                    below.reopen = lambda base, _: self._laid(path, inner, place, base)
                return below

            node = root.entries["extends"][1] if own else base
            assert node is not None
            below = extended(root, node, open_base, self.findings, whole=own)
            if below is None:
                return None
            document = Document(below.root, path)
            document.imports = below.imports
        document.imports = [*imports, *document.imports]
        return document

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
    """The document with a variant's sections laid over it, and over those of what the variant extends.

    The variant's arguments are bound later. None with the reason where there is no such variant, or nothing of what it
    extends, and where none is chosen in a file that leaves the layers to its variants.
    """
    declared = document.root.get("variants")
    known = declared.entries if isinstance(declared, LocatedMapping) else {}
    if variant is None:
        if "layers" not in document.root.entries and any(map(_is_network, document.variants.values())):
            what = "the layers are those of the variants, and none of these is chosen"
            help = [f"variants: {listed(known, 40)}", f"`#{next(iter(known))}` behind the file chooses one"]
            findings.error("E212", what, span, help=help)
            return None
        return document
    if variant not in known:
        hint = did_you_mean(variant, known)
        others = f"variants: {listed(known)}" if known else "the spec has no variants"
        findings.error("E212", f"there is no variant `{variant[:60]}`", span, help=[hint or others])
        return None
    node = known[variant][1]
    parts = [(variant, node)]
    if isinstance(node, LocatedMapping) and "extends" in node.entries:
        from archspec.spec.extending import parts_of

        found = parts_of(variant, known, findings)
        if found is None:
            return None
        parts, base = found
        if base is not None:
            assert document.reopen is not None
            below = document.reopen(base, findings)
            if below is None:
                return None
            document = below
            document.based = True
    root = document.root
    given: dict[str, tuple[Scalar, Located]] = {}
    for name, part in parts:
        root = _with_part(root, name, part, given, findings)
    document = document.changed(root)
    document.variant, document.given = variant, given
    return document


def _is_network(variant: Located) -> bool:
    """Whether a variant brings layers of its own, or those of what it extends."""
    return isinstance(variant, LocatedMapping) and ("layers" in variant.entries or "extends" in variant.entries)


def _with_part(
    root: LocatedMapping, name: str, node: Located, given: dict[str, tuple[Scalar, Located]], findings: Findings
) -> LocatedMapping:
    """The root with a variant's sections laid over it; the arguments that the variant sets are added to `given`."""
    if not isinstance(node, LocatedMapping):
        if not is_null(node):
            findings.error("E206", f"variant `{name[:60]}` is a mapping, not {node.described}", node.span)
        return root
    entries: dict[str, tuple[Scalar, Located]] = {}
    for word, key, value in node.items():
        if word in MAPPINGS and word in VARIANT_SECTIONS and not (isinstance(value, LocatedMapping) or is_null(value)):
            where = f"`{word}` of variant `{name[:60]}`"
            findings.error("E206", f"{where} is a mapping, not {value.described}", value.span)
        elif word in VARIANT_SECTIONS:
            entries[word] = (key, value)
        elif word != "extends":
            given[word] = (key, value)
    over = LocatedMapping(node.source, node.place, entries)
    over.dynamic = node.dynamic
    return laid_over(root, over)


def laid_over(base: LocatedMapping, over: LocatedMapping) -> LocatedMapping:
    """The sections of one file or variant laid over those of another: of `input` and `inputs` the later one holds."""
    for mine, theirs in (("input", "inputs"), ("inputs", "input")):
        if mine in over.entries and theirs not in over.entries:
            base = base.without(theirs)
    root = merged(base, over)
    assert isinstance(root, LocatedMapping)
    return root


def default_variant(document: Document) -> str | None:
    """The variant that changes nothing, which is what the file describes without one."""
    for name, node in document.variants.items():
        empty = (isinstance(node, LocatedMapping) and not node.entries) or is_null(node)
        if empty:
            return name
    return None
