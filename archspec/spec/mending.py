"""Mends of findings: what stands around a place in a file, and the edits that follow a help line there.

Imported once there is something to mend. Every function gives the mends that can be made, mostly one, and none where
the text that a finding speaks of is not what stands in the file: where an alias, a merge key, a variant or an option
brings it there, or an expression makes it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from collections.abc import Sequence as Many
from functools import lru_cache
from typing import Any, NamedTuple

from archspec import edits
from archspec.diagnostics import Edit, Mend, Setting, Source, Span
from archspec.located import Located, Mapping, Scalar, Sequence, is_null
from archspec.source import reread


class Spot(NamedTuple):
    """What stands at a place: the values around it, the outermost first, and the key and value that it begins."""

    around: tuple[Located, ...]
    key: Scalar | None = None
    value: Located | None = None


class Item(NamedTuple):
    """An entry of a list of layers: the list, the whole entry, its kind, and what follows the kind."""

    within: Sequence
    whole: Located
    kind: Scalar
    content: Located | None


@lru_cache(maxsize=2)
def _tree(source: Source) -> Located | None:
    """What a file says, without what it extends and its variants."""
    return reread(source) if source.path is not None else None


def spot(span: Span | None) -> Spot | None:
    """What stands where a span begins; None where that is in no file that can be read."""
    node = _tree(span.source) if span is not None else None
    if node is None or span is None:
        return None
    place = (span.line, span.column)
    around: list[Located] = []
    while True:
        around.append(node)
        inner: Iterable[Located]
        if isinstance(node, Mapping):
            for _, key, value in node.items():
                if (key.line, key.column) == place and edits.lies_in(key, node):
                    return Spot(tuple(around), key, value)
            inner = [value for _, key, value in node.items() if edits.stands(key, value, node)]
        else:
            inner = node.items if isinstance(node, Sequence) else ()
        below = _near(node.items, place) if isinstance(node, Sequence) else None
        if below is None or not (edits.lies_in(below, node) and _holds(below, place)):
            below = next((value for value in inner if edits.lies_in(value, node) and _holds(value, place)), None)
        if below is None:
            return Spot(tuple(around))
        node = below


def _near(items: list[Located], place: edits.Place) -> Located | None:
    """The last of items that begins at a place or before it, where all of them stand in their order."""
    number = bisect_right(items, place, key=lambda item: (item.line, item.column))
    return items[number - 1] if number else None


def top(source: Source) -> Mapping | None:
    """The mapping that a file is."""
    tree = _tree(source)
    return tree if isinstance(tree, Mapping) else None


def _holds(node: Located, place: edits.Place) -> bool:
    begin, end = (node.line, node.column), (node.end_line, node.end_column)
    return begin <= place < end or begin == place


def item(span: Span | None) -> Item | None:
    """The entry of which the kind stands at a span."""
    found = spot(span)
    if found is None or len(found.around) < 2:
        return None
    *_, within, last = found.around
    if isinstance(last, Scalar) and isinstance(within, Sequence):
        return Item(within, last, last, None)
    if not isinstance(last, Mapping) or not isinstance(within, Sequence):
        return None
    if found.key is None and span is not None and (last.line, last.column) == (span.line, span.column):
        # The braces of the entry are the place.
        found = Spot(found.around, *next(iter(last.entries.values()), (None, None)))
    if found.key is None:
        return None
    if len(last.entries) != 1 or found.value is None or last.span.first in ("&", "!"):
        return None
    if not edits.stands(found.key, found.value, last):
        return None
    return Item(within, last, found.key, found.value)


Pair = tuple[Scalar, Located]


def own_pairs(node: Mapping) -> list[Pair] | None:
    """The keys and values of a mapping in the order of their places; None where some are not written there."""
    pairs = [(key, value) for _, key, value in node.items()]
    if node.partial or not all(edits.stands(key, value, node) for key, value in pairs):
        return None
    return sorted(pairs, key=lambda pair: pair[0].place)


def made(help: str, parts: Iterable[Edit | None], certain: bool) -> list[Mend]:
    """The mend of some edits, none of which may be lacking."""
    all_of = tuple(parts)
    known = tuple(edit for edit in all_of if edit is not None)
    return [Mend(help, known, certain)] if known and len(known) == len(all_of) else []


def unread(span: Span) -> Span | None:
    """The entry, or the field with its value, whose kind, name or value stands at a place: all of it is not read where
    that is wrong."""
    entry = item(span)
    if entry is not None:
        node: Located = entry.whole
        end = edits.end_of(node)
        return None if end is None else Span(node.source, node.line, node.column, *end)
    found = spot(span)
    if found is None:
        return None
    if found.key is not None and found.value is not None:
        end = edits.end_of(found.value)
        return None if end is None else Span(span.source, found.key.line, found.key.column, *end)
    whole = next((node for node in reversed(found.around[1:]) if isinstance(node, Mapping)), None)
    end = edits.end_of(whole) if whole is not None else None
    return None if whole is None or end is None else Span(span.source, whole.line, whole.column, *end)


def value_at(span: Span | None) -> Located | None:
    """The value that begins at a place."""
    found = spot(span)
    if found is None or found.key is not None:
        return None
    last = found.around[-1]
    return last if span is not None and (last.line, last.column) == (span.line, span.column) else None


def respelt(node: Located | None, text: str, help: str, *, certain: bool = False) -> list[Mend]:
    """Another text for a value."""
    return [] if node is None or node.source.path is None else made(help, [edits.replaced(node, text)], certain)


def renamed(key: Located | None, name: str, help: str, *, certain: bool = False) -> list[Mend]:
    """Another name in place of a key, or of a name that a value is."""
    if not isinstance(key, Scalar) or key.source.path is None or key.dynamic:
        return []
    return made(help, [edits.renamed(key, name)], certain)


def set_fields(span: Span | None, main: str | None, ways: Iterable[Setting]) -> list[Mend]:
    """Fields of the entry whose kind stands at a span, whichever way it is written. `main` is the field that a plain
    value sets.
    """
    found = item(span)
    mends: list[Mend] = []
    for way in ways if found is not None else ():
        assert found is not None
        edits_of = [] if way.kind is None else [edits.renamed(found.kind, way.kind)]
        if way.before is not None:
            edits_of.append(edits.item_before(found.within, found.whole, way.before))
        if way.fields:
            edits_of.extend(_with_fields(found.kind, found.content, main, way.fields))
        mends.extend(made(way.help, edits_of, way.certain))
    return mends


def _with_fields(
    kind: Scalar, content: Located | None, main: str | None, fields: Many[tuple[str, Any]]
) -> list[Edit | None]:
    written = {name: edits.yaml_of(value) for name, value in fields if value is not None}
    inner = ", ".join(f"{name}: {text}" for name, text in written.items())
    if content is None:
        return [edits.inserted_at(kind.source, (kind.end_line, kind.end_column), f": {{{inner}}}")]
    if is_null(content):
        if content.span.text:
            return [edits.replaced(content, f"{{{inner}}}")]
        line = kind.source.line(kind.end_line)
        colon = re.compile(r"[ \t]*:").match(line, kind.end_column - 1)
        return [edits.inserted_at(kind.source, (kind.end_line, colon.end() + 1), f" {{{inner}}}") if colon else None]
    if isinstance(content, Mapping):
        return [_field(content, name, written.get(name)) for name, _ in fields]
    if main is None or content.dynamic:
        return [None]
    if list(written) == [main]:
        return [edits.replaced(content, written[main])]
    own = written.pop(main, None) or _in_flow(content)
    inner = ", ".join(f"{name}: {text}" for name, text in written.items())
    return [edits.replaced(content, f"{{{main}: {own}, {inner}}}") if own else None]


def _field(mapping: Mapping, name: str, text: str | None) -> Edit | None:
    """Sets a field of a mapping, or takes it away."""
    key, value = mapping.key(name), mapping.get(name)
    if key is None or value is None:
        return edits.with_field(mapping, name, text) if text is not None else None
    if not edits.stands(key, value, mapping) or value.dynamic:
        return None
    if text is None:
        return edits.without_field(key, value, flow=edits.is_flow(mapping))
    return edits.replaced(value, text)


def _in_flow(node: Located) -> str | None:
    """What is written, as it can stand within braces."""
    text = node.span.text
    if node.line != node.end_line:
        return None
    plain = isinstance(node, Scalar) and text[:1] not in ("'", '"')
    return edits.yaml_of(node.plain) if plain and re.search(r"[,\[\]{}#]|: ", text) else text


def set_in(node: Located | None, fields: Many[tuple[str, Any]], help: str, *, certain: bool = False) -> list[Mend]:
    """Fields of a mapping, such as a section."""
    if not isinstance(node, Mapping) or node.source.path is None:
        return []
    written = ((name, None if value is None else edits.yaml_of(value)) for name, value in fields)
    return made(help, [_field(node, name, text) for name, text in written], certain)


def set_around(span: Span | None, field: str, value: Any, help: str) -> list[Mend]:
    """Another value of the field in which a place lies: its key, its value, or something within."""
    found = spot(span)
    if found is None or span is None:
        return []
    place = (span.line, span.column)
    for node in reversed(found.around):
        key, own = (node.key(field), node.get(field)) if isinstance(node, Mapping) else (None, None)
        if key is None or own is None or not isinstance(node, Mapping) or not edits.stands(key, own, node):
            continue
        if (key.line, key.column) == place or _holds(own, place):
            return [] if own.dynamic else made(help, [anew(own, edits.yaml_of(value))], certain=False)
    return []


def anew(node: Located, text: str) -> Edit | None:
    """Another text for a value, however it is written; None where a comment would be lost."""
    end = edits.end_of(node)
    if end is None or not edits.is_whole(node):
        return None
    begin = (node.line, node.column)
    lost = re.search(r"(^|\s)#", Span(node.source, *begin, *end).text)
    return None if lost else edits.at(node.source, begin, end, text)


def moved_last(span: Span | None, help: str) -> list[Mend]:
    """An entry of a list of kinds behind all others."""
    entry = item(span)
    if entry is None or "\n" in entry.whole.span.text.rstrip() or entry.whole is entry.within.items[-1]:
        return []
    end = edits.end_of(entry.whole)
    if end is None:
        return []
    source = entry.whole.source
    if "#" in source.line(end[0])[end[1] - 1 :] and not edits.is_flow(entry.within):
        return []  # its comment would be lost
    text = Span(source, entry.whole.line, entry.whole.column, *end).text
    behind = edits.item_behind(entry.within, entry.within.items[-1], text)
    return made(help, [edits.without_item(entry.within, entry.whole), behind], certain=False)


def left_out(span: Span | None, help: str, *, certain: bool = False) -> list[Mend]:
    """Takes away the field whose key or value stands at a span, or the entry of layers whose kind stands there."""
    entry = item(span)
    if entry is not None:
        return made(help, [edits.without_item(entry.within, entry.whole)], certain)
    found = spot(span)
    if found is None:
        return []
    within = found.around[-1]
    key, value = found.key, found.value
    if key is None and len(found.around) > 1 and isinstance(found.around[-2], Mapping):
        within = found.around[-2]
        key = next((key for _, key, value in within.items() if value is found.around[-1]), None)
        value = found.around[-1]
    if key is None or value is None or not isinstance(within, Mapping):
        return []
    alone = len(within.entries) == 1 and not edits.is_flow(within)
    edit = None if alone else edits.without_field(key, value, flow=edits.is_flow(within))
    return made(help, [edit], certain)
