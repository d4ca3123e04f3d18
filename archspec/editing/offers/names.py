"""Names of layers that may be given where the cursor is: those in scope there that fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archspec.editing.offers.item import Asked, Completion
from archspec.editing.probing import parsed
from archspec.elaborate.scope import UNKNOWN, Scope, Values
from archspec.types import TensorType

MAX_NAMES = 400
"""Names that are tried, the latest first."""


class Named(NamedTuple):
    """A name in scope, what it stands for, and its type in words."""

    name: str
    values: Values
    types: tuple[TensorType | None, ...]
    written: bool
    """Whether somebody gave it that name."""

    @property
    def shape(self) -> str:
        return ", ".join("?" if kind is None else str(kind) for kind in self.types)


def names_here(asked: Asked) -> list[Named]:
    """The names that an entry here may give, the latest first; `previous` and `input` last."""
    if not asked.probe.places:
        return []
    place = asked.probe.places[0]
    found: dict[str, Named] = {}
    scope = place.context.scope
    for name, values, written in in_scope(scope, asked.cursor.before):
        found.setdefault(name, Named(name, values, place.type_of(values), written))
    home = scope.home
    given = [("previous", place.values), ("input", home.inputs or ())]
    given += [(name, (value,)) for name, value in zip(home.input_names, home.inputs or (), strict=False)]
    for word, values in given:
        if values and word not in found:
            found[word] = Named(word, values, place.type_of(values), True)
        if word in ("previous", "input") and len(values) > 1:
            for number, value in enumerate(values):
                found[f"{word}.{number}"] = Named(f"{word}.{number}", (value,), place.type_of((value,)), True)
    return list(found.values())


def in_scope(scope: Scope, typed: str) -> Iterator[tuple[str, Values, bool]]:
    """Names in a scope and around it as far as the block, the latest first; those of scopes inside where a path to
    one is typed."""
    at: Scope | None = scope
    count = 0
    while at is not None and count < MAX_NAMES:
        for name in reversed(at.names):
            values, span = at.names[name]
            if UNKNOWN not in values:
                yield name, values, _is_written(name, span)
                count += 1
        if "." in typed:
            path = typed.rpartition(".")[0]
            inner = inner_scope(at, path)
            for name, (values, span) in reversed(inner.names.items()) if inner is not None else ():
                if UNKNOWN not in values:
                    yield f"{path}.{name}", values, _is_written(name, span)
        at = None if at.inputs is not None else at.parent


def inner_scope(scope: Scope, path: str) -> Scope | None:
    """The scope that a path leads to."""
    at: Scope | None = scope
    for name in path.split("."):
        at = at.children.get(name) if at is not None else None
    return at


def _is_written(name: str, span: object) -> bool:
    source, line = getattr(span, "source", None), getattr(span, "line", 0)
    if source is None:
        return False
    text: str = source.line(line)
    return text[getattr(span, "column", 1) - 1 :].lstrip("\"'").startswith(name)


def names(asked: Asked) -> Iterator[Completion]:
    """Names that may stand in `from`, `weights`, or a field such as `like`."""
    others = _others(asked)
    for number, item in enumerate(names_here(asked)):
        if item.name in others and asked.slot.word == "from":
            continue
        new = parsed(item.name)
        fit = asked.fits(new) if new is not None else None
        if fit is None:
            continue
        usual = item.name in ("previous", "input") or item.name.startswith(("previous.", "input."))
        detail = f"{item.shape}{f'  ({fit.arrow})' if fit.arrow and asked.slot.word == 'from' else ''}"
        yield asked.item(
            item.name,
            "name",
            item.name,
            detail=detail,
            rank=number + (0 if item.written else 1000) + (500 if usual else 0),
            whole=True,
        )


def _others(asked: Asked) -> set[str]:
    """The names that stand beside the cursor in a list already."""
    last = asked.cursor.steps[-1]
    items = getattr(last.node, "items", None)
    if not isinstance(items, list):
        return set()
    return {str(item.plain) for number, item in enumerate(items) if number != last.key and not item.dynamic}


def outputs(asked: Asked) -> Iterator[Completion]:
    """Names of layers that the network may give."""
    watch = asked.probe.watch
    if watch.top is None or watch.made is None:
        return
    placer = watch.made.placer
    for number, (name, values, written) in enumerate(in_scope(watch.top.scope, asked.cursor.before)):
        if len(values) != 1 or values[0] < 0:
            continue
        detail = ", ".join(map(str, placer.types_if_known(values)))
        yield asked.item(name, "name", name, detail=detail, rank=number + (0 if written else 1000), whole=True)
