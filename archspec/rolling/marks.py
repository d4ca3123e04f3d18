"""When entries are alike: equal but for numbers. A mark is the same for entries that one template can stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.rolling.entries import Call, Chain, Entry, Layer, Parallel, Repeat, Residual

SIZES = ("filters", "units", "channels")
"""Fields that say how many channels a layer has."""

FREE = (*SIZES, "rate", "multiplier")
"""Fields in which layers differ that a person would still call the same."""

Column = tuple[str, Any]
"""A value that may differ between entries of one mark: its field, and the value in this one."""


def varies(name: str, value: Any) -> bool:
    """Whether a field's value may be an argument: numbers, pairs of them, and words of padding."""
    if isinstance(value, str):
        return name == "pad"
    if isinstance(value, list):
        return all(isinstance(item, int) for item in value)
    return isinstance(value, (bool, int, float))


class Marks:
    """Numbers for entries, equal ones for entries that are alike. With `strict`, only `FREE` fields may differ."""

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}

    def mark(self, entry: Entry | None, before: int | None, strict: bool = False) -> int:
        """The mark of an entry that stands behind what gives the value `before`."""
        return self.known.setdefault(self.key(entry, before, strict), len(self.known))

    def chain(self, chain: Chain, before: int | None, strict: bool = False) -> tuple[int, ...]:
        """The marks of a list that begins with a value."""
        marks = []
        for entry in chain:
            marks.append(self.mark(entry, before, strict))
            before = before if entry is None else entry.out
        return tuple(marks)

    def key(self, entry: Entry | None, before: int | None, strict: bool) -> Any:
        if entry is None:
            return None
        follows = tuple(source == before for source in entry.inputs)
        match entry:
            case Layer():
                if entry.is_activation and not strict:
                    return ("activation", follows)
                kept = [
                    (
                        name,
                        type(value).__name__ if varies(name, value) and (name in FREE or not strict) else repr(value),
                    )
                    for name, value in entry.fields.items()
                ]
                shapes = tuple((name, _class(value) if not strict else value) for name, value in kept)
                return (entry.kind, follows, shapes, tuple(entry.references))
            case Parallel():
                (source,) = entry.inputs
                branches = tuple(self.chain(branch, source, strict) for branch in entry.branches)
                return ("parallel", entry.join.kind, follows, branches)
            case Residual():
                (source,) = entry.inputs
                ways = "auto" if entry.projected or not entry.shortcut else self.chain(entry.shortcut, source, strict)
                return ("residual", follows, self.chain(entry.body, source, strict), ways)
            case Call():
                inner = self.chain(entry.body, entry.inputs[0], strict) if strict else None
                return ("call", entry.block, follows, inner)
            case Repeat():
                times = len(entry.rounds) if strict or not entry.staged else None
                return ("repeat", follows, self.chain(entry.rounds[0], entry.inputs[0], strict), times)
        raise TypeError(type(entry).__name__)


def _class(word: str) -> str:
    """Numbers and pairs are one class of values, as arguments have them."""
    return "number" if word in ("int", "float", "list") else word


def columns(chain: Chain) -> Iterator[Column]:
    """What may differ between lists of the same marks, in order."""
    for entry in chain:
        match entry:
            case None:
                yield "when", False
            case Layer():
                if entry.is_activation:
                    yield "activation", entry.kind
                else:
                    yield from ((name, _hashable(v)) for name, v in entry.fields.items() if varies(name, v))
            case Parallel():
                for branch in entry.branches:
                    yield from columns(branch)
            case Residual():
                yield from columns(entry.body)
                if not entry.projected:
                    yield from columns(entry.shortcut)
            case Call():
                yield from columns(entry.body) if entry.row is None else entry.row
            case Repeat() if entry.staged:
                yield "times", len(entry.rounds)
                yield from columns(entry.rounds[0])
                yield from columns(entry.rounds[1 if len(entry.rounds) > 1 else 0])
            case Repeat():
                rounds = [list(columns(inner)) for inner in entry.rounds]
                for parts in zip(*rounds, strict=True):
                    yield parts[0][0], tuple(value for _, value in parts)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def differing(lists: list[Chain]) -> list[tuple[str, tuple[Any, ...]]]:
    """The columns in which lists of the same marks differ, each different one once."""
    found: dict[tuple[Any, ...], str] = {}
    for parts in zip(*map(columns, lists), strict=True):
        values = tuple(value for _, value in parts)
        if len(set(values)) > 1 and not any(_multiple(values, known) for known in found):
            found[values] = parts[0][0]
    return [(name, values) for values, name in found.items()]


def _multiple(values: tuple[Any, ...], known: tuple[Any, ...]) -> bool:
    """Whether numbers are others times one whole number, or that number the other way round."""
    if values == known:
        return True
    if not all(type(value) is int and value > 0 for value in (*values, *known)):
        return False
    alike = all(v * known[0] == values[0] * k for v, k in zip(values, known, strict=True))
    return alike and (values[0] % known[0] == 0 or known[0] % values[0] == 0)
