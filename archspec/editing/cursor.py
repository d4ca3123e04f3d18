"""What stands at a place of a text: the keys that lead there, and the entries of `layers:` around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archspec.editing.analysis import Reading
from archspec.elaborate.scope import UNKNOWN
from archspec.elaborate.trace import Visit
from archspec.located import Located, Mapping, Scalar
from archspec.located import Sequence as LocatedSequence
from archspec.positions import Position, covers, end_of, start_of


class Step(NamedTuple):
    """One step from the root of a tree to a place: into a mapping by a key, or into a list by a number."""

    holder: Located
    key: Scalar | int
    value: Located

    @property
    def word(self) -> str | int:
        return self.key.value if isinstance(self.key, Scalar) else self.key


class Cursor(NamedTuple):
    """A place in a tree: the steps that lead to it. `on_key` says that it is on the last step's key."""

    steps: tuple[Step, ...]
    on_key: bool

    @property
    def words(self) -> tuple[str | int, ...]:
        return tuple(step.word for step in self.steps)

    @property
    def node(self) -> Located | None:
        """The innermost value there, or the key."""
        if not self.steps:
            return None
        last = self.steps[-1]
        return last.key if self.on_key and isinstance(last.key, Scalar) else last.value


def cursor_at(root: Located, position: Position) -> Cursor:
    """The innermost key or value of a tree that a position is on."""
    steps: list[Step] = []
    on_key = False
    at: Located | None = root
    while at is not None and not on_key:
        at, on_key = _step(at, position, steps)
    return Cursor(tuple(steps), on_key)


def _step(node: Located, position: Position, steps: list[Step]) -> tuple[Located | None, bool]:
    """Adds the step from a value to what the position is on in it, and whether that is a key."""
    for key, value in _parts(node):
        # What an alias or a merge brings in lies elsewhere.
        if value.source is not node.source:
            continue
        if isinstance(key, Scalar) and covers(key.span, position):
            steps.append(Step(node, key, value))
            return None, True
        begins = start_of(key.span) if isinstance(key, Scalar) else start_of(value.span)
        if begins <= position <= end_of(value.span) and start_of(value.span) <= position:
            steps.append(Step(node, key, value))
            return value, False
    return None, False


def _parts(node: Located) -> Iterator[tuple[Scalar | int, Located]]:
    if isinstance(node, Mapping):
        for _, key, value in node.items():
            yield key, value
    elif isinstance(node, LocatedSequence):
        yield from enumerate(node.items)


def entry_end(reading: Reading, visit: Visit) -> Position:
    """Where an entry of a list of layers ends, or the first line of one that is written as a block of lines."""
    node = visit.node
    if not isinstance(node, Mapping) or not node.entries:
        return end_of(node.span)
    key, content = next(iter(node.entries.values()))
    if isinstance(content, Scalar) or reading.lines.slice(content.span)[:1] in ("{", "["):
        return end_of(content.span)
    return behind_colon(reading, end_of(key.span))


def behind_colon(reading: Reading, end: Position) -> Position:
    """The place behind the colon of a key that ends at a position."""
    rest = reading.lines.line(end.line)[end.column - 1 :]
    return Position(end.line, end.column + rest.startswith(":"))


def entries_around(visits: Sequence[Visit], position: Position) -> list[list[Visit]]:
    """The entries that a position is in, from the outside in, each with its visits."""
    groups: dict[int, list[Visit]] = {}
    for visit in visits:
        if start_of(visit.node.span) <= position <= end_of(visit.node.span):
            groups.setdefault(id(visit.node), []).append(visit)
    return list(groups.values())


def shown_visit(visits: Sequence[Visit], focus: str) -> Visit:
    """Of an entry's visits that which is shown: the one nearest to the call that is looked at, else the first that gave
    anything, else the first."""
    if focus:
        nearest = max(visits, key=lambda visit: nearness(_where(visit), focus))
        if nearness(_where(nearest), focus):
            return nearest
    return next((visit for visit in visits if visit.result and UNKNOWN not in visit.result), visits[0])


def _where(visit: Visit) -> str:
    """The path of the scope that an entry opened, or stands in."""
    return visit.entry.opened if visit.entry is not None and visit.entry.opened is not None else visit.path


def nearness(path: str, focus: str) -> int:
    """How many scopes two paths are both in."""
    count = 0
    for one, other in zip(path.split("."), focus.split("."), strict=False):
        if one != other:
            break
        count += 1
    return count
