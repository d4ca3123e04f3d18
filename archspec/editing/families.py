"""The names of a file and of those that it extends and imports, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from archspec.diagnostics import Findings, Source, Span, SpecError
from archspec.editing.index import Index, Reference, Sight
from archspec.editing.symbols import BlockNames, Place, Symbol
from archspec.editing.words import is_whole
from archspec.elaborate.trace import Trace, Use
from archspec.loading import networks_of, spec_of
from archspec.located import Located, Mapping, Scalar, Sequence
from archspec.positions import Position
from archspec.source import Files, laid, read_file, real
from archspec.spec.document import open_document
from archspec.spec.extending import is_path, named_base
from archspec.spec.files import is_library
from archspec.spec.importing import library

MAX_FILES = 100


class Family:
    """Files with their names. Where several networks take a file, all their uses are there once all are added."""

    def __init__(self, files: Files | None) -> None:
        self.files = files
        self.indexes: dict[Path, Index] = {}
        self.shared: dict[tuple[Path, int, int, int, int], list[Symbol]] = {}
        """What patterns of paths name at each of their words: several things, maybe."""
        self.linked: set[int] = set()
        self.unnamed: dict[tuple[Path, int, int, str], Symbol] = {}
        self.sources: dict[int, tuple[Source, Path]] = {}

    def add(self, path: Path) -> Index | None:
        """A file with those that it extends and imports; None where it cannot be read."""
        with laid(self.files):
            found = self._index(real(path), ())
        self._link()
        return found

    # Files.

    def _index(self, path: Path, chain: tuple[Path, ...]) -> Index | None:
        if path in self.indexes:
            return self.indexes[path]
        if path in chain or len(self.indexes) >= MAX_FILES:
            return None
        findings = Findings()
        root = read_file(path, findings)
        source = findings.files.get(path)
        if root is None or not isinstance(source, Source):
            return None
        # The tree of the file that was read last is kept with its own source.
        index = Index(path, root.source, root)
        inner = (*chain, path)
        base = self._named(root.get("extends"), inner)
        if base is not None:
            index.base, index.chosen[None] = base
        variants = root.get("variants")
        for name, _, node in variants.items() if isinstance(variants, Mapping) else ():
            extends = node.get("extends") if isinstance(node, Mapping) else None
            if isinstance(variants, Mapping) and _variant_of(extends, name, variants) is None:
                base = self._named(extends, inner)
                if base is not None:
                    index.bases[name], index.chosen[name] = base
        imports = root.get("import")
        for item in imports.items if isinstance(imports, Sequence) else [imports]:
            if item is not None and is_path(item):
                named = library(item, Findings())
                other = self._index(real(named[0]), inner) if named is not None else None
                if other is not None:
                    index.imports.append(other)
        self.indexes[path] = index
        index.build()
        return index

    def _named(self, node: Located | None, chain: tuple[Path, ...]) -> tuple[Index, str | None] | None:
        """The file that `extends` names, and its variant."""
        if node is None or not is_path(node):
            return None
        path, variant, _ = named_base(node.source.folder, node, Findings(), {})
        index = self._index(real(path), chain) if path is not None else None
        return (index, variant or None) if index is not None else None

    # Names that belong together.

    def _link(self) -> None:
        """Finds what names stand for that are written in one place and given in another."""
        new = [index for index in self.indexes.values() if id(index) not in self.linked]
        self.linked |= {id(index) for index in new}
        for index in new:
            self._link_files(index)
        if new:
            self._link_kinds()
        for index in new:
            for reference in index.references:
                self._link_reference(index, reference)

    def _link_files(self, index: Index) -> None:
        """`extends` and `import`: variants and arguments of other files."""
        with laid(self.files):
            variants = index.root.get("variants")
            named: list[tuple[str | None, Located | None]] = [(None, index.root.get("extends"))]
            if isinstance(variants, Mapping):
                named += [
                    (name, node.get("extends")) for name, _, node in variants.items() if isinstance(node, Mapping)
                ]
            for variant, node in named:
                if node is None or not is_path(node) or node.source is not index.source:
                    continue
                start, end = index.inner(node.span)
                if index.text[start:end] != node.value:
                    continue
                inside = _variant_of(node, variant, variants) if isinstance(variants, Mapping) else None
                if inside is not None and variant is not None:
                    index.note(index.variants[inside], start, start + len(inside))
                    self._link_query(index, index, start, end)
                    continue
                base = self._named(node, ())
                if base is None:
                    continue
                text = node.value
                if base[1] is not None and base[1] in base[0].variants:
                    at = text.find("#") + 1 if "#" in text else 0
                    index.note(base[0].variants[base[1]], start + at, start + at + len(base[1]))
                self._link_query(index, base[0], start, end)
            imports = index.root.get("import")
            for item in imports.items if isinstance(imports, Sequence) else [imports]:
                if item is not None and is_path(item) and item.source is index.source:
                    named_file = library(item, Findings())
                    other = self.indexes.get(real(named_file[0])) if named_file is not None else None
                    if other is not None:
                        self._link_query(index, other, *index.inner(item.span))

    @staticmethod
    def _link_query(index: Index, other: Index, start: int, end: int) -> None:
        """The arguments behind `?`."""
        text = index.text[start:end]
        mark = text.find("?")
        for match in re.finditer(r"(?<=[?&])(?:args\.)?(\w+)(?==)", text) if mark >= 0 else ():
            symbol = other.argument(match[1], None)
            if symbol is not None:
                index.note(symbol, start + match.start(1), start + match.end(1))

    def _link_kinds(self) -> None:
        """Entries whose kind `$(…)` makes: which blocks that may be, by what arguments are given anywhere."""
        holds: dict[int, dict[int, BlockNames]] = {}
        given: set[tuple[int, int]] = set()
        indexes = list(self.indexes.values())
        kinds: set[int] = set()
        for index in indexes:
            for call in index.calls:
                kinds |= {id(symbol) for symbol in _names(index, call.kind, call.sight)}
        for _ in range(10):
            before = (len(kinds), sum(map(len, holds.values())), len(given))
            for index in indexes:
                for argument, value, sight in index.values:
                    if id(argument.root) in kinds:
                        kinds |= {id(symbol) for scalar in _scalars(value) for symbol in _names(index, scalar, sight)}
                    mine = holds.setdefault(id(argument.root), {})
                    for scalar in _scalars(value):
                        mine |= self._blocks(index, scalar, sight, holds)
                for call in index.calls:
                    blocks = self._blocks(index, call.kind, call.sight, holds)
                    for block in blocks.values():
                        call.opened.block = call.opened.block or block
                        for word, key, value in call.keys:
                            if word in block.arguments and (id(block), id(key)) not in given:
                                given.add((id(block), id(key)))
                                index.note_scalar(block.arguments[word], key)
                                index._value(block.arguments[word], value, call.sight)
            if before == (len(kinds), sum(map(len, holds.values())), len(given)):
                break
        for index in indexes:
            for argument, value, sight in index.values:
                for scalar in _scalars(value) if id(argument.root) in kinds else ():
                    self._note_blocks(index, scalar, sight)
            for call in index.calls:
                self._note_blocks(index, call.kind, call.sight)
            for symbol, compared in index.compared:
                if id(symbol.root) in kinds:
                    for held in (*holds.get(id(symbol.root), {}).values(), index.block(compared.text)):
                        if held is not None and held.symbol.name == compared.text:
                            index.note(held.symbol, compared.start, compared.end)

    @staticmethod
    def _blocks(
        index: Index, scalar: Scalar, sight: Sight, holds: dict[int, dict[int, BlockNames]]
    ) -> dict[int, BlockNames]:
        """The blocks that a value may name."""
        names = [] if scalar.dynamic else [str(scalar.value)]
        names += [word.text for words in index.words(scalar) for word in words if word.kind == "text"]
        found = [block for name in names if (block := index.block(name)) is not None]
        known = {id(block): block for block in found}
        for symbol in _names(index, scalar, sight):
            known |= holds.get(id(symbol), {})
        return known

    @staticmethod
    def _note_blocks(index: Index, scalar: Scalar, sight: Sight) -> None:
        block = index.block(str(scalar.value)) if not scalar.dynamic else None
        if block is not None:
            index.note_scalar(block.symbol, scalar)
        for words in index.words(scalar):
            for word in words:
                found = index.block(word.text) if word.kind == "text" else None
                if found is not None:
                    index.note(found.symbol, word.start, word.end)

    @staticmethod
    def _link_reference(index: Index, reference: Reference) -> None:
        """What a name of a layer, or a path, stands for."""
        scalar = reference.scalar
        start, end = index.inner(scalar.span)
        texts = [(index.text[start:end], start)] if not scalar.dynamic else []
        if not scalar.dynamic and index.text[start:end] != str(scalar.value):
            return
        texts += [(word.text, word.start) for words in index.words(scalar) for word in words if word.kind == "text"]
        for text, at in texts:
            parts = text.split(".")
            for scope in reference.scopes():
                found = scope.look_up(text) if reference.whole else scope.find(parts)
                if not text or (scalar.dynamic and len(found) != len(parts)):
                    continue
                offset = at
                for part, symbol in zip(parts, found, strict=False):
                    if symbol is not None:
                        index.note(symbol, offset, offset + len(part))
                    offset += len(part) + 1

    # What elaboration knows.

    def trace(self, index: Index, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Adds what names stand for in the networks of a file, one after the other. Raises `Cancelled`."""
        with laid(self.files):
            document = open_document(index.path, Findings())
            if document is None or is_library(index.text):
                return
            for variant in networks_of(document):
                trace = Trace(cancelled)
                try:
                    spec_of(document, variant, (), Findings()).traced(trace)
                except SpecError:
                    continue
                self.add_trace(index, trace, variant)

    def add_trace(self, index: Index, trace: Trace, variant: str | None) -> None:
        """Adds what names stand for in one network."""
        names = trace.names
        seen: set[tuple[int, str, str]] = set()
        for use in trace.uses:
            key = (id(use.place), use.name, use.path)
            if use.path and key not in seen:
                seen.add(key)
                self._add_use(use, names)
        for file in {index.path: index, **{other.path: other for other in index.below(variant)}}.values():
            for scalar, of in file.patterns:
                if of is None or of == variant or file is not index:
                    self._add_pattern(file, scalar, names)

    def _index_of(self, source: Source) -> Index | None:
        known = self.sources.get(id(source))
        if known is None:
            # The source is kept so that its id stays its own.
            known = self.sources[id(source)] = (source, real(Path(source.name)))
        return self.indexes.get(known[1])

    def _symbol_at(self, span: Span, name: str) -> Symbol | None:
        """The symbol of a layer that has its name, or its kind, at a place."""
        index = self._index_of(span.source)
        if index is None:
            return None
        start, end = index.inner(span)
        known = index.placed.get((*index.lines.position(start), *index.lines.position(end)))
        if known is not None and known.root.name == name and known.root.kind == "layer":
            return known.root
        if name.isdigit():
            return None  # a round of a repeat
        key = (index.path, span.line, span.column, name)
        if key not in self.unnamed:
            made = self.unnamed[key] = Symbol("layer", name)
            made.note(Place(index.path, span, True))
            written = index.text[start:end]
            how = "`$(…)` makes its name" if "$(" in written else "it has its name from its kind and its place"
            made.fix(f"{how}; `name: …` gives it one")
        return self.unnamed[key]

    def _add_use(self, use: Use, names: dict[str, Span]) -> None:
        """What the parts of a name in `from` and so on were found to be, from the last one on."""
        index = self._index_of(use.place.source)
        if index is None or not isinstance(use.place, Scalar):
            return
        start, end = index.inner(use.place.span)
        path = use.path.split(".")
        wanted = use.name.split(".")
        written = _parts(index.text[start:end])
        if use.place.dynamic and is_whole(index.text, start, end):
            written = []
            for words in index.words_in(use.place.span):
                for word in words:
                    if word.kind == "text" and word.text == use.name:
                        written = [(text, at + word.start - start) for text, at in _parts(word.text)]
        for back in range(1, len(wanted) + 1):
            place = names.get(".".join(path[: len(path) - back + 1]))
            symbol = self._symbol_at(place, wanted[-back]) if place is not None else None
            if symbol is None:
                continue
            text, at = written[-back] if len(written) == len(wanted) else ("", 0)
            if text == symbol.name:
                index.note(symbol, start + at, start + at + len(text))
            else:
                symbol.fix(f"`{str(use.place.value)[:60]}` in line {use.place.line} of {index.path.name} makes it")

    def _add_pattern(self, index: Index, scalar: Scalar, names: dict[str, Span]) -> None:
        """What the words of a path, or of a pattern of paths, name in a network."""
        text = str(scalar.value)
        start, end = index.inner(scalar.span)
        if index.text[start:end] != text:
            return
        regular = _pattern(text.partition("[")[0])
        for path, _ in names.items():
            match = regular.fullmatch(path)
            for number, (part, at) in enumerate(_parts(text.partition("[")[0])) if match is not None else ():
                if "*" in part or match is None or match.start(f"p{number}") < 0:
                    continue
                upto = path[: match.end(f"p{number}")]
                symbol = self._symbol_at(names[upto], part) if upto in names else None
                if symbol is None:
                    continue
                first, last = index.lines.position(start + at), index.lines.position(start + at + len(part))
                place = Place(index.path, Span(index.source, *first, *last), False)
                symbol.note(place)
                known = self.shared.setdefault(place.key, [])
                if all(other.root is not symbol.root for other in known):
                    known.append(symbol)

    # Answers.

    def at(self, path: Path, position: Position) -> list[Symbol]:
        """What is named at a position of a file."""
        index = self.indexes.get(path)
        if index is None:
            return []
        found = [symbol.root for (a, b, c, d), symbol in index.placed.items() if (a, b) <= position <= (c, d)]
        for key, symbols in self.shared.items():
            if key[0] == path and (key[1], key[2]) <= position <= (key[3], key[4]):
                found += [symbol.root for symbol in symbols]
        unique: list[Symbol] = []
        for symbol in found:
            if symbol not in unique:
                unique.append(symbol)
        return unique

    def symbols(self) -> list[Symbol]:
        """All names of all files."""
        found: dict[int, Symbol] = {}
        for index in self.indexes.values():
            found |= {id(symbol.root): symbol.root for symbol in index.placed.values()}
        return list(found.values())


def _variant_of(node: Located | None, own: str | None, variants: Mapping) -> str | None:
    """The variant of the same file that a variant's `extends` names."""
    if node is None or not is_path(node):
        return None
    name = node.value.partition("?")[0]
    return name if name in variants.entries and name != own else None


def _scalars(node: Located) -> list[Scalar]:
    """The texts in a value."""
    if isinstance(node, Scalar):
        return [node] if isinstance(node.value, str) else []
    if isinstance(node, Sequence):
        return [scalar for item in node.items for scalar in _scalars(item)]
    return [scalar for _, _, value in node.items() for scalar in _scalars(value)] if isinstance(node, Mapping) else []


def _names(index: Index, scalar: Scalar, sight: Sight) -> list[Symbol]:
    """The arguments and variables that a value's expressions read."""
    found = [sight.find(word.text) for words in index.words(scalar) for word in words if word.kind == "name"]
    return [symbol.root for symbol in found if symbol is not None]


def _parts(text: str) -> list[tuple[str, int]]:
    """The parts of a path with their offsets; dots within `$(…)` divide nothing."""
    found: list[tuple[str, int]] = []
    depth, begin = 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "." and depth == 0:
            found.append((text[begin:at], begin))
            begin = at + 1
    return [*found, (text[begin:], begin)]


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern of paths as a regular expression with a group for each part of it."""
    parts = []
    for number, (part, _) in enumerate(_parts(text)):
        words = [{"*": "[^.]*", "**": ".*"}.get(word, re.escape(word)) for word in re.split(r"(\*\*?)", part)]
        parts.append(f"(?P<p{number}>{''.join(words)})")
    return re.compile(r"\.".join(parts))
