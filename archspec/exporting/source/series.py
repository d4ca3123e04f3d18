"""Rows of steps one after the other: a list of blocks, or layers with numbered names, folded to one step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from archspec.exporting.source.scopes import Ref, Step, Use

_NUMBERED = re.compile(r"(.*?)(\d+)\Z")
FEWEST = 3
"""Steps with numbered names that are written as a loop."""


def fold(use: Use, shape: Callable[[Step], Any], is_module: Callable[[Step], bool]) -> None:
    """Folds the rows in a scope's steps, whose numbers change; rows of modules alone."""
    steps: list[Step] = []
    refs: dict[int, int] = {-1: -1}
    place = 0
    while place < len(use.steps):
        length = _length(use, place, shape)
        length = length if all(map(is_module, use.steps[place : place + length])) else 0
        step = use.steps[place]
        if length:
            last = use.steps[place + length - 1]
            items = use.steps[place : place + length]
            stem, number = _split(step.path[-1])
            step = Step((*step.path[:-1], f"{stem}*"), step.inputs, last.gives, types=last.types)
            step.items, step.start = items, number
        for number in range(place, place + max(length, 1)):
            refs[number] = len(steps)
        steps.append(step)
        place += max(length, 1)
    if len(steps) == len(use.steps):
        return
    for step in steps:
        step.inputs = tuple(Ref(refs[ref.step], ref.place) for ref in step.inputs)
        step.again = None if step.again is None else refs[step.again]
    use.steps = steps
    use.outputs = tuple(Ref(refs[ref.step], ref.place) for ref in use.outputs)


def _split(name: str) -> tuple[str, int]:
    found = _NUMBERED.match(name)
    return (found[1], int(found[2])) if found else (name, 0)


def _length(use: Use, place: int, shape: Callable[[Step], Any]) -> int:
    """Steps of the row that begins at a place; 0 where none does."""
    first = use.steps[place]
    if first.items or len(first.inputs) != 1:
        return 0
    is_list = len(first.path) > 1 and first.path[-1].isdigit()
    stem, start = _split(first.path[-1])
    if not is_list and (not stem or first.scope is None or not _NUMBERED.match(first.path[-1])):
        return 0
    if is_list and start:
        return 0
    length = 0
    for number, step in enumerate(use.steps[place:]):
        follows = number == 0 or step.inputs == (Ref(place + number - 1),)
        named = step.path == (*first.path[:-1], f"{stem}{start + number}")
        alike = is_list or shape(step) == shape(first)
        if not (follows and named and alike) or step.again is not None or len(step.gives) != 1:
            break
        length += 1
        if _takers(use, place + number) != 1:
            break
    if is_list:
        # The whole list, or none of it.
        size = sum(step.path[: len(first.path) - 1] == first.path[:-1] for step in use.steps)
        return length if length == size and length > 1 else 0
    return length if length >= FEWEST else 0


def _takers(use: Use, number: int) -> int:
    """How often what a step gives is taken."""
    taken = sum(ref.step == number for step in use.steps for ref in step.inputs)
    again = any(step.again == number for step in use.steps)
    return taken + sum(ref.step == number for ref in use.outputs) + 2 * again
