"""What a sweep tries: axes with values or ranges, and the combinations of a grid or of a random draw."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import exp, log, prod
from random import Random
from typing import Any, NamedTuple

from archspec.diagnostics import DataError, Findings
from archspec.located import CHOICES, Located
from archspec.located import Mapping as LocatedMapping
from archspec.runs.changes import shown
from archspec.spec.overrides import Override, parse_override, python_override

DIGITS = 4
"""Significant digits of a number that is drawn from a range: more tell nothing, and fewer are easily written down."""


class Range(NamedTuple):
    """Numbers between two bounds, both included: whole ones alike, others by their logarithm where both are above 0."""

    low: float
    high: float
    whole: bool

    @property
    def logarithmic(self) -> bool:
        return not self.whole and self.low > 0

    @property
    def said(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    def drawn(self, share: float) -> float:
        """The number at a share of the range, from 0 to 1."""
        if self.whole:
            return min(int(self.low) + int(share * (int(self.high) - int(self.low) + 1)), int(self.high))
        if self.logarithmic:
            value = exp(log(self.low) + share * (log(self.high) - log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


class Value(NamedTuple):
    """A value of an axis: what it sets, and how it is said."""

    override: Override
    said: str

    @property
    def plain(self) -> Any:
        return self.override.value.plain


class Axis(NamedTuple):
    """A setting with what is tried of it: values, or a range."""

    path: str
    values: tuple[Value, ...] = ()
    range: Range | None = None

    def value(self, plain: Any) -> Value:
        """A number of the range as a value, or a value of the axis by its place."""
        if self.range is None:
            return self.values[int(plain)]
        text = f"{plain:d}" if self.range.whole else f"{plain:.{DIGITS}g}"
        return _value(self.path, text)


class Combination(NamedTuple):
    """A value of each axis."""

    values: tuple[Value, ...]

    @property
    def overrides(self) -> list[Override]:
        return [value.override for value in self.values]

    @property
    def settings(self) -> dict[str, Any]:
        """The values by the paths of their axes."""
        return {".".join(value.override.path): value.plain for value in self.values}

    @property
    def said(self) -> str:
        """`learning_rate=0.1 depth=20`, each by the end of its path."""
        return " ".join(f"{value.override.path[-1]}={value.said}" for value in self.values)


class Space(NamedTuple):
    """The axes, in the order in which they were given, what is set alike in all trials, and what is to be said."""

    axes: tuple[Axis, ...]
    fixed: tuple[Override, ...]
    notes: tuple[str, ...]

    @property
    def size(self) -> int | None:
        """How many combinations there are; None where an axis is a range."""
        return None if any(axis.range for axis in self.axes) else prod(len(axis.values) for axis in self.axes)

    def grid(self) -> Iterator[Combination]:
        """All combinations; the last axis changes first."""
        return (Combination(values) for values in product(*(axis.values for axis in self.axes)))

    def draws(self, seed: int) -> Iterator[Combination]:
        """Random combinations without end; number i depends on (seed, i) alone."""
        number = 0
        while True:
            random = Random(f"archspec {seed} {number}")
            yield Combination(tuple(_drawn(axis, random.random()) for axis in self.axes))
            number += 1

    def edges(self) -> Iterator[Combination]:
        """All combinations of values and of the bounds of ranges."""

        def ends(axis: Axis) -> tuple[Value, ...]:
            return axis.values if axis.range is None else (axis.value(axis.range.low), axis.value(axis.range.high))

        axes = [
            ends(axis._replace(range=Range(int(axis.range.low), int(axis.range.high), True)))
            if axis.range is not None and axis.range.whole
            else ends(axis)
            for axis in self.axes
        ]
        return (Combination(values) for values in product(*axes))


def _drawn(axis: Axis, share: float) -> Value:
    if axis.range is None:
        return axis.values[min(int(share * len(axis.values)), len(axis.values) - 1)]
    return axis.value(axis.range.drawn(share))


def parse_space(texts: Sequence[str]) -> Space:
    """The space of `--set path=value` options: several values with commas between them, or `low..high`, are an axis.

    Commas inside brackets and quotes belong to a value. Raises `SpecError` with all that is wrong.
    """
    findings = Findings()
    axes: dict[str, Axis] = {}
    fixed: list[Override] = []
    notes: list[str] = []
    for text in texts:
        path, equals, written = text.partition("=")
        path = path.strip()
        parts = split(written)
        range = _range(written)
        if not equals or (len(parts) == 1 and range is None):
            override = parse_override(text, findings)
            fixed += [override] if override is not None else []
            continue
        if path in axes:
            findings.error("E113", f"--set gives `{path[:60]}` twice", help=["all values in one --set, with commas"])
            continue
        if range is not None:
            if range.low >= range.high:
                findings.error("E113", f"--set {path}={written}: a range goes up, from its lower end to its higher one")
                continue
            axes[path] = Axis(path, range=range)
            continue
        values: dict[str, Value] = {}
        for part in parts:
            override = parse_override(f"{path}={part}", findings)
            if override is not None:
                brackets = isinstance(override.value.plain, (dict, list))
                value = Value(override, part.strip() if brackets else shown(override.value.plain))
                key = f"{type(value.plain).__name__} {value.plain!r}"
                if key in values:
                    notes.append(f"{path}={value.said} is given twice, and tried once")
                values.setdefault(key, value)
        axes[path] = Axis(path, tuple(values.values()))
    findings.raise_if_failed()
    return Space(tuple(axes.values()), tuple(fixed), tuple(notes))


def python_space(settings: Mapping[str, Any]) -> Space:
    """The space of values from Python: a list or a tuple is an axis, and so is a text with commas or `..`.

    Raises `SpecError`.
    """
    axes: list[Axis] = []
    fixed: list[Override] = []
    notes: list[str] = []
    for path, given in settings.items():
        if isinstance(given, str):
            space = parse_space([f"{path}={given}"])
            axes += space.axes
            fixed += space.fixed
            notes += space.notes
            continue
        values: dict[str, Value] = {}
        for item in given if isinstance(given, (list, tuple)) else [given]:
            override = python_override(tuple(path.split(".")), item)
            values.setdefault(f"{type(item).__name__} {item!r}", Value(override, shown(item)))
        if isinstance(given, (list, tuple)):
            if not values:
                raise DataError("E113", f"`{path[:60]}` has no values to try").located(None)
            if len(values) < len(given):
                notes.append(f"values of {path} that are given twice are tried once")
            axes.append(Axis(path, tuple(values.values())))
        else:
            fixed += [value.override for value in values.values()]
    return Space(tuple(axes), tuple(fixed), tuple(notes))


def split(text: str) -> list[str]:
    """A text at its commas, but for those inside brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and not text[start:at].strip():
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth <= 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


_RANGE = re.compile(
    r"\s*([-+]?[0-9.]*[0-9](?:[eE][-+]?[0-9]+)?)\s*\.\.\s*([-+]?\.?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?)\s*"
)


def _range(text: str) -> Range | None:
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    try:
        low, high = float(match[1]), float(match[2])
    except ValueError:
        return None
    return Range(low, high, all(re.fullmatch(r"[-+]?[0-9]+", own) for own in match.groups()))


def _value(path: str, text: str) -> Value:
    override = parse_override(f"{path}={text}", Findings())
    assert override is not None
    return Value(override, shown(override.value.plain))


def undone(overrides: Sequence[Override]) -> str | None:
    """In words, which override is without effect, since a later one takes the place of what it sets; None if none is.

    A path below another kind of optimiser, schedule, loss or dataset replaces the kind that was chosen before, and a
    value of a whole section what was set in it.
    """
    for at, one in enumerate(overrides):
        for other in overrides[at + 1 :]:
            first, second = one.path, other.path
            if first == second:
                return f"{_said(one)} is undone by {_said(other)}"
            if len(second) < len(first) and first[: len(second)] == second:
                return f"{_said(one)} is undone by {_said(other)}, which sets all of `{'.'.join(second)}`"
            shared = 0
            while shared < min(len(first), len(second)) and first[shared] == second[shared]:
                shared += 1
            if not shared or first[shared - 1] not in CHOICES or len(second) <= shared:
                continue
            kind = first[shared] if len(first) > shared else _kind(one.value)
            if kind is not None and kind != second[shared]:
                return f"{_said(one)} is undone by {_said(other)}, which chooses {second[shared]}"
    return None


def _said(override: Override) -> str:
    return f"{'.'.join(override.path)}={shown(override.value.plain)}"


def _kind(value: Located) -> str | None:
    if isinstance(value, LocatedMapping):
        return next(iter(value.entries), None)
    return value.plain if isinstance(value.plain, str) else None


def no_range(space: Space, search: str) -> None:
    """Raises `SpecError` where a search takes values alone."""
    axis = next((axis for axis in space.axes if axis.range is not None), None)
    if axis is not None and axis.range is not None:
        raise DataError(
            "E113",
            f"{axis.path}={axis.range.said} is a range, of which a {search} cannot try all values",
            help=[f"give values: --set {axis.path}=…,…", "or --search random --trials N, which draws from it"],
        ).located(None)
