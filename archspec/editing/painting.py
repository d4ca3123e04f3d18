"""What each word of a tree is: kinds, blocks, names of layers, fields, arguments and loop variables, and the words of
`$(…)`, told apart by where they stand and by what they were found to name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from archspec.diagnostics import Span
from archspec.editing.analysis import Reading
from archspec.editing.naming import Names
from archspec.editing.ranges import is_inside
from archspec.editing.symbols import Symbol
from archspec.editing.tokens import NotYamlError, comment_places
from archspec.editing.words import Word, expressions
from archspec.kinds import STRUCTURE
from archspec.located import CHOICES, Located, Mapping, Scalar, Sequence
from archspec.positions import end_of, start_of

TYPES = (
    *("namespace", "class", "function", "method", "parameter", "variable", "property", "enumMember"),
    *("keyword", "number", "string", "operator", "comment", "label", "type"),
)
"""Types of words, by the names that the language server protocol has for them."""

GIVEN = ("input", "previous")
"""What every block and chain has without giving it a name."""

MODIFIERS = ("declaration", "readonly", "defaultLibrary")

_OF_SYMBOLS = {
    "layer": "variable",
    "block": "class",
    "argument": "parameter",
    "variable": "parameter",
    "input": "variable",
    "output": "variable",
    "variant": "enumMember",
    "anchor": "label",
}
"""Types of names."""

_OF_WORDS = {
    "size": "property",
    "function": "function",
    "constant": "keyword",
    "keyword": "keyword",
    "number": "number",
    "text": "string",
    "operator": "operator",
    "name": "parameter",
}
"""Types of the words of expressions."""


class Token(NamedTuple):
    """One word in one line, with its type and modifiers."""

    span: Span
    type: str
    modifiers: tuple[str, ...] = ()


def placed(reading: Reading, words: Iterable[Word]) -> list[tuple[Span, Word]]:
    source = reading.source
    assert source is not None
    lines = reading.lines
    return [(Span(source, *lines.position(word.start), *lines.position(word.end)), word) for word in words]


def of_word(span: Span, word: Word, symbol: Symbol | None = None) -> Token:
    """A word of an expression."""
    if symbol is not None:
        return Token(span, _OF_SYMBOLS[symbol.kind], ("readonly",) if symbol.kind == "variable" else ())
    if word.kind == "name" and word.text in GIVEN:
        return Token(span, "variable", ("defaultLibrary",))
    return Token(span, _OF_WORDS[word.kind], ("defaultLibrary",) if word.kind == "function" else ())


class Painter:
    """Goes through the tree of one reading."""

    def __init__(self, names: Names, reading: Reading) -> None:
        self.names = names
        self.reading = reading
        self.lines = reading.lines
        self.found: list[Token] = []
        self.seen: set[int] = set()
        self.named: dict[tuple[int, int, int, int], Symbol] = {}
        self.by_line: dict[int, list[tuple[int, int, int, int]]] = {}

    def tokens(self) -> list[Token]:
        root, source = self.reading.root, self.reading.source
        assert root is not None
        if source is None or self.names.index is None:
            return []
        self.symbols()
        self.mapping(root, ())
        self.comments()
        return self.found

    def add(self, span: Span, type_: str, *modifiers: str) -> None:
        """A word, line by line where it has several."""
        for number in range(span.line, span.end_line + 1):
            line = self.lines.line(number)
            begin = span.column if number == span.line else len(line) - len(line.lstrip()) + 1
            end = span.end_column if number == span.end_line else len(line) + 1
            if end > begin:
                self.found.append(Token(Span(span.source, number, begin, number, end), type_, modifiers))

    def symbols(self) -> None:
        """Names: what they are, and whether they are given there."""
        index = self.names.index
        assert index is not None
        for key, symbol in index.placed.items():
            root = symbol.root
            self.named[key] = root
            given = any(
                place.definition and place.span[1:] == key and place.path == index.path for place in root.places
            )
            modifiers = ["declaration"] if given else []
            modifiers += ["readonly"] if root.kind == "variable" else []
            column = key[1] - (root.kind == "anchor")
            self.add(Span(index.source, key[0], column, key[2], key[3]), _OF_SYMBOLS[root.kind], *modifiers)
        for (path, *place), symbols in self.names.family.shared.items():
            at = (place[0], place[1], place[2], place[3])
            if path == index.path and at not in self.named:
                self.named[at] = symbols[0].root
                self.add(Span(index.source, *at), _OF_SYMBOLS[symbols[0].root.kind])

    def comments(self) -> None:
        source = self.reading.source
        assert source is not None
        try:
            places = comment_places(self.reading.text)
        except NotYamlError:
            return
        for start, end in places:
            self.add(Span(source, *self.lines.position(start), *self.lines.position(end)), "comment")

    def mapping(self, node: Mapping, path: tuple[str, ...]) -> None:
        for name, key, value in node.items():
            if not is_inside(key, node):
                continue
            word = name.partition(".")[0] if name else ""
            self.scalar(key, "keyword" if not path else "property")
            inner = (*path, word or name)
            if is_inside(value, node):
                shortcut = name == "shortcut" and path[-1:] == ("residual",)
                if isinstance(value, Sequence) and (name == "layers" or shortcut):
                    self.chain(value, inner)
                elif isinstance(value, Scalar) and name == "name" and path:
                    self.scalar(value, "variable", "declaration")
                elif name in ("from", "weights") and "layers" in path:
                    for item in value.items if isinstance(value, Sequence) else [value]:
                        if isinstance(item, Scalar) and is_inside(item, node):
                            known = ("defaultLibrary",) if str(item.value).partition(".")[0] in GIVEN else ()
                            self.scalar(item, "variable", *known)
                elif name == "branches" and path[-1:] == ("parallel",):
                    self.branches(value, inner)
                elif name in CHOICES or name in ("loss", "metrics", "augment", "task"):
                    self.choice(value, inner)
                else:
                    self.value(value, inner)

    def value(self, node: Located, path: tuple[str, ...]) -> None:
        if isinstance(node, Mapping):
            self.mapping(node, path)
        elif isinstance(node, Sequence):
            for item in node.items:
                if is_inside(item, node):
                    self.value(item, path)
        elif isinstance(node, Scalar):
            self.scalar(node, "")

    def choice(self, node: Located, path: tuple[str, ...]) -> None:
        """A kind of another family than the layers', alone or with its fields."""
        if isinstance(node, Sequence):
            for item in node.items:
                if is_inside(item, node):
                    self.choice(item, path)
        elif isinstance(node, Scalar):
            self.scalar(node, "type" if isinstance(node.value, str) else "")
        elif isinstance(node, Mapping):
            for name, key, value in node.items():
                if is_inside(key, node):
                    self.scalar(key, "type")
                    if is_inside(value, node):
                        self.value(value, (*path, name))

    def chain(self, node: Located, path: tuple[str, ...]) -> None:
        """A list of layers."""
        for item in node.items if isinstance(node, Sequence) else ():
            if not is_inside(item, node):
                continue
            if isinstance(item, Scalar):
                self.kind(item)
            elif isinstance(item, Mapping):
                for name, key, value in item.items():
                    if is_inside(key, item):
                        self.kind(key)
                        if is_inside(value, item):
                            self.value(value, (*path, name))

    def branches(self, node: Located, path: tuple[str, ...]) -> None:
        if isinstance(node, Mapping):
            for _, key, value in node.items():
                if is_inside(key, node) and is_inside(value, node):
                    self.chain(value, path)
        for item in node.items if isinstance(node, Sequence) else ():
            if is_inside(item, node):
                self.chain(item, path)

    def kind(self, node: Scalar) -> None:
        if node.value in STRUCTURE:
            self.scalar(node, "keyword")
        else:
            self.scalar(node, "class", "defaultLibrary")

    def scalar(self, node: Scalar, type_: str, *modifiers: str) -> None:
        """A word of the tree; without a type a value, which is what it looks like."""
        index = self.names.index
        assert index is not None
        start, end = index.inner(node.span)
        place = (*self.lines.position(start), *self.lines.position(end))
        if place in self.named or id(node) in self.seen or not start < end:
            return
        self.seen.add(id(node))
        span = Span(node.source, *place)
        if node.dynamic:
            self.expressions(node, type_ or "string", *modifiers)
            return
        if any(place[:2] <= key[:2] and key[2:] <= place[2:] for key in self.named_in(place)):
            self.rest(node, start, end, type_ or "string")
            return
        if not type_:
            type_ = "string" if isinstance(node.value, str) else "number"
            type_ = "keyword" if node.value is None or isinstance(node.value, bool) else type_
        if self.reading.text[start - 1 : start] in ("'", '"') and start > self.lines.offset(start_of(node.span)):
            span = Span(node.source, *self.lines.position(start - 1), *self.lines.position(end + 1))
        self.add(span, type_, *modifiers)

    def named_in(self, place: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
        """The names in the lines of a scalar."""
        if not self.by_line:
            for key in self.named:
                self.by_line.setdefault(key[0], []).append(key)
        return [key for line in range(place[0], place[2] + 1) for key in self.by_line.get(line, ())]

    def rest(self, node: Scalar, start: int, end: int, type_: str) -> None:
        """What of a path or a pattern is no name that is known."""
        at = start
        for match in re.finditer(r"[^.?&=#]+", self.reading.text[start:end]):
            first, last = self.lines.position(at + match.start()), self.lines.position(at + match.end())
            if (*first, *last) not in self.named:
                self.add(Span(node.source, *first, *last), type_)

    def expressions(self, node: Scalar, type_: str, *modifiers: str) -> None:
        """A value with `$(…)` in it, and the text around."""
        text = self.reading.text
        start, end = self.lines.offset(start_of(node.span)), self.lines.offset(end_of(node.span))
        index = self.names.index
        assert index is not None
        at = index.raw(start, end)
        for expression in expressions(text, at, end):
            if expression.start > at:
                self.add(
                    Span(node.source, *self.lines.position(at), *self.lines.position(expression.start)),
                    type_,
                    *modifiers,
                )
            for span, word in placed(self.reading, expression.words):
                if span[1:] not in self.named:
                    self.found.append(of_word(span, word))
            at = expression.end
        if end > at:
            self.add(Span(node.source, *self.lines.position(at), *self.lines.position(end)), type_, *modifiers)
