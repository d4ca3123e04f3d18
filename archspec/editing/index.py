"""The names that one file gives and uses, as they are written: of every block and variant, called and chosen or not.

Elaboration knows what names stand for in the network of one variant. This holds for all of them at once, also where
nothing could be elaborated; what only elaboration knows, names that `$(…)` makes, `families.py` adds from its traces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import Source, Span
from archspec.editing.symbols import BlockNames, Opened, Place, Scope, Symbol
from archspec.editing.tokens import NotYamlError, tokens
from archspec.editing.words import Word, expressions
from archspec.kinds import RESERVED, STRUCTURE, KindError, find_kind
from archspec.located import Located, Mapping, Scalar, Sequence
from archspec.positions import Lines, end_of, start_of
from archspec.spec.network import VARIANT_SECTIONS

_BEFORE = re.compile(r"(?:[&!]\S*\s+)*")
"""Anchors and tags, which the parser counts into a value's place."""


class Sight:
    """What expressions see at a place: loop variables and a block's arguments, those of the file, and inputs."""

    def __init__(
        self,
        file: Index,
        variant: str | None = None,
        names: dict[str, Symbol] | None = None,
        inputs: dict[str, Symbol] | None = None,
    ) -> None:
        self.file = file
        self.variant = variant
        self.names = names or {}
        self.inputs = inputs if inputs is not None else file.inputs

    def and_variable(self, symbol: Symbol) -> Sight:
        return Sight(self.file, self.variant, {**self.names, symbol.name: symbol}, self.inputs)

    def find(self, name: str) -> Symbol | None:
        return self.names.get(name) or self.file.argument(name, self.variant) or self.inputs.get(name)


class Reference(NamedTuple):
    """A name of a layer that is written somewhere: `whole` says that it is a name and not a pattern of paths."""

    scalar: Scalar
    scopes: Callable[[], Iterable[Scope]]
    whole: bool = True


class Value(NamedTuple):
    """A value that an argument is given, and what its expressions see."""

    argument: Symbol
    value: Located
    sight: Sight


@dataclass
class DynamicCall:
    """An entry whose kind `$(…)` makes, with what it gives to whatever block that is."""

    kind: Scalar
    content: Located | None
    sight: Sight
    opened: Opened
    keys: list[tuple[str, Scalar, Located]] = field(default_factory=list)


class Index:
    """One file's names. `base` is the file that it extends, `bases` those of its variants, by variant."""

    def __init__(self, path: Path, source: Source, root: Mapping) -> None:
        self.path = path
        self.source = source
        self.text = source.text
        self.lines = Lines(source.text)
        self.root = root
        self.arguments: dict[str, Symbol] = {}
        self.blocks: dict[str, BlockNames] = {}
        self.variants: dict[str, Symbol] = {}
        self.inputs: dict[str, Symbol] = {}
        self.outputs: dict[str, Symbol] = {}
        self.others: list[Symbol] = []
        self.tops: dict[str | None, Scope] = {}
        self.base: Index | None = None
        self.bases: dict[str, Index] = {}
        self.chosen: dict[str | None, str | None] = {}
        """The variant of each of these that is extended."""
        self.imports: list[Index] = []
        self.references: list[Reference] = []
        self.values: list[Value] = []
        self.calls: list[DynamicCall] = []
        self.patterns: list[tuple[Scalar, str | None]] = []
        """Paths and patterns of paths, with the variant that they are written in."""
        self.compared: list[tuple[Symbol, Word]] = []
        """Texts that expressions compare a name with."""
        self.placed: dict[tuple[int, int, int, int], Symbol] = {}

    # Names seen from here.

    def argument(self, name: str, variant: str | None) -> Symbol | None:
        """The argument of a name: the file's own, or that of what it, or the variant, extends."""
        if name in self.arguments:
            return self.arguments[name]
        for base in self.below(variant):
            found = base.argument(name, None)
            if found is not None:
                return found
        return None

    def below(self, variant: str | None) -> list[Index]:
        """The files that lie under a variant; under any, where none is given."""
        found = [self.bases[name] for name in self.chain(variant) if name in self.bases]
        if variant is None:
            found = list(self.bases.values())
        return [*found, *([self.base] if self.base is not None else [])]

    def chain(self, variant: str | None) -> list[str]:
        """A variant and those of its file that it extends."""
        found: list[str] = []
        variants = self.root.get("variants")
        while variant is not None and variant not in found and isinstance(variants, Mapping):
            node = variants.get(variant)
            found.append(variant)
            base = node.get("extends") if isinstance(node, Mapping) else None
            named = str(base.value).partition("?")[0] if isinstance(base, Scalar) else None
            variant = named if named in self.variants else None
        return found

    def block(self, name: str, seen: frozenset[Path] = frozenset()) -> BlockNames | None:
        """The block of a name: the file's own, an imported one, or one of what the file extends."""
        if name in self.blocks:
            return self.blocks[name]
        for other in (*self.imports, *self.below(None)):
            if other.path not in seen:
                found = other.block(name, seen | {self.path})
                if found is not None:
                    return found
        return None

    def top(self, variant: str | None) -> list[Scope]:
        """The scopes that the layers of a variant may have; those of all of them where none is given."""
        for name in self.chain(variant):
            if name in self.tops:
                return [self.tops[name]]
            if name in self.bases:
                return self.bases[name].top(self.chosen.get(name))
        if variant is not None and None in self.tops:
            return [self.tops[None]]
        found = list(self.tops.values()) if variant is None else []
        if self.base is not None:
            found += self.base.top(self.chosen.get(None))
        for name, base in self.bases.items() if variant is None else ():
            found += base.top(self.chosen.get(name))
        return found

    # Notes.

    def inner(self, span: Span) -> tuple[int, int]:
        """The offsets of a scalar's text, without anchor, tag and quotes."""
        start, end = self.lines.offset(start_of(span)), self.lines.offset(end_of(span))
        start = self.raw(start, end)
        if self.text[start : start + 1] in ("'", '"') and end - start > 1:
            return start + 1, end - 1
        return start, end

    def raw(self, start: int, end: int) -> int:
        """Where a scalar's text begins, behind an anchor or a tag."""
        match = _BEFORE.match(self.text, start, end)
        return match.end() if match is not None else start

    def note(self, symbol: Symbol, start: int, end: int, *, definition: bool = False) -> None:
        """Writes down that a symbol's name stands between two offsets. What stands there is one name for all."""
        if self.text[start:end] != symbol.name:
            return
        first, last = self.lines.position(start), self.lines.position(end)
        place = Place(self.path, Span(self.source, *first, *last), definition)
        known = self.placed.setdefault((*first, *last), symbol)
        known.join(symbol)
        symbol.note(place)

    def note_scalar(self, symbol: Symbol, scalar: Located, *, definition: bool = False) -> None:
        if scalar.source is self.source:
            self.note(symbol, *self.inner(scalar.span), definition=definition)

    def words(self, scalar: Located) -> list[list[Word]]:
        """The words of the expressions in a scalar."""
        if not isinstance(scalar, Scalar) or not scalar.dynamic or scalar.source is not self.source:
            return []
        return self.words_in(scalar.span)

    def words_in(self, span: Span) -> list[list[Word]]:
        """The words of the expressions in a scalar that stands at a place."""
        start, end = self.lines.offset(start_of(span)), self.lines.offset(end_of(span))
        start = self.raw(start, end)
        return [list(found.words) for found in expressions(self.text, start, end)]

    # Going through the tree.

    def build(self) -> None:
        """Goes through the file. Its base and imports are known by now."""
        self._declare()
        self._anchors()
        nodes = [(block, self._section("blocks", name)) for name, block in self.blocks.items()]
        for block, node in nodes:
            if isinstance(node, Mapping):
                self._declare_block(block, node)
        # Blocks may call those that stand behind them.
        for block, node in nodes:
            if isinstance(node, Mapping):
                self._block(block, node)
        sight = Sight(self)
        for key, _, value in self.root.items():
            if key == "args" and isinstance(value, Mapping):
                for name, _, default in value.items():
                    self._value(self.arguments[name], default, sight)
            elif key == "variants" and isinstance(value, Mapping):
                for name, _, node in value.items():
                    self._variant(name, node)
            elif key not in ("blocks", "inputs"):
                self._part(key, value, None, sight)
            elif key == "inputs":
                self.scan(value, sight)

    def _section(self, *words: str) -> Located | None:
        at: Located | None = self.root
        for word in words:
            at = at.get(word) if isinstance(at, Mapping) else None
        return at

    def _declare(self) -> None:
        """The names that sections give."""
        for section in ("args", "variants", "inputs", "outputs", "blocks"):
            node = self.root.get(section)
            for name, key, _ in node.items() if isinstance(node, Mapping) else ():
                self._declare_one(section, name, key)
        variants = self.root.get("variants")
        for _, _, node in variants.items() if isinstance(variants, Mapping) else ():
            for section in ("inputs", "outputs"):
                inner = node.get(section) if isinstance(node, Mapping) else None
                for name, key, _ in inner.items() if isinstance(inner, Mapping) else ():
                    self._declare_one(section, name, key)

    def _declare_one(self, section: str, name: str, key: Scalar) -> None:
        if section == "blocks":
            known = self.block(name)
            block = self.blocks.setdefault(name, BlockNames(name))
            self.note_scalar(block.symbol, key, definition=True)
            if known is not None and known is not block and any(known is b.block(name) for b in self.below(None)):
                block.symbol.join(known.symbol)  # it lies over that of the base
            return
        kinds = {"args": self.arguments, "variants": self.variants, "inputs": self.inputs, "outputs": self.outputs}
        below = self.argument(name, None) if section == "args" else None
        if section in ("inputs", "outputs"):
            named = [base.inputs if section == "inputs" else base.outputs for base in self.below(None)]
            below = next((names[name] for names in named if name in names), None)
        words = {"args": "argument", "variants": "variant", "inputs": "input", "outputs": "output"}
        symbol = kinds[section].setdefault(name, below or Symbol(words[section], name))  # type: ignore[arg-type]
        self.note_scalar(symbol, key, definition=True)

    def _anchors(self) -> None:
        """Anchors and what stands for them, which only the text has."""
        known: dict[str, Symbol] = {}
        try:
            found = tokens(self.text)
        except NotYamlError:
            return
        for token in found:
            if token.kind == "AnchorToken":
                known[token.value] = Symbol("anchor", token.value)
                self.others.append(known[token.value])
            if token.kind in ("AnchorToken", "AliasToken") and token.value in known:
                definition = token.kind == "AnchorToken"
                self.note(known[token.value], token.start + 1, token.end, definition=definition)

    def _declare_block(self, block: BlockNames, node: Mapping) -> None:
        """The names of a block's arguments and inputs."""
        args, inputs = node.get("args"), node.get("inputs")
        below = next((found for base in self.below(None) if (found := base.block(block.symbol.name))), None)
        for name, key, _ in args.items() if isinstance(args, Mapping) else ():
            known = below.arguments.get(name) if below is not None else None
            block.arguments[name] = known or Symbol("argument", name)
            self.note_scalar(block.arguments[name], key, definition=True)
        for item in inputs.items if isinstance(inputs, Sequence) else ():
            if isinstance(item, Scalar) and isinstance(item.value, str):
                symbol = block.inputs.setdefault(item.value, Symbol("input", item.value))
                self.note_scalar(symbol, item, definition=True)

    def _block(self, block: BlockNames, node: Mapping) -> None:
        """The layers of a block, and the defaults of its arguments."""
        args = node.get("args")
        sight = Sight(self, None, dict(block.arguments), block.inputs)
        for name, _, value in args.items() if isinstance(args, Mapping) else ():
            self._value(block.arguments[name], value, sight)
        self.chain_of(node.get("layers"), block.scope, sight)

    def _variant(self, name: str, node: Located) -> None:
        sight = Sight(self, name)
        for word, key, value in node.items() if isinstance(node, Mapping) else ():
            if word in VARIANT_SECTIONS or word == "extends":
                self._part(word, value, name, sight)
                continue
            symbol = self.argument(word, name)
            if symbol is not None:
                self.note_scalar(symbol, key)
                self._value(symbol, value, sight)
            else:
                self.scan(value, sight)

    def _part(self, section: str, node: Located, variant: str | None, sight: Sight) -> None:
        """One section of the file or of a variant."""
        if section == "layers":
            scope = self.tops.setdefault(variant, Scope(inputs=self.inputs))
            self.chain_of(node, scope, sight)
        elif section == "outputs":
            for _, _, value in node.items() if isinstance(node, Mapping) else ():
                place = value.get("from") if isinstance(value, Mapping) else value
                self._refer(place, lambda: self._ends(variant), sight)
                if isinstance(value, Mapping):
                    self.scan(value.without("from"), sight)
        elif section == "lineage":
            after = node.get("after") if isinstance(node, Mapping) else None
            for item in after.items if isinstance(after, Sequence) else [after]:
                self._note_variant(item)
            self.scan(node, sight)
        elif section == "published" and self.variants:
            for name, key, _ in node.items() if isinstance(node, Mapping) else ():
                if name in self.variants:
                    self.note_scalar(self.variants[name], key)
        else:
            self.scan(node, sight)
            self._patterns(section, node, variant)

    def _ends(self, variant: str | None) -> list[Scope]:
        """The scopes whose layers the outputs of the file or a variant may name."""
        if variant is not None:
            return self.top(variant)
        variants = self.root.get("variants")
        own = {
            name
            for name, _, node in (variants.items() if isinstance(variants, Mapping) else ())
            if isinstance(node, Mapping) and node.get("outputs") is not None
        }
        found = [scope for name, scope in self.tops.items() if name not in own]
        return found or self.top(None)

    def _note_variant(self, node: Located | None) -> None:
        """A network that is named: one of the file's variants."""
        if isinstance(node, Scalar) and str(node.value) in self.variants:
            self.note_scalar(self.variants[str(node.value)], node)

    def _patterns(self, section: str, node: Located, variant: str | None) -> None:
        """Paths of layers, and patterns of these, in sections that are plain data."""
        if not isinstance(node, Mapping):
            return
        found: list[Scalar] = []
        if section == "weights":
            for _, _, one in node.items():
                names, args = (one.get(word) if isinstance(one, Mapping) else None for word in ("names", "args"))
                for name, key, value in args.items() if isinstance(args, Mapping) else ():
                    symbol = self.argument(name, variant)
                    if symbol is not None:
                        self.note_scalar(symbol, key)
                        self._value(symbol, value, Sight(self, variant))
                found += [key for _, key, _ in names.items()] if isinstance(names, Mapping) else []
        elif section == "train":
            begin, mesh = node.get("init_from"), node.get("mesh")
            lists = [begin.get(word) for word in ("exclude", "freeze")] if isinstance(begin, Mapping) else []
            lists += [node.get("freeze"), node.get("remat")]
            for values in lists:
                items = values.items if isinstance(values, Sequence) else [values]
                found += [item for item in items if isinstance(item, Scalar)]
            shard = mesh.get("shard") if isinstance(mesh, Mapping) else None
            for mapping in (node.get("rates"), node.get("decays"), shard):
                found += [key for _, key, _ in mapping.items()] if isinstance(mapping, Mapping) else []
        for scalar in found:
            if isinstance(scalar.value, str) and scalar.source is self.source:
                self.patterns.append((scalar, variant))
                if "*" not in scalar.value:
                    self.references.append(Reference(scalar, lambda: self.top(variant), whole=False))

    # Lists of layers.

    def chain_of(self, node: Located | None, scope: Scope, sight: Sight) -> None:
        for item in node.items if isinstance(node, Sequence) else ():
            self.entry(item, scope, sight)

    def entry(self, node: Located, scope: Scope, sight: Sight) -> Scope | Opened | None:
        """One entry of a list of layers; what a path goes into behind its name."""
        content: Located | None = None
        kind = node
        if isinstance(node, Mapping):
            if len(node.entries) != 1:
                self.scan(node, sight)
                return None
            kind, content = next(iter(node.entries.values()))
        if not isinstance(kind, Scalar) or not isinstance(kind.value, str):
            return None
        name, symbol = None, None
        written = content.get("name") if isinstance(content, Mapping) else None
        if isinstance(written, Scalar) and not written.dynamic and isinstance(written.value, (str, int)):
            name = str(written.value)
            if "." not in name and written.value is not True and written.value is not False:
                symbol = scope.define(name)
                self.note_scalar(symbol, written, definition=True)
        inside = self._inside(kind, content, written, scope, sight)
        if symbol is not None and inside is not None and name is not None:
            scope.inside.setdefault(name, inside)
        return inside

    def _inside(
        self, kind: Scalar, content: Located | None, name: Located | None, scope: Scope, sight: Sight
    ) -> Scope | Opened | None:
        """Goes through an entry's fields; what a path goes into behind its name."""
        self.scan(kind, sight)
        if isinstance(content, Mapping):
            self._refer(content.get("from"), lambda: [scope], sight)
            self._refer(content.get("weights"), lambda: [scope], sight)
        if kind.value in STRUCTURE:
            return self._structure(str(kind.value), content, scope, sight)
        opened = Opened()
        if kind.dynamic:
            call = DynamicCall(kind, content, sight, opened)
            self.calls.append(call)
        elif (block := self.block(str(kind.value))) is not None:
            self.note_scalar(block.symbol, kind)
            opened.block = block
        else:
            self._layer(str(kind.value), content, scope, sight)
            return None
        if isinstance(content, Mapping):
            for word, key, value in content.items():
                if word in RESERVED:
                    self.scan(value, sight) if word in ("name", "when") else None
                elif kind.dynamic:
                    self.calls[-1].keys.append((word, key, value))
                    self.scan(value, sight)
                elif block is not None and word in block.arguments:
                    self.note_scalar(block.arguments[word], key)
                    self._value(block.arguments[word], value, sight)
                else:
                    self.scan(value, sight)
        elif content is not None:
            first = next(iter(block.arguments.values()), None) if not kind.dynamic and block is not None else None
            if first is not None:
                self._value(first, content, sight)
            else:
                self.scan(content, sight)
        return opened

    def _layer(self, kind: str, content: Located | None, scope: Scope, sight: Sight) -> None:
        """The fields of a layer."""
        try:
            found = find_kind("layers", kind)
        except KindError:
            found = None
        fields = getattr(found, "references", {})
        if isinstance(content, Mapping):
            for word, _, value in content.items():
                if word in fields:
                    self._refer(value, lambda: [scope], sight)
                elif word not in ("from", "weights"):
                    self.scan(value, sight)
        elif content is not None and found is not None and found.main in fields:
            self._refer(content, lambda: [scope], sight)
        else:
            self.scan(content, sight)

    def _structure(self, kind: str, content: Located | None, scope: Scope, sight: Sight) -> Scope | None:
        """The layers in a structure, and its fields."""
        if not isinstance(content, Mapping):
            self.scan(content, sight)
            return None
        holds = {"repeat": ("layers",), "parallel": ("branches",), "residual": ("layers", "shortcut")}.get(kind, ())
        for word, _, value in content.items():
            if word not in (*holds, "from", "weights", "as") or (word == "shortcut" and isinstance(value, Scalar)):
                self.scan(value, sight)
        if not holds:
            return None
        own = any(content.get(word) is not None for word in ("name", "tied", "weights"))
        inner = Scope(scope) if own else scope
        if kind == "repeat":
            self._repeat(content, inner, sight, named=own)
        elif kind == "residual":
            self.chain_of(content.get("layers"), inner, sight)
            if isinstance(content.get("shortcut"), Sequence):
                self.chain_of(content.get("shortcut"), Scope(inner), sight)
        else:
            branches = content.get("branches")
            if isinstance(branches, Mapping):
                for name, key, item in branches.items():
                    self.note_scalar(inner.define(name), key, definition=True)
                    branch = Scope(inner)
                    inner.inside.setdefault(name, branch)
                    self.chain_of(item, branch, sight)
            for item in branches.items if isinstance(branches, Sequence) else ():
                self.chain_of(item, inner, sight)
        return inner if own else None

    def _repeat(self, content: Mapping, inner: Scope, sight: Sight, *, named: bool) -> None:
        counter = content.get("as")
        if isinstance(counter, Scalar) and isinstance(counter.value, str):
            variable = Symbol("variable", counter.value)
            self.others.append(variable)
            self.note_scalar(variable, counter, definition=True)
            sight = sight.and_variable(variable)
        layers = content.get("layers")
        if not named:
            self.chain_of(layers, inner, sight)
            return
        items = layers.items if isinstance(layers, Sequence) else []
        only = items[0] if len(items) == 1 else None
        fields = next(iter(only.entries.values()))[1] if isinstance(only, Mapping) and only.entries else None
        if only is not None and not (isinstance(fields, Mapping) and fields.get("name") is not None):
            inner.rounds = self.entry(only, inner, sight)
        else:
            inner.rounds = Scope(inner)
            self.chain_of(layers, inner.rounds, sight)

    # Values and expressions.

    def _refer(self, node: Located | None, scopes: Callable[[], Iterable[Scope]], sight: Sight) -> None:
        """A value that names layers."""
        for item in node.items if isinstance(node, Sequence) else [node]:
            if isinstance(item, Scalar) and item.source is self.source:
                self.references.append(Reference(item, scopes))
                self.scan(item, sight)

    def _value(self, argument: Symbol, value: Located, sight: Sight) -> None:
        self.values.append(Value(argument, value, sight))
        self.scan(value, sight)

    def scan(self, node: Located | None, sight: Sight) -> None:
        """Notes the names that expressions read, in a value and in all that it holds."""
        if node is None or not node.dynamic or node.source is not self.source:
            return
        if isinstance(node, Mapping):
            for _, key, value in node.items():
                self.scan(key, sight)
                self.scan(value, sight)
        elif isinstance(node, Sequence):
            for item in node.items:
                self.scan(item, sight)
        else:
            for words in self.words(node):
                for number, word in enumerate(words):
                    symbol = sight.find(word.text) if word.kind == "name" else None
                    if symbol is None:
                        continue
                    self.note(symbol, word.start, word.end)
                    for step in (1, -1):
                        beside = [words[at] for at in (number + step, number + 2 * step) if 0 <= at < len(words)]
                        if len(beside) == 2 and beside[0].text in ("==", "!=") and beside[1].kind == "text":
                            self.compared.append((symbol, beside[1]))
