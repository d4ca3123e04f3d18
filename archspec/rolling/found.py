"""What was found to come again in a graph: blocks with all their calls, and what is needed to find more."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import NamedTuple

from archspec.graph import Graph
from archspec.rolling.entries import Call, Chain, Entry, Parallel, Residual, chains_of, layers_of
from archspec.rolling.marks import Marks, differing
from archspec.rolling.reducing import Defaults, Reduced

MAX_ARGUMENTS = 8
"""Arguments of a block; with more, a call says no more than its layers would."""


class Way(NamedTuple):
    """How a graph is rolled up. `units` says what stands first in them: `conv`, `norm`, or `none` for no units."""

    units: str = "conv"
    optional: bool = True
    """Whether blocks with and without a shortcut, and with and without some of their layers, are one block."""


class Place(NamedTuple):
    """A stretch of a list."""

    chain: Chain
    start: int
    end: int

    @property
    def entries(self) -> Chain:
        return self.chain[self.start : self.end]


class Found:
    """The blocks of a graph so far: `blocks` has the calls of each. `banned` is what there were no words for."""

    def __init__(self, graph: Graph, reduced: Reduced, way: Way, defaults: Defaults, banned: Set[object]) -> None:
        self.graph = graph
        self.uses = reduced.uses
        self.way = way
        self.defaults = defaults
        self.banned = banned
        self.marks = Marks()
        self.blocks: list[list[Call]] = []
        self.is_unit: list[bool] = []
        self.known: dict[object, int] = {}
        """Numbers of blocks by the marks of what is in them."""

    def new(self, bodies: Iterable[Chain], *, unit: bool = False) -> list[Call]:
        """Calls of a new block with these bodies."""
        calls = [call_of(len(self.blocks), body) for body in bodies]
        self.blocks.append(calls)
        self.is_unit.append(unit)
        return calls

    def block(self, bodies: list[Chain]) -> list[Call]:
        """Calls of a block with these bodies: of one that there is, or of a new one."""
        begin = bodies[0][0]
        assert begin is not None
        mark = self.marks.chain(bodies[0], begin.inputs[0])
        number = self.known.get(mark)
        if number is not None and self.fits([*(call.body for call in self.blocks[number]), *bodies]):
            calls = [call_of(number, body) for body in bodies]
            self.blocks[number].extend(calls)
            return calls
        self.known[mark] = len(self.blocks)
        return self.new(bodies)

    def fits(self, bodies: list[Chain]) -> bool:
        """Whether lists of equal marks differ in no more than a block may have arguments."""
        return len(differing(bodies)) <= MAX_ARGUMENTS and key_of(bodies) not in self.banned


def call_of(number: int, body: Chain) -> Call:
    """A call of a block with this body, which takes what its first entry takes first."""
    first = next(entry for entry in body if entry is not None)
    last = next(entry for entry in reversed(body) if entry is not None)
    return Call(number, body, first.inputs[:1], last.out)


def written(entry: Entry) -> list[Chain]:
    """The lists within an entry that are written."""
    return [entry.body] if isinstance(entry, Residual) and entry.projected else chains_of(entry)


def inside(entry: Entry | None, found: Found) -> list[Chain]:
    """The lists within a structure, or within those of a block that is not a unit."""
    if isinstance(entry, (Parallel, Residual)):
        return written(entry)
    if isinstance(entry, Call) and entry.row is not None:
        return [entry.body]
    if isinstance(entry, Call) and not found.is_unit[entry.block]:
        return [part for inner in entry.body for part in inside(inner, found) if not isinstance(inner, Call)]
    return []


def key_of(lists: list[Chain]) -> object:
    """What rounds of a repeat, or bodies of a block, are known by: their layers."""
    return tuple(layer.out for chain in lists for layer in layers_of(chain))


def replace(chain: Chain, changes: Iterable[tuple[int, int, Call]]) -> None:
    """Puts calls into a list in place of stretches."""
    made: Chain = []
    at = 0
    for start, end, call in sorted(changes, key=lambda change: change[0]):
        made.extend(chain[at:start])
        made.append(call)
        at = end
    chain[:] = [*made, *chain[at:]]
