"""Stretches of a text: where values end, what can be folded, and what a selection grows to."""

from __future__ import annotations

from typing import Literal, NamedTuple

from archspec.diagnostics import Span
from archspec.located import Located, Mapping, Scalar, Sequence
from archspec.positions import Lines, Position, end_of, start_of


class Fold(NamedTuple):
    """Lines that can be folded into the first of them, from 1, the last one included."""

    first: int
    last: int
    kind: Literal["region", "comment"] = "region"


def folds(text: str) -> list[Fold]:
    """What can be folded in a text, half-written ones too: entries with the lines further in below them, brackets over
    several lines, and runs of comments."""
    lines = Lines(text)
    found: list[Fold] = []
    open_: list[tuple[float, int]] = []
    """Depths and numbers of the lines that are still open, the innermost last."""
    last = 0
    run = 0
    """Where a run of comments began; 0 outside of one."""
    for number in range(1, lines.count + 1):
        line = lines.line(number)
        stripped = line.strip()
        if stripped.startswith("#"):
            run = run or number
            continue
        if run and run < number - 1:
            found.append(Fold(run, number - 1, "comment"))
        run = 0
        if not stripped:
            continue
        depth = _depth(line)
        closes = stripped[0] in "]}"  # what begins in its column belongs to it
        while open_ and (open_[-1][0] > depth if closes else open_[-1][0] >= depth):
            first = open_.pop()[1]
            if last > first:
                found.append(Fold(first, last))
        if not (closes and open_):
            open_.append((depth, number))
        last = number
    if run and run < lines.count and all(lines.line(n).strip() for n in range(run, lines.count)):
        found.append(Fold(run, _last_written(lines), "comment"))
    found += [Fold(first, last) for _, first in open_ if last > first]
    return sorted(fold for fold in found if fold.last > fold.first)


def _last_written(lines: Lines) -> int:
    return next((n for n in range(lines.count, 0, -1) if lines.line(n).strip()), 1)


def _depth(line: str) -> float:
    """How far in a line is; items of a list are within a key in the same column."""
    width = len(line) - len(line.lstrip())
    return width + 0.5 if line[width:].startswith(("- ", "-\t")) or line.strip() == "-" else width


def extent(lines: Lines, node: Located, start: Located | None = None) -> Span:
    """A value's place, from its key on if that is given, without the spaces and comments behind it."""
    place = start_of((start or node).span)
    end = _end(lines, node, place)
    return Span(node.source if start is None else start.source, *place, *end)


def _end(lines: Lines, node: Located, least: Position) -> Position:
    """Where a value ends that begins at a place or behind it; that place where it stands elsewhere, as an alias."""
    begin, end = start_of(node.span), end_of(node.span)
    if isinstance(node, Scalar) or not isinstance(node, (Mapping, Sequence)):
        if end.column == 1 and end.line > begin.line:
            # A text behind `|` or `>` ends where the next line begins.
            number = end.line - 1
            while number > begin.line and not lines.line(number).strip():
                number -= 1
            end = Position(number, len(lines.line(number)) + 1)
        return max(end, least)
    if lines.text[lines.offset(end) - 1 : lines.offset(end)] in ("}", "]"):
        return max(end, least)
    last = max(least, begin)
    for key, value in children(node):
        if key is not None:
            last = max(last, end_of(key.span))
        last = max(last, _end(lines, value, last) if is_inside(value, node) else last)
    return min(last, max(end, least))


def children(node: Located) -> list[tuple[Scalar | None, Located]]:
    """What a mapping or list holds, as far as it is written in it: what a merge brings in is not."""
    if isinstance(node, Mapping):
        return [(key, value) for _, key, value in node.items() if is_inside(key, node)]
    return [(None, item) for item in node.items if is_inside(item, node)] if isinstance(node, Sequence) else []


def is_inside(node: Located, holder: Located) -> bool:
    """Whether a value is written within another; what an alias stands for is written elsewhere."""
    if node.source is not holder.source:
        return False
    return start_of(holder.span) <= start_of(node.span) and end_of(node.span) <= end_of(holder.span)


def selections(root: Located, lines: Lines, position: Position) -> list[Span]:
    """The values around a position, the innermost first, entries with their keys between."""
    found: list[Span] = []
    at: Located | None = root
    while at is not None:
        whole = extent(lines, at)
        if not start_of(whole) <= position <= end_of(whole):
            break
        found.append(whole)
        holder, at = at, None
        for key, value in children(holder):
            written = is_inside(value, holder)
            entry = extent(lines, value, key) if key is not None and written else None
            if key is not None and start_of(key.span) <= position <= end_of(key.span):
                found += [*([entry] if entry is not None else []), key.span]
                return _distinct(found)
            if entry is not None and start_of(entry) <= position <= end_of(entry):
                found.append(entry)
                at = value
                break
            if key is None and written and start_of(value.span) <= position <= end_of(extent(lines, value)):
                at = value
                break
    return _distinct(found)


def _distinct(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for span in reversed(spans):
        if not found or span != found[-1]:
            found.append(span)
    return found
