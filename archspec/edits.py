"""Edits of a text by the values that were read from it, which leave comments, quotes and all else as they are.

What cannot be done without writing anew what stands around it is None: nothing is edited that an alias, a merge key or
another file brings to a place, nor a text of several lines in quotes or after `|`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as Map
from typing import Any

from archspec.diagnostics import Edit, Source, Span
from archspec.located import Located, Mapping, Scalar, Sequence

Place = tuple[int, int]
"""A line and a column, from 1."""

_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*(?: [\w./+-]+)*\Z", re.ASCII)
_COMMENT = re.compile(r"[ \t]*(?:#.*)?\Z")


def yaml_of(value: Any) -> str:
    """A plain value as one writes it in the flow of a line."""
    if isinstance(value, Map):
        return f"{{{', '.join(f'{yaml_of(key)}: {yaml_of(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(yaml_of, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        reserved = value.lower() in ("null", "true", "false")
        return value if _PLAIN.match(value) and not reserved else json.dumps(value, ensure_ascii=False)
    return str(value)


def is_flow(node: Located) -> bool:
    """Whether a list or mapping is written in brackets."""
    return not isinstance(node, Scalar) and node.span.first in ("{", "[")


def lies_in(inner: Located, outer: Located) -> bool:
    """Whether a value stands within another, and was not brought there by an alias, a merge key or another file."""
    if inner.source is not outer.source:
        return False
    begin, end = (inner.line, inner.column), (inner.end_line, inner.end_column)
    return (outer.line, outer.column) <= begin and end <= (outer.end_line, outer.end_column)


def is_whole(node: Located) -> bool:
    """Whether all that is written of a value is known, so that it can be written anew."""
    if isinstance(node, Mapping):
        return not node.partial and all(is_whole(value) for _, _, value in node.items())
    return not isinstance(node, Sequence) or all(map(is_whole, node.items))


def stands(key: Scalar, value: Located, mapping: Mapping) -> bool:
    """Whether a field is written in a mapping, its value too: an alias stands for what is written elsewhere."""
    written = lies_in(key, mapping) and lies_in(value, mapping)
    return written and (value.line, value.column) >= (key.end_line, key.end_column)


def end_of(node: Located) -> Place | None:
    """Where the text of a value ends; None where that is not known, as of one that ends in an alias.

    A parser gives the end of what is written without brackets as the beginning of what follows.
    """
    if isinstance(node, Scalar):
        return (node.end_line, node.end_column) if node.span.first not in ("|", ">", "&", "!") else None
    if is_flow(node):
        return (node.end_line, node.end_column)
    if isinstance(node, Mapping) and node.partial:
        return None
    if node.span.first in ("&", "!"):
        return None
    if isinstance(node, Mapping):
        own = [(key, value) for _, key, value in node.items() if lies_in(key, node)]
        parts, keys = [value for _, value in own], [key for key, _ in own]
        if not all(stands(key, value, node) for key, value in own):
            return None
    else:
        assert isinstance(node, Sequence)
        parts, keys = node.items, []
    if not parts or not all(lies_in(part, node) for part in parts):
        return None
    ends = [end_of(part) for part in parts]
    places = [end for end in (*ends, *map(end_of, keys)) if end is not None]
    return max(places) if None not in ends else None


def at(source: Source, begin: Place, end: Place, text: str) -> Edit:
    """Text in place of what stands between two places."""
    return Edit(Span(source, *begin, *end), text)


def inserted_at(source: Source, place: Place, text: str) -> Edit:
    return at(source, place, place, text)


def replaced(node: Located, text: str) -> Edit | None:
    """Another text for a value that is a scalar of one line, or in brackets."""
    end = end_of(node)
    if end is None or (isinstance(node, Scalar) and (node.line != node.end_line or not node.span.text)):
        return None
    if not isinstance(node, Scalar) and not (is_flow(node) and is_whole(node)):
        return None
    return at(node.source, (node.line, node.column), end, text)


def _own(mapping: Mapping) -> list[tuple[Scalar, Located]]:
    """The keys and values that are written in a mapping itself, in the order in which they stand there."""
    own = [(key, value) for _, key, value in mapping.items() if lies_in(key, mapping)]
    return sorted(own, key=lambda pair: pair[0].place)


def with_field(mapping: Mapping, field: str, text: str) -> Edit | None:
    """The edit that adds a field at the end of a mapping."""
    own = _own(mapping)
    if is_flow(mapping):
        if not own:
            return replaced(mapping, f"{{{field}: {text}}}") if mapping.span.text == "{}" else None
        end = end_of(own[-1][1])
        if end is None or not lies_in(own[-1][1], mapping):
            return None
        return inserted_at(mapping.source, end, f", {field}: {text}")
    end = end_of(mapping)
    if end is None or not own:
        return None
    line = mapping.source.line(end[0])
    if not _COMMENT.match(line[end[1] - 1 :]):
        return None
    indent = " " * (own[0][0].column - 1)
    return inserted_at(mapping.source, (end[0], len(line) + 1), f"\n{indent}{field}: {text}")


def without_field(key: Scalar, value: Located, *, flow: bool) -> Edit | None:
    """The edit that takes a field out of a mapping; its comment goes with it where it has lines of its own."""
    source = key.source
    empty = isinstance(value, Scalar) and not value.span.text
    end = end_of(value)
    if end is None or value.source is not source or (value.place < key.place and not empty):
        return None
    if end < (key.end_line, key.end_column):
        return None
    line, rest = source.line(key.line), source.line(end[0])[end[1] - 1 :]
    if flow:
        before = line[: key.column - 1].rstrip()
        following = re.match(r"[ \t]*,[ \t]*", rest)
        if following and following.end() < len(rest) and rest[following.end()] not in "}#":
            return at(source, (key.line, key.column), (end[0], end[1] + following.end()), "")
        if before.endswith(","):
            return at(source, (key.line, len(before)), end, "")
        alone = before.endswith("{") and rest.lstrip().startswith("}")
        return at(source, (key.line, key.column), end, "") if alone else None
    if line[: key.column - 1].strip() or not _COMMENT.match(rest):
        return None
    if end[0] < source.length:
        return at(source, (key.line, 1), (end[0] + 1, 1), "")
    if key.line == 1:
        return None
    return at(source, (key.line - 1, len(source.line(key.line - 1)) + 1), (end[0], len(source.line(end[0])) + 1), "")


def renamed(key: Scalar, name: str) -> Edit | None:
    """Another name for a key or a scalar, in its quotes where it has some."""
    written = key.span.text
    for quote in ("", '"', "'"):
        if written == f"{quote}{key.value}{quote}":
            return Edit(key.span, f"{quote}{name}{quote}" if quote else yaml_of(name))
    return None


def item_before(sequence: Sequence, item: Located, text: str) -> Edit | None:
    """The edit that puts an item before another one of a list."""
    if is_flow(sequence):
        return inserted_at(item.source, (item.line, item.column), f"{text}, ")
    dash = _dash_before(item)
    if dash is None:
        return None
    return inserted_at(item.source, (item.line, item.column), f"{text}\n{' ' * (dash - 1)}- ")


def item_behind(sequence: Sequence, item: Located, text: str) -> Edit | None:
    """The edit that puts an item behind another one of a list."""
    end = end_of(item)
    if end is None:
        return None
    if is_flow(sequence):
        return inserted_at(item.source, end, f", {text}")
    dash, line = _dash_before(item), item.source.line(end[0])
    if dash is None or not _COMMENT.match(line[end[1] - 1 :]):
        return None
    return inserted_at(item.source, (end[0], len(line) + 1), f"\n{' ' * (dash - 1)}- {text}")


def without_item(sequence: Sequence, item: Located) -> Edit | None:
    """The edit that takes an item out of a list that has others."""
    source, end = item.source, end_of(item)
    if end is None or len(sequence.items) < 2 or not lies_in(item, sequence):
        return None
    number = next(place for place, other in enumerate(sequence.items) if other is item)
    if is_flow(sequence):
        if number == 0:
            after = sequence.items[1]
            return at(source, (item.line, item.column), (after.line, after.column), "")
        before = end_of(sequence.items[number - 1])
        return None if before is None else at(source, before, end, "")
    dash, line = _dash_before(item), source.line(end[0])
    alone = dash is not None and not source.line(item.line)[: dash - 1].strip()
    if not alone or not _COMMENT.match(line[end[1] - 1 :]):
        return None
    if end[0] < source.length:
        return at(source, (item.line, 1), (end[0] + 1, 1), "")
    above = item.line - 1
    return at(source, (above, len(source.line(above)) + 1), (end[0], len(line) + 1), "")


def expression_in_quotes(source: Source, place: Place) -> tuple[Edit, Edit] | None:
    """The edits that put quotes around the expression `$(…)` that begins at a place."""
    line, depth = source.line(place[0]), 0
    text = line[place[1] - 1 :]
    if not text.startswith("$(") or '"' in text or "\\" in text:
        return None
    for number, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and number:
            end = (place[0], place[1] + number + 1)
            return inserted_at(source, place, '"'), inserted_at(source, end, '"')
    return None


def _dash_before(item: Located) -> int | None:
    """The column of the `-` that an item of a list stands behind."""
    before = item.source.line(item.line)[: item.column - 1].rstrip()
    return len(before) if before.endswith("-") and (len(before) == 1 or before[-2] in " -") else None


def indented(source: Source, lines: range, by: int) -> list[Edit]:
    """The edits that move lines to the right."""
    return [inserted_at(source, (line, 1), " " * by) for line in lines if source.line(line).strip()]
