"""Protobuf's text format, as Caffe's .prototxt files have it: nested messages of fields by name, each with its place.

protobuf.dev/reference/protobuf/textformat-spec. What fields mean, and which may be repeated, is for the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_DEPTH = 64
"""Messages within messages."""
MAX_TOKENS = 500_000
"""Words and signs: ten times as many as a network of 269 layers has."""

# Texts are matched without ways back, whose bookkeeping would take gigabytes for a text without an end.
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+|\#[^\n]*)
    |(?P<text>"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"|'[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+')
    |(?P<number>-?\s*(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?)(?![A-Za-z0-9_.])
        |-\s*(?:inf|infinity|nan)(?![A-Za-z0-9_]))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>[{}<>\[\]:,;])""",
    re.VERBOSE | re.IGNORECASE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_CLOSING = {"{": "}", "<": ">"}


class TextError(Exception):
    """A text breaks the rules of the format, or is larger than is read (`large`); `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int, *, large: bool = False) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.large = message, line, column, large


class Word(str):
    """A value that is a name and no text: one of an enumeration, `true` or `false`."""

    __slots__ = ()


class Item(NamedTuple):
    """One field: its value and its place. Numbers are whole where they are written so."""

    value: Message | str | int | float
    line: int
    column: int


class Message:
    """Fields by name, in the order of the text; of repeated ones all."""

    __slots__ = ("column", "fields", "line")

    def __init__(self, line: int = 1, column: int = 1) -> None:
        self.line, self.column = line, column
        self.fields: dict[str, list[Item]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def items(self, name: str) -> list[Item]:
        return self.fields.get(name, [])


class _Token(NamedTuple):
    kind: str
    text: str
    line: int
    column: int


def _tokens(text: str) -> Iterator[_Token]:
    place, line, begin, count = 0, 1, 0, 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        column = place - begin + 1
        if found is None:
            what = "a text without an end" if text[place] in "\"'" else f"{text[place : place + 20].split()[0]!r}"
            raise TextError(f"{what} is no part of protobuf's text format", line, column)
        kind, word = found.lastgroup or "", found[0]
        if kind != "space":
            count += 1
            if count > MAX_TOKENS:
                raise TextError(f"the text has more than {MAX_TOKENS:,} words and signs", line, column, large=True)
            yield _Token(kind, word, line, column)
        ends = word.count("\n")
        if ends:
            line += ends
            begin = place + word.rindex("\n") + 1
        place = found.end()


def parse(text: str) -> Message:
    """The message that a text holds. Raises `TextError`."""
    tokens = _Tokens(text)
    root = Message()
    # Messages that are open, each with the sign that closes it and where it began.
    stack: list[tuple[Message, str, _Token]] = []
    current, closing = root, ""
    while True:
        token = tokens.next()
        if token.kind == "end":
            if stack:
                begun = stack[-1][2]
                raise TextError("this message has no end", begun.line, begun.column)
            return root
        if token.kind == "sign" and token.text == closing and stack:
            current, closing, _ = stack.pop()
            tokens.skip(",;")
            continue
        if token.kind != "word":
            raise TextError(f"a field's name stands here, not {token.text[:20]!r}", token.line, token.column)
        colon = tokens.skip(":")
        value = tokens.next()
        if value.kind == "sign" and value.text in _CLOSING:
            if len(stack) >= MAX_DEPTH:
                raise TextError(f"messages are nested more than {MAX_DEPTH} deep", value.line, value.column, large=True)
            inner = Message(token.line, token.column)
            current.fields.setdefault(token.text, []).append(Item(inner, token.line, token.column))
            stack.append((current, closing, value))
            current, closing = inner, _CLOSING[value.text]
            continue
        if not colon:
            raise TextError(f"`{token.text[:60]}` has neither `:` nor a message", token.line, token.column)
        own = current.fields.setdefault(token.text, [])
        if value.kind == "sign" and value.text == "[":
            own.extend(tokens.listed())
        else:
            own.append(tokens.item(value))
        tokens.skip(",;")


class _Tokens:
    """The tokens of a text, with one ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._last = (1, 1)
        self._ahead: _Token | None = None

    def next(self) -> _Token:
        token = self._ahead or next(self._tokens, None) or _Token("end", "the text's end", *self._last)
        self._ahead = None
        self._last = (token.line, token.column)
        return token

    def skip(self, signs: str) -> bool:
        """Passes over one of these signs, if it stands here."""
        self._ahead = self.next()
        if self._ahead.kind != "sign" or self._ahead.text not in signs:
            return False
        self._ahead = None
        return True

    def item(self, token: _Token) -> Item:
        """The value that begins with a token. Texts that follow each other are one."""
        if token.kind == "number":
            return Item(_number(token), token.line, token.column)
        if token.kind == "word":
            plain = {"inf": float("inf"), "infinity": float("inf"), "nan": float("nan")}.get(token.text.lower())
            return Item(Word(token.text) if plain is None else plain, token.line, token.column)
        if token.kind != "text":
            raise TextError(f"a value stands here, not {token.text[:20]!r}", token.line, token.column)
        pieces = [_unescaped(token)]
        while True:
            self._ahead = self.next()
            if self._ahead.kind != "text":
                return Item("".join(pieces), token.line, token.column)
            pieces.append(_unescaped(self.next()))

    def listed(self) -> Iterator[Item]:
        """The values of a list, behind its `[`."""
        if self.skip("]"):
            return
        while True:
            yield self.item(self.next())
            if self.skip("]"):
                return
            if not self.skip(","):
                token = self.next()
                raise TextError(
                    f"a list goes on with `,` or ends with `]`, not {token.text[:20]!r}", token.line, token.column
                )


def _number(token: _Token) -> int | float:
    text = re.sub(r"\s+", "", token.text)
    if len(text) > 400:
        raise TextError(f"a number of {len(text)} digits", token.line, token.column, large=True)
    if re.fullmatch(r"-?0[xX][0-9a-fA-F]+", text):
        return int(text, 16)
    if re.fullmatch(r"-?0[0-7]+", text):
        return int(text, 8)
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return float(text if text[-1] not in "fF" or text[-2:].lower() == "nf" else text[:-1])


def _unescaped(token: _Token) -> str:
    def one(found: re.Match[str]) -> str:
        octal, code, letter = found.groups()
        if letter is not None:
            return _ESCAPES.get(letter, letter)
        return chr(int(octal, 8) & 0xFF) if octal is not None else chr(int(code, 16))

    return _ESCAPE.sub(one, token.text[1:-1])
