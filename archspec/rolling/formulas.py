"""Rows of values as expressions of a loop variable, as a person would write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any


class Formula(str):
    """The text between `$(` and `)`."""

    __slots__ = ()


NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)\Z", re.DOTALL)


def progression(values: Sequence[Any], variable: str = "i") -> str | None:
    """An expression that gives these values for 0, 1, 2, …; None where none of the usual ones does."""
    if any(isinstance(value, (list, tuple)) for value in values):
        return None
    if any(isinstance(value, float) for value in values) and len(set(values)) > 2:
        return _shares(tuple(values), variable)
    if None in values:
        return None
    first, second, last = values[0], values[1] if len(values) > 1 else values[0], values[-1]
    if all(isinstance(value, bool) for value in values):
        if not any(values[1:]) and first:
            return f"{variable} == 0"
        if all(values[1:]) and not first:
            return f"{variable} > 0"
        if all(values[:-1]) and not last:
            return f"{variable} < {len(values) - 1}"
        if not any(values[:-1]) and last:
            return f"{variable} == {len(values) - 1}"
        return None
    whole = all(type(value) is int for value in values)
    if whole and len(values) > 2:
        found = _geometric(values, variable) or _arithmetic(values, variable)
        if found is not None:
            return found
    if len(values) > 2 and len(set(values[1:])) == 1 and _is_simple(first) and _is_simple(second):
        return f"{_shown(first)} if {variable} == 0 else {_shown(second)}"
    if len(values) > 2 and len(set(values[:-1])) == 1 and _is_simple(first) and _is_simple(last):
        return f"{_shown(first)} if {variable} < {len(values) - 1} else {_shown(last)}"
    if whole and len(values) > 3:
        least, most = min(values), max(values)
        for cut, word in ((most, "min"), (least, "max")):
            free = [value for value in values if value != cut]
            if len(free) < len(values) - 1 and len(free) > 1 and list(values[: len(free)]) == free:
                found = _geometric([*free, cut], variable) if len(free) > 1 else None
                if found is not None:
                    return f"{word}({found}, {cut})"
    return None


WHOLES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.8)
"""Rates of which layers have growing shares."""

MOST = 100
"""Shares that a rate is divided into."""


@cache
def _shares(values: tuple[float | None, ...], variable: str) -> str | None:
    """Rates that grow from layer to layer, as those of stochastic depth; None stands for whatever it is."""
    start = next(place for place, value in enumerate(values) if value is not None)
    first = values[start]
    for whole in WHOLES if first is not None and first > 0 else ():
        for number in range(1, MOST + 1):
            begin = round((first or 0) * number / whole) - start
            given = [whole * (begin + n) / number for n in range(len(values))]
            if begin >= 0 and all(value in (None, own) for value, own in zip(values, given, strict=True)):
                share = f"({variable} + {begin})" if begin else variable
                return f"{whole} * {share} / {number}"
    return None


def _geometric(values: Sequence[int], variable: str) -> str | None:
    first, second = values[0], values[1]
    if min(values) < 1:
        return None
    if second > first and second % first == 0:
        ratio = second // first
        if all(value == first * ratio**n for n, value in enumerate(values)):
            return f"{ratio} ** {variable}" if first == 1 else f"{first} * {ratio} ** {variable}"
    if second < first and first % second == 0:
        ratio = first // second
        if all(value * ratio**n == first for n, value in enumerate(values)):
            return f"{first} // {ratio} ** {variable}"
    return None


def _arithmetic(values: Sequence[int], variable: str) -> str | None:
    first, step = values[0], values[1] - values[0]
    if not step or any(value != first + step * n for n, value in enumerate(values)):
        return None
    times = variable if abs(step) == 1 else f"{abs(step)} * {variable}"
    if step < 0:
        return f"{first} - {times}"
    return f"{times} + {first}" if first and abs(step) == 1 else f"{first} + {times}" if first else times


def _is_simple(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and "'" not in value and "\\" not in value)


def _shown(value: Any) -> str:
    """A value within an expression."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    return f"'{value}'" if isinstance(value, str) else repr(value)


shown = _shown


def numbered(texts: Sequence[str], variable: str) -> str | None:
    """Texts that differ in one number as a text with `$(…)` in it."""
    parts = [NUMBERED.match(text) for text in texts]
    found = [part.groups() for part in parts if part is not None]
    if len(found) < len(texts):
        return None
    heads, numbers, tails = zip(*found, strict=True)
    if len(set(heads)) > 1 or len(set(tails)) > 1 or any(str(int(number)) != number for number in numbers):
        return None
    if len(numbers) == 2:
        low, high = map(int, numbers)
        formula = _arithmetic([low, high], variable)
    else:
        formula = progression([int(number) for number in numbers], variable)
    return None if formula is None else f"{heads[0]}$({formula}){tails[0]}"


class Mixed(str):
    """Text with `$(…)` in it."""

    __slots__ = ()


def inner(value: Any) -> str:
    """A written value within another expression."""
    if isinstance(value, Mixed):
        raise TypeError("a text with expressions is none itself")
    if not isinstance(value, Formula):
        return _shown(value)
    return f"({value})" if " if " in value or " or " in value or " and " in value else str(value)
