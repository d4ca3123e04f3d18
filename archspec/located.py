"""YAML values that know their place in the text that they were read from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archspec.diagnostics import Source, Span


class Located:
    """A YAML value with its place. `size` counts the values in it, itself included, aliases written out."""

    __slots__ = ("column", "dynamic", "end_column", "end_line", "line", "size", "source")

    def __init__(self, source: Source, place: tuple[int, int, int, int]) -> None:
        self.source = source
        self.line, self.column, self.end_line, self.end_column = place
        self.size = 1
        self.dynamic = False

    @property
    def place(self) -> tuple[int, int, int, int]:
        return (self.line, self.column, self.end_line, self.end_column)

    @property
    def span(self) -> Span:
        return Span(self.source, self.line, self.column, self.end_line, self.end_column)

    @property
    def plain(self) -> Any:
        """The value in plain Python, `$(…)` as text."""
        raise NotImplementedError

    @property
    def described(self) -> str:
        """What was written, in a few words, for messages."""
        raise NotImplementedError


_WRITTEN = {
    "'": re.compile(r"''|[^']"),
    '"': re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)|[^\\]"),
}
"""What stands for one character between quotes."""


class Scalar(Located):
    """A string, number, boolean or null. `dynamic` says that it holds `$(…)`."""

    __slots__ = ("value",)

    def __init__(self, source: Source, place: tuple[int, int, int, int], value: Any) -> None:
        super().__init__(source, place)
        self.value = value
        self.dynamic = isinstance(value, str) and "$(" in value

    @property
    def plain(self) -> Any:
        return self.value

    @property
    def described(self) -> str:
        return describe(self.value)

    def span_at(self, offset: int, length: int) -> Span:
        """The place of a part of the value, or of all of it where the text has several lines."""
        starts = self._starts()
        if starts is None or offset >= len(starts):
            return self.span
        first, last = starts[max(offset, 0)], starts[min(offset + max(1, length), len(starts) - 1)]
        return Span(self.source, self.line, self.column + first, self.line, self.column + max(last, first + 1))

    def _starts(self) -> list[int] | None:
        """Where each character of the value is written, and where they end, counted from the place's column."""
        if self.line != self.end_line or not isinstance(self.value, str):
            return None
        written = self.source.line(self.line)[self.column - 1 : self.end_column - 1]
        units = _WRITTEN.get(written[:1])
        if units is None:
            return list(range(len(written) + 1)) if written == self.value else None
        starts = [unit.start() + 1 for unit in units.finditer(written[1:-1])]
        return [*starts, len(written) - 1] if len(starts) == len(self.value) else None


class Sequence(Located):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, source: Source, place: tuple[int, int, int, int], items: list[Located]) -> None:
        super().__init__(source, place)
        self.items = items

    @property
    def plain(self) -> list[Any]:
        return [item.plain for item in self.items]

    @property
    def described(self) -> str:
        return "a list"


class Mapping(Located):
    """A mapping with string keys, in the order written. `partial` says that some of what is written was refused."""

    __slots__ = ("entries", "partial")

    def __init__(
        self, source: Source, place: tuple[int, int, int, int], entries: dict[str, tuple[Scalar, Located]]
    ) -> None:
        super().__init__(source, place)
        self.entries = entries
        self.partial = False

    def get(self, key: str) -> Located | None:
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def key(self, key: str) -> Scalar | None:
        entry = self.entries.get(key)
        return entry[0] if entry else None

    def items(self) -> Iterator[tuple[str, Scalar, Located]]:
        for name, (key, value) in self.entries.items():
            yield name, key, value

    def without(self, *keys: str) -> Mapping:
        """The mapping with these keys left out."""
        return self._of({name: entry for name, entry in self.entries.items() if name not in keys})

    def only(self, *keys: str) -> Mapping:
        """The mapping with these keys and no others."""
        return self._of({name: entry for name, entry in self.entries.items() if name in keys})

    def _of(self, entries: dict[str, tuple[Scalar, Located]]) -> Mapping:
        result = Mapping(self.source, self.place, entries)
        result.dynamic = self.dynamic
        return result

    @property
    def plain(self) -> dict[str, Any]:
        return {name: value.plain for name, (_, value) in self.entries.items()}

    @property
    def described(self) -> str:
        return "a mapping"


def describe(value: Any) -> str:
    """A value in a few words, for messages."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "…")
    if isinstance(value, (list, tuple)):
        return "a list" if len(str(value)) > 40 else str(list(value))
    if isinstance(value, dict):
        return "a mapping"
    return str(value) if not isinstance(value, int) or abs(value) < 10**40 else "a huge number"


def is_null(node: Located | None) -> bool:
    """Whether a value stands there and is null."""
    return isinstance(node, Scalar) and node.value is None


def long_form(main: str, content: Located) -> Mapping:
    """A plain value as a mapping with the one field that it sets."""
    result = Mapping(content.source, content.place, {main: (Scalar(content.source, content.place, main), content)})
    result.dynamic = content.dynamic
    return result


CHOICES = {
    "dataset": "data",
    "optimiser": "optimisers",
    "schedule": "schedules",
    "loss": "losses",
    "init": "initialisers",
    "bias_init": "initialisers",
}
"""Fields that hold one kind with its fields, and its family: another kind replaces it, the same kind merges."""

WHOLE = frozenset({"outputs"})
"""Mappings that are replaced as a whole."""


INPUT_KINDS = {"height": "image", "width": "image", "length": "signal", "features": "vector"}
"""Fields that say what an input is."""


def kind_of_input(node: Mapping) -> dict[str, Scalar]:
    """What the fields of an input say that it is, each with the first key that says so; more than one is a mistake."""
    kinds: dict[str, Scalar] = {}
    for name, key, _ in node.items():
        if name in INPUT_KINDS:
            kinds.setdefault(INPUT_KINDS[name], key)
    return kinds


def merged(base: Located, over: Located, within: str = "") -> Located:
    """`over` laid on `base`: mappings merge key by key, everything else is replaced.

    `within` is the key that both stand under.
    """
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    entries = dict(base.entries)
    for name, (key, value) in over.entries.items():
        below = entries.get(name)
        replaced = (
            below is None
            or name in WHOLE
            or (name in CHOICES and not _same_kind(below[1], value))
            or ((name == "input" or within == "inputs") and _other_input(below[1], value))
        )
        entries[name] = (key, value if replaced or below is None else merged(below[1], value, name))
    result = Mapping(over.source, over.place, entries)
    result.dynamic = base.dynamic or over.dynamic
    return result


def _other_input(a: Located, b: Located) -> bool:
    """Whether two inputs are of different kinds, so that one takes the place of the other."""
    if not (isinstance(a, Mapping) and isinstance(b, Mapping)):
        return True
    kinds = kind_of_input(a).keys(), kind_of_input(b).keys()
    return bool(kinds[0] and kinds[1]) and not kinds[0] & kinds[1]


def _same_kind(a: Located, b: Located) -> bool:
    return isinstance(a, Mapping) and isinstance(b, Mapping) and a.entries.keys() == b.entries.keys()


def locate(value: Any, source: Source, place: tuple[int, int, int, int] = (1, 1, 1, 2)) -> Located:
    """A plain Python value as if it stood at a place in a source."""
    if isinstance(value, (list, tuple)):
        return Sequence(source, place, [locate(item, source, place) for item in value])
    if isinstance(value, dict):
        entries = {str(k): (Scalar(source, place, str(k)), locate(v, source, place)) for k, v in value.items()}
        return Mapping(source, place, entries)
    return Scalar(source, place, value)
