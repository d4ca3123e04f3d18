"""Which scopes are uses of one class: those of one kind that do the same steps, but for numbers and steps left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.exporting.source.classes import Call, Class, Form
from archspec.exporting.source.scopes import Ref, Step, Use
from archspec.exporting.source.series import fold
from archspec.graph import Graph

Steps = tuple[tuple[Any, ...], ...]


def grouped(graph: Graph, network: Use, forms: Mapping[str, Form]) -> list[Class]:
    """The classes, each behind those that it is made of, the network's last."""
    uses: dict[str, list[Use]] = {}
    for use in network.walk():
        uses.setdefault(use.kind, []).append(use)
    classes: list[Class] = []
    for kind in _ordered(uses):
        for own in _of_kind(kind, uses[kind], forms):
            classes.append(own)
            for use in own.uses:
                use.of = own
    ordered: dict[int, Class] = {}
    _behind(network.of, ordered)
    for own in ordered.values():
        _types(own)
    return list(ordered.values())


def _behind(own: Class, ordered: dict[int, Class]) -> None:
    steps = (item for use in own.uses for step in use.steps if step.again is None for item in step.items or [step])
    for other in [step.scope.of for step in steps if step.scope is not None]:
        if id(other) not in ordered:
            _behind(other, ordered)
    ordered[id(own)] = own


def _ordered(uses: Mapping[str, list[Use]]) -> Iterator[str]:
    """Kinds of scopes, each behind those that are found inside it."""
    inside = {
        kind: {step.scope.kind for use in own for step in use.steps if step.scope is not None} - {kind}
        for kind, own in uses.items()
    }
    waiting = list(uses)
    done: set[str] = set()
    while waiting:
        kind = next((kind for kind in waiting if inside[kind] <= done), waiting[0])
        waiting.remove(kind)
        done.add(kind)
        yield kind


@dataclass
class _Group:
    """Uses that do exactly the same steps."""

    steps: Steps
    outputs: tuple[Ref, ...]
    takes: int
    uses: list[Use] = field(default_factory=list)


def _of_kind(kind: str, uses: list[Use], forms: Mapping[str, Form]) -> list[Class]:
    groups: dict[Any, _Group] = {}

    def shape(step: Step) -> Any:
        if step.items:
            shapes = tuple(map(shape, step.items))
            return (step.start, shapes[0]) if len(set(shapes)) == 1 else shapes
        if step.node is not None:
            return forms[step.node.path].shape
        return id(step.scope.of) if step.scope is not None else 0

    def is_module(step: Step) -> bool:
        if step.node is not None:
            form = forms[step.node.path]
            return bool(form.make or form.module)
        return step.scope is not None and step.scope.of.has_modules

    for use in uses:
        fold(use, shape, is_module)
        steps = tuple(
            (step.path, shape(step), step.inputs, tuple(indices for _, indices in step.gives), step.again)
            for step in use.steps
        )
        key = (steps, use.outputs, len(use.takes))
        groups.setdefault(key, _Group(steps, use.outputs, len(use.takes))).uses.append(use)
    classes: list[Class] = []
    bases: list[_Group] = []
    for group in sorted(groups.values(), key=lambda group: -len(group.steps)):
        for own, base in zip(classes, bases, strict=True) if not kind.endswith("branch") else ():
            fitted = _fitted(base, group)
            if fitted is not None and _agrees(own, fitted):
                rows, fallbacks = fitted
                for step, places in fallbacks.items():
                    own.calls[step].otherwise.update(places)
                own.uses += group.uses
                own.rows += [rows] * len(group.uses)
                break
        else:
            bases.append(group)
            classes.append(_made(kind, group, forms))
    return classes


def _made(kind: str, group: _Group, forms: Mapping[str, Form]) -> Class:
    calls = []
    for step in group.uses[0].steps:
        form = forms[step.node.path] if step.node is not None and not step.items else None
        call = Call(
            step.path, step.inputs, len(step.gives), form, step.scope.of if step.scope is not None else None, step.again
        )
        call.start = step.start
        if step.items:
            call.kind = "series"
            calls.append(call)
            continue
        call.kind = step.node.kind if step.node is not None else call.of.kind if call.of is not None else ""
        call.family = step.node.layer.family if step.node is not None else ""
        calls.append(call)
    rows: list[list[int | None]] = [list(range(len(calls))) for _ in group.uses]
    return Class("", kind, group.takes, calls, group.outputs, list(group.uses), rows)


_Fitted = tuple[list[int | None], dict[int, dict[int, Ref]]]


def _fitted(base: _Group, group: _Group) -> _Fitted | None:
    """How uses are those of a base with steps left out: which step is which, and what stands in for those left out.

    None where they are not: where a value is taken from elsewhere than in the base, or from nowhere in particular.
    """
    if base.takes != group.takes or len(base.outputs) != len(group.outputs):
        return None
    rows: list[int | None] = []
    at = 0
    for path, shape, *_ in base.steps:
        if at < len(group.steps) and group.steps[at][:2] == (path, shape):
            rows.append(at)
            at += 1
        else:
            rows.append(None)
    if at < len(group.steps):
        return None
    back = {own: number for number, own in enumerate(rows) if own is not None}
    fallbacks: dict[int, dict[int, Ref]] = {}

    def same(mine: Ref, theirs: Ref) -> bool:
        wanted = theirs if theirs.step < 0 else Ref(back[theirs.step], theirs.place)
        if mine == wanted:
            return True
        if mine.step < 0 or rows[mine.step] is not None or wanted.step >= mine.step:
            return False
        return fallbacks.setdefault(mine.step, {}).setdefault(mine.place, wanted) == wanted

    for number, own in enumerate(rows):
        if own is None:
            continue
        _, _, inputs, gives, again = base.steps[number]
        _, _, others, given, other = group.steps[own]
        if len(inputs) != len(others) or gives != given or (again is None) != (other is None):
            return None
        if other is not None and back[other] != again:
            return None
        if not all(map(same, inputs, others)):
            return None
    if not all(map(same, base.outputs, group.outputs)):
        return None
    return rows, fallbacks


def _agrees(own: Class, fitted: _Fitted) -> bool:
    """Whether the uses leave out the steps that others of the class leave out, or other ones, with the same in their
    place."""
    rows, fallbacks = fitted
    for number, places in fallbacks.items():
        known = own.calls[number].otherwise
        if any(known.get(place, ref) != ref for place, ref in places.items()):
            return False
    missing = [number for number, row in enumerate(rows) if row is None]
    if not missing:
        return False
    # Of steps that nothing stands in for, what they give must go into steps left out alone.
    return all(taker in missing or number in fallbacks for number in missing for taker in _takers(own, number))


def _takers(own: Class, number: int) -> list[int]:
    return [place for place, call in enumerate(own.calls) if any(ref.step == number for ref in call.inputs)]


def _types(own: Class) -> None:
    """The types of what steps give where they are the same in all uses."""
    for number, call in enumerate(own.calls):
        found: list[Any] = []
        for use, rows in zip(own.uses, own.rows, strict=True):
            row = rows[number]
            if row is not None:
                found.append(use.steps[row].types)
        call.outputs = tuple(kinds[0] if len(set(kinds)) == 1 else None for kinds in zip(*found, strict=True))
