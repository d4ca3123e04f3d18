"""How a row of values is written where a template stands for several entries: as a literal, an argument, by a loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from archspec.rolling.formulas import Formula, Mixed, inner, numbered, progression, shown
from archspec.rolling.marks import SIZES


class _Any:
    """Stands for the value of an entry that is left out, which may be whatever."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()


class Inexpressible(Exception):  # noqa: N818 (a way of writing that is given up)
    """There is no expression for a row of values. `culprit` are the rounds or the block that had to do without."""

    culprit: object = None


class Environment(Protocol):
    """Gives one written value for a row: one value for each entry that the template stands for."""

    size: int

    def express(self, row: Sequence[Any], field: str) -> Any: ...

    def express_text(self, row: Sequence[str | None]) -> Any: ...


def constant(row: Sequence[Any]) -> tuple[bool, Any]:
    """Whether all values of a row are one, and that value."""
    first: Any = ANY
    for value in row:
        if value is ANY:
            continue
        if first is ANY:
            first = value
        elif value != first or type(value) is not type(first):
            return False, None
    return True, None if first is ANY else first


class Document:
    """The top level: one of everything. `lists` are the file's arguments, by name."""

    size = 1

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}

    def express(self, row: Sequence[Any], field: str) -> Any:
        return row[0]

    def express_text(self, row: Sequence[str | None]) -> Any:
        return row[0]

    def listed(self, values: list[Any], field: str) -> str:
        """The name of an argument with these values."""
        base = PLURALS.get(field, f"{field}s")
        for name in (base, *(f"{base}{number}" for number in range(2, 100))):
            if self.arguments.setdefault(name, values) == values:
                return name
        raise Inexpressible(f"{values}")


PLURALS = {"times": "depths", "filters": "widths", "units": "widths", "channels": "widths"}
"""What lists of a field's values are called where the field and an s would be odd."""


class Argument:
    """An argument of a block: what it is for, and its values call by call."""

    def __init__(self, number: int, field: str, label: str, row: list[Any]) -> None:
        self.number = number
        self.field = field
        self.label = label
        self.row = row
        self.used: set[int] = set()
        """The calls in which it is of use: not where what takes it is left out."""
        self.name = ""
        self.text = f"\x01{number}\x02"

    @property
    def usual(self) -> Any:
        """The value that most calls give it."""
        counted = Counter(map(_hashable, self.row))
        return self.row[list(map(_hashable, self.row)).index(counted.most_common(1)[0][0])]


def _hashable(value: Any) -> Any:
    return (type(value).__name__, tuple(value) if isinstance(value, list) else value)


class Body:
    """The body of a block: rows have a value for each of its calls. `known` are rows that have a name already."""

    def __init__(self, size: int, known: dict[str, list[Any]]) -> None:
        self.size = size
        self.arguments: list[Argument] = []
        self.known = known
        self.made: list[tuple[str, list[Any]]] = []
        """Sizes that were made of others, by their expressions."""
        self.label = ""
        """The branch that is written, by its number in each structure around it."""
        self.whose = ""
        """What an argument is called that says when the entry that is written is there."""

    def express(self, row: Sequence[Any], field: str) -> Any:
        same, value = constant(row)
        if same:
            return value
        if any(isinstance(value, (dict, type(None))) for value in row):
            raise Inexpressible(f"{row}")
        size = field in SIZES
        rows = [(a.text, a.row) for a in self.arguments if a.field == field or (size and a.field in SIZES)]
        rows += [*self.known.items(), *self.made] if size else ()
        for text, known in rows:
            if _agree(row, known):
                self._use(text, row)
                return Formula(text)
        if field == "when":
            found = self._condition(row)
            if found is not None:
                self._use(found, row)
                return Formula(found)
        elif size and all(type(value) is int or value is ANY for value in row):
            for text, known in rows:
                found = _multiple(row, known, text)
                if found is not None:
                    return self._kept(found, row)
            found = self._expanded(row)
            if found is not None:
                return self._kept(found, row)
        usual = Counter(_hashable(value) for value in row if value is not ANY).most_common(1)[0][0]
        filler = next(value for value in row if value is not ANY and _hashable(value) == usual)
        full = [filler if value is ANY else value for value in row]
        label = self.whose if field == "when" else self.label
        argument = Argument(len(self.arguments), field, label, full)
        self.arguments.append(argument)
        self._use(argument.text, row)
        return Formula(argument.text)

    def _use(self, text: str, row: Sequence[Any]) -> None:
        """Notes the calls in which an argument is of use."""
        for argument in self.arguments:
            if argument.text in text:
                argument.used.update(place for place, value in enumerate(row) if value is not ANY)

    def _kept(self, text: str, row: Sequence[Any]) -> Formula:
        """An expression, which later rows of the same sizes take too."""
        self.made.append((text, list(row)))
        self._use(text, row)
        return Formula(text)

    def _expanded(self, row: Sequence[Any]) -> str | None:
        """Sizes as multiples of the input's channels, by an argument, where that says more than the sizes do."""
        channels = self.known.get("input.channels")
        pairs = [(value, of) for value, of in zip(row, channels or (), strict=False) if value is not ANY]
        if not pairs or any(value % of or value <= of for value, of in pairs):
            return None
        ratios = [value // of for value, of in pairs]
        if len(set(ratios)) * 2 > len({value for value, _ in pairs}):
            return None
        usual = Counter(ratios).most_common(1)[0][0]
        full = [usual if value is ANY else value // of for value, of in zip(row, channels or (), strict=True)]
        argument = Argument(len(self.arguments), "factor", "factor", full)
        self.arguments.append(argument)
        return f"{argument.text} * input.channels"

    def _condition(self, row: Sequence[Any]) -> str | None:
        """A usual condition that gives a row of true and false."""
        strides = [(a.text, a.row) for a in self.arguments if a.field == "stride"]
        filters = [(a.text, a.row) for a in self.arguments if a.field in ("filters", "units")]
        channels = self.known.get("input.channels")
        tests: list[tuple[str, list[bool]]] = []
        for text, known in strides:
            tests.append((f"{text} == 1", [value == 1 for value in known]))
        for text, known in filters if channels is not None else ():
            tests.append((f"{text} == input.channels", [a == b for a, b in zip(known, channels or (), strict=True)]))
        for text, given in tests:
            if _agree(row, given):
                return text
            if _agree(row, [not value for value in given]):
                return text.replace(" == ", " != ")
        for one, first in tests[: len(strides)]:
            for other, second in tests[len(strides) :]:
                both = [a and b for a, b in zip(first, second, strict=True)]
                if _agree(row, both):
                    return f"{one} and {other}"
                if _agree(row, [not value for value in both]):
                    return f"{one.replace(' == ', ' != ')} or {other.replace(' == ', ' != ')}"
        return None

    def express_text(self, row: Sequence[str | None]) -> Any:
        same, value = constant(row)
        if not same:
            raise Inexpressible(f"{row}")
        return value


def _agree(row: Sequence[Any], known: Sequence[Any]) -> bool:
    return all(
        value is ANY or (value == other and type(value) is type(other)) for value, other in zip(row, known, strict=True)
    )


def _multiple(row: Sequence[Any], known: Sequence[Any], text: str) -> str | None:
    """Numbers as others times a whole number, or divided by one."""
    pairs = [(value, other) for value, other in zip(row, known, strict=True) if value is not ANY]
    if not pairs or not all(type(other) is int and other > 0 and value > 0 for value, other in pairs):
        return None
    value, other = pairs[0]
    if value % other == 0 and all(v == o * (value // other) for v, o in pairs):
        return f"{value // other} * {text}"
    if other % value == 0 and all(o == v * (other // value) for v, o in pairs):
        return f"{text} // {other // value}"
    return None


class Staged:
    """A loop whose rounds are alike but for the first: rows have two values, of the first and of the others."""

    def __init__(self, around: Environment, variable: str) -> None:
        self.around = around
        self.variable = variable
        self.size = 2 * around.size

    def express(self, row: Sequence[Any], field: str) -> Any:
        firsts, others = list(row[0::2]), list(row[1::2])
        if all(one is ANY or other is ANY or _same(one, other) for one, other in zip(firsts, others, strict=True)):
            merged = [other if one is ANY else one for one, other in zip(firsts, others, strict=True)]
            return self.around.express(merged, field)
        if any(isinstance(value, (dict, type(None))) for value in row):
            raise Inexpressible(f"{row}")
        same, usual = constant(others)
        if isinstance(self.around, Counted) and same and len(firsts) > 2 and firsts[0] == usual:
            later, value = constant(firsts[1:])
            if later:
                return Formula(
                    f"{shown(value)} if {self.variable} == 0 and {self.around.variable} > 0 else {shown(usual)}"
                )
        first, other = inner(self.around.express(firsts, field)), inner(self.around.express(others, field))
        if (first, other) in (("true", "false"), ("false", "true")):
            return Formula(f"{self.variable} {'==' if first == 'true' else '>'} 0")
        return Formula(f"{first} if {self.variable} == 0 else {other}")

    def express_text(self, row: Sequence[str | None]) -> Any:
        if list(row[0::2]) != list(row[1::2]):
            raise Inexpressible(f"{row}")
        return self.around.express_text(row[0::2])


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and type(one) is type(other)


class Counted:
    """A loop of so many rounds: rows have a value for each round."""

    def __init__(self, around: Environment, variable: str, rounds: int) -> None:
        self.around = around
        self.variable = variable
        self.rounds = rounds
        self.size = rounds * around.size

    def express(self, row: Sequence[Any], field: str) -> Any:
        parts = [list(row[at : at + self.rounds]) for at in range(0, len(row), self.rounds)]
        if all(constant(part)[0] for part in parts):
            return self.around.express(
                [constant(part)[1] if any(v is not ANY for v in part) else ANY for part in parts], field
            )
        if any(part != parts[0] for part in parts):
            whole = self.around.express(parts, f"{field}_list")
            return Formula(f"{inner(whole)}[{self.variable}]")
        part = parts[0]
        if any(isinstance(value, float) for value in part) and ANY in part:
            found = progression([None if value is ANY else value for value in part], self.variable)
            if found is not None:
                return Formula(found)
        if ANY in part:
            known = next(value for value in part if value is not ANY)
            part = [known if value is ANY else value for value in part]
        if any(isinstance(value, (dict, type(None))) for value in part):
            raise Inexpressible(f"{row}")
        found = progression(part, self.variable)
        if found is not None:
            return Formula(found)
        if isinstance(self.around, Document):
            return Formula(f"{self.around.listed(part, field)}[{self.variable}]")
        return Formula(f"{shown(part)}[{self.variable}]")

    def express_text(self, row: Sequence[str | None]) -> Any:
        parts = [list(row[at : at + self.rounds]) for at in range(0, len(row), self.rounds)]
        if all(constant(part)[0] for part in parts):
            return self.around.express_text([part[0] for part in parts])
        if any(part != parts[0] for part in parts) or None in parts[0]:
            raise Inexpressible(f"{row}")
        texts = [text for text in parts[0] if text is not None]
        found = numbered(texts, self.variable)
        if found is not None:
            return Mixed(found)
        return Formula(f"{shown(texts)}[{self.variable}]")
