"""Cases and choices as plain data, as files keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archspec.lowerings.case import Case
from archspec.lowerings.choosing import Choice


def case_to_plain(case: Case) -> dict[str, Any]:
    """A case by the names of its fields."""
    return case._asdict()


def case_of(plain: Any) -> Case:
    """The case that plain data say. Raises `ValueError` where they say none."""
    if not isinstance(plain, Mapping) or set(plain) != set(Case._fields):
        raise ValueError("no case")
    case = Case(**{name: _tuples(value) for name, value in plain.items()})
    numbers = (case.batch, case.channels, case.filters, case.groups)
    sides = (case.size, case.kernel, case.stride, case.dilation)
    if not all(type(number) is int and number > 0 for number in numbers):
        raise ValueError("no case")
    if not all(isinstance(own, tuple) and len(own) == len(case.size) for own in (*sides, case.padding)):
        raise ValueError("no case")
    if not all(type(number) is int for own in sides for number in own) or not isinstance(case.operation, str):
        raise ValueError("no case")
    return case


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def choices_to_plain(choices: Mapping[Case, Choice]) -> list[dict[str, Any]]:
    """Choices by case, in order."""
    return [{"case": case_to_plain(case), **choice._asdict()} for case, choice in choices.items()]


def choices_of(plain: Any) -> dict[Case, Choice]:
    """The choices that plain data say. Raises `ValueError` where they say none."""
    if not isinstance(plain, Iterable):
        raise ValueError("no choices")
    found = {}
    for item in plain:
        names = [item.get(name) for name in Choice._fields] if isinstance(item, Mapping) else [None]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("no choice")
        found[case_of(item.get("case"))] = Choice(*map(str, names))
    return found
