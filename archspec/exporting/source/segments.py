"""What a series is made of: stretches of things that are made alike, with numbers that stay or grow evenly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from archspec.exporting.source.classes import Argument, Call, Class, Expression, Form, Segment
from archspec.exporting.source.parameters import MISSING, Finder, Values, place_of
from archspec.exporting.source.scopes import Step

_DIGITS = 15
"""Decimals of numbers that grow evenly, such as rates of dropout."""


class _Made(NamedTuple):
    """A thing of a series: what it is made as, alike for all that differ in numbers alone, and its arguments."""

    shape: Any
    arguments: list[Argument]
    form: Form | None
    of: Class | None


def segments(call: Call, rows: list[list[Step]], forms: Mapping[str, Form], finder: Finder) -> list[Segment]:
    """The stretches of a series, of which each use has a row of steps, or none."""
    made = [[_made(step, forms) for step in row] for row in rows]
    if len(made) == 1:
        return [_segment(call, [run], first, finder) for first, run in _runs(made[0])]
    if len({str(item.shape) for row in made for item in row}) > 1:
        length = max(map(len, made))
        return [_segment(call, [row[place : place + 1] for row in made], place, finder) for place in range(length)]
    if all(map(_is_regular, made)):
        return [_segment(call, made, 0, finder)]
    first, rest = [row[:1] for row in made], [row[1:] for row in made]
    lengths = {len(row) for row in made if row}
    if len(lengths) == 1 and not all(map(_is_regular, rest)):
        return [
            _segment(call, [row[place : place + 1] for row in made], place, finder) for place in range(max(lengths))
        ]
    return [_segment(call, first, 0, finder), _segment(call, rest, 1, finder)]


def _made(step: Step, forms: Mapping[str, Form]) -> _Made:
    if step.node is not None:
        form = forms[step.node.path]
        return _Made(form.shape, list(form.arguments), form, None)
    assert step.scope is not None
    of: Class = step.scope.of
    place = place_of(step, of)
    given = [Argument(item.name, item.values[place], item.name, item.sort, item.default) for item in of.parameters]
    return _Made(id(of), given, None, of)


def _runs(row: list[_Made]) -> Iterator[tuple[int, list[_Made]]]:
    """Stretches that are made alike, or of three or more with numbers that grow evenly; and where they begin."""
    first = 0
    while first < len(row):
        end = first + 1
        while end < len(row) and _is_regular(row[first : end + 1]):
            end += 1
        if end - first == 2 and _differing(row[first:end]):
            end = first + 1
        yield first, row[first:end]
        first = end


def _differing(row: list[_Made]) -> list[int]:
    """The numbers of arguments that are not the same in a stretch."""
    first = row[0].arguments if row else []
    return [
        place
        for place, argument in enumerate(first)
        if any(item.arguments[place].value != argument.value for item in row)
    ]


def _is_regular(row: list[_Made]) -> bool:
    """Whether a stretch is of one shape, and its arguments stay or grow evenly."""
    return all(item.shape == row[0].shape for item in row) and all(
        _growth([item.arguments[place].value for item in row]) is not None for place in _differing(row)
    )


def _growth(values: Values) -> int | float | None:
    """By how much numbers grow evenly; None where they do not."""
    if all(type(value) is float for value in values):
        growth = round((values[-1] - values[0]) / (len(values) - 1), _DIGITS) if len(values) > 1 else 0.0
        even = (abs(values[0] + growth * place - value) < 1e-12 for place, value in enumerate(values))
        return growth if all(even) else None
    if not all(type(value) is int for value in values):
        return None
    steps = {after - before for before, after in pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def _segment(call: Call, rows: list[list[_Made]], first: int, finder: Finder) -> Segment:
    """A stretch of each use's series, whose things count from `first`."""
    known = next(row for row in rows if row)[0]
    arguments: dict[str, Expression] = {}
    for place, argument in enumerate(known.arguments):
        values = [[item.arguments[place].value for item in row] for row in rows]
        arguments[argument.name or str(place)] = _argument(argument, values, first, finder, call)
    lengths = [len(row) or MISSING for row in rows]
    wanted = Argument("", None, "depth", "count")
    if first and len(rows) > 1 and len(set(map(len, rows))) > 1:
        whole = [length if length is MISSING else length + first for length in lengths]
        count = finder.found(wanted, whole, call)
        count = Expression(f"{count.text} - {first}")
    else:
        count = finder.found(wanted, lengths, call)
    return Segment(count, arguments, known.form, known.of, first)


def _plain(value: float) -> float:
    return round(value, _DIGITS) if isinstance(value, float) else value


def _argument(argument: Argument, values: list[Values], first: int, finder: Finder, call: Call) -> Expression:
    """What stands for an argument's values, a row of them for each use."""
    starts = [own[0] if own else MISSING for own in values]
    if all(len(set(map(repr, own))) <= 1 for own in values):
        return finder.found(argument, starts, call)
    growths: Values = [_growth(own) if len(own) > 1 else MISSING for own in values]
    if None in growths:
        rows = [tuple(own) if own else MISSING for own in values]
        text = finder.found(Argument("", None, f"{argument.said}s", "row"), rows, call).text
        return Expression(f"{text}[i - {first}]" if first else f"{text}[i]", counts=True)
    before = [
        start if start is MISSING or growth is MISSING else _plain(start - first * growth)
        for start, growth in zip(starts, growths, strict=True)
    ]
    start = finder.found(argument, before, call).text
    growth = finder.found(Argument("", None, "growth", "channels"), growths, call).text
    grown = "i" if growth == "1" else f"{growth} * i"
    return Expression(grown if start in ("0", "0.0") else f"{start} + {grown}", counts=True)
