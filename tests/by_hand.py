"""Which cases of a slow test `make test-slow` has, and which are run by hand: those that take long and find little."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def by_hand(cases: Iterable[Any], which: Collection[str]) -> list[Any]:
    """Parameters of a slow test; those that are called so are among the ones that take minutes."""
    made = [case if hasattr(case, "marks") else pytest.param(case, id=str(case)) for case in cases]
    lost = set(which) - {case.id for case in made}
    if lost:
        raise ValueError(f"there are no cases {', '.join(sorted(lost))}")
    return [_minutes(case) if case.id in which else case for case in made]


def first_of_each(cases: Iterable[Any]) -> list[Any]:
    """Parameters of a slow test: the first case of each kind, its first value; the others take minutes together."""
    seen: set[Any] = set()
    made = []
    for case in cases:
        made.append(_minutes(case) if case.values[0] in seen else case)
        seen.add(case.values[0])
    return made


def every_third(cases: Iterable[Any]) -> list[Any]:
    """Parameters of which some are slow: of three of these the first stays, and the others take minutes together."""
    made, slow = [], 0
    for case in cases:
        marks = {mark.name for mark in case.marks}
        is_slow = "slow" in marks and "minutes" not in marks
        made.append(_minutes(case) if is_slow and slow % 3 else case)
        slow += is_slow
    return made


def _minutes(case: Any) -> Any:
    return pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.minutes])
