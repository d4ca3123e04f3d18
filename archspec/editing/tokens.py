"""The tokens and events of a YAML text, by PyYAML's scanner, and what in a text in several lines belongs to it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from archspec.positions import YAML_BREAK, Lines, Position

HEADER = re.compile(r"[|>][-+0-9]*")
"""What a text in lines of its own begins with."""


class NotYamlError(Exception):
    """A text that cannot be parsed, with the reason."""


class Token(NamedTuple):
    """A token that can be seen, or the beginning or end of a block collection, with its offsets and its column from 0.

    A text in lines of its own is a `BlockScalarToken`; `?` is a `QuestionToken`, and `KeyToken` a mere mark.
    """

    kind: str
    start: int
    end: int
    column: int
    value: str = ""


def read(text: str, how: Literal["scan", "parse"]) -> list[Any]:
    """PyYAML's tokens or events. Raises `NotYamlError`."""
    import yaml

    loader: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
    try:
        return list(getattr(yaml, how)(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        where = f"line {place.line + 1}: " if place is not None else ""
        raise NotYamlError(f"{where}{error.problem or 'it cannot be parsed'}") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise NotYamlError(str(error).splitlines()[0] if str(error) else "it cannot be parsed") from None


def events(text: str) -> list[tuple[Any, ...]]:
    """What a text says: its events with all but their places. Raises `NotYamlError`."""
    names = ("value", "anchor", "tag", "implicit", "style", "flow_style", "explicit", "version", "tags")
    return [(type(event).__name__, *(getattr(event, name, None) for name in names)) for event in read(text, "parse")]


@lru_cache(maxsize=32)
def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a text that is YAML. Raises `NotYamlError`."""
    read(text, "parse")
    lines = Lines(text)
    found = []
    for token in read(text, "scan"):
        kind = type(token).__name__
        start = lines.offset(Position(token.start_mark.line + 1, token.start_mark.column + 1))
        end = lines.offset(Position(token.end_mark.line + 1, token.end_mark.column + 1))
        if kind == "KeyToken" and text[start : start + 1] == "?" and end > start:
            kind = "QuestionToken"
        elif kind == "ScalarToken" and token.style in ("|", ">"):
            kind = "BlockScalarToken"
        elif kind in ("KeyToken", "BlockMappingStartToken", "BlockSequenceStartToken", "BlockEndToken"):
            end = start
        value = getattr(token, "value", "")
        found.append(Token(kind, start, end, token.start_mark.column, value if isinstance(value, str) else ""))
    return tuple(found)


def comments(text: str) -> list[tuple[int, str]]:
    """A text's comments, each with the number of tokens before it. Raises `NotYamlError`."""
    return [(number, text[start:end]) for number, start, end in _comments(text)]


def comment_places(text: str) -> list[tuple[int, int]]:
    """The offsets of a text's comments. Raises `NotYamlError`."""
    return [(start, end) for _, start, end in _comments(text)]


def _comments(text: str) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    at = 0
    seen = [token for token in tokens(text) if token.end > token.start or token.kind == "BlockScalarToken"]
    for number, token in enumerate(seen):
        found += [(number, *place) for place in _comments_in(text, at, token.start)]
        at = max(at, token.end)
        if token.kind == "BlockScalarToken":
            block = BlockText(text, token.start, 0)
            found += [(number + 1, *place) for place in _comments_in(text, block.header, block.first)]
            at = block.end
    return [*found, *((len(seen), *place) for place in _comments_in(text, at, len(text)))]


def _comments_in(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The offsets of the comments in a stretch that has but these, blanks and ends of lines."""
    found = []
    at = start
    for line in YAML_BREAK.split(text[start:end]):
        mark = line.find("#")
        if mark >= 0:
            found.append((at + mark, at + len(line.rstrip())))
        at += len(line)
        ending = YAML_BREAK.match(text, at)
        at = ending.end() if ending is not None else at
    return found


class BlockText:
    """A text behind `|` or `>`: where its header, its first line and all of it end, and the column of its lines.

    `parent` is the column of what it stands in, from which a header with a number counts.
    """

    def __init__(self, text: str, start: int, parent: int) -> None:
        header = HEADER.match(text, start)
        assert header is not None
        self.header = header.end()
        digits = re.search(r"[0-9]", header.group())
        self.explicit = int(digits.group()) if digits else None
        keeps = "+" in header.group()
        ends = [match.end() for match in YAML_BREAK.finditer(text, self.header)]
        self.first = ends[0] if ends else len(text)
        self.column = parent + self.explicit if self.explicit is not None else None
        self.end = self.first
        for begin, after in zip(ends, [*ends[1:], len(text)], strict=True):
            line = YAML_BREAK.sub("", text[begin:after])
            width = len(line) - len(line.lstrip(" "))
            blank = width == len(line)
            if not blank:
                if self.column is None:
                    self.column = width
                if width < self.column or (self.column == 0 and line.startswith(("---", "..."))):
                    break
            if keeps or not blank or (self.column is not None and width > self.column):
                self.end = after
