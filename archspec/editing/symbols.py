"""Names of a spec: what each stands for, where it is given and where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from archspec.diagnostics import Span

Kind = Literal["layer", "block", "argument", "variable", "input", "output", "variant", "anchor"]


class Place(NamedTuple):
    """A stretch of a file where a name is written. `definition` says that it is given there."""

    path: Path
    span: Span
    definition: bool

    @property
    def key(self) -> tuple[Path, int, int, int, int]:
        return (self.path, *self.span[1:])


class Symbol:
    """One name. Two that turn out to be written at one place, or found at one, are joined and then are one."""

    def __init__(self, kind: Kind, name: str) -> None:
        self.kind = kind
        self.name = name
        self._places: dict[tuple[Path, int, int, int, int], Place] = {}
        self._fixed: list[str] = []
        self._joined: Symbol | None = None

    @property
    def root(self) -> Symbol:
        """The symbol that it was joined to, or itself."""
        at = self
        while at._joined is not None:
            at = at._joined
        return at

    @property
    def places(self) -> list[Place]:
        """Where it is written, definitions first."""
        return sorted(
            self.root._places.values(), key=lambda place: (not place.definition, str(place.path), *place[1][1:])
        )

    @property
    def definitions(self) -> list[Place]:
        return [place for place in self.places if place.definition]

    @property
    def fixed(self) -> list[str]:
        """Why it cannot be renamed: what depends on it and could not be changed with it."""
        return self.root._fixed

    def fix(self, reason: str) -> None:
        if reason not in self.root._fixed:
            self.root._fixed.append(reason)

    def note(self, place: Place) -> None:
        """Adds a place; as a definition where it is that to anyone."""
        known = self.root._places.get(place.key)
        if known is None or place.definition:
            self.root._places[place.key] = place

    def join(self, other: Symbol) -> Symbol:
        """Makes one symbol of two. Those of two kinds or names stay apart: nothing is written that is both."""
        mine, theirs = self.root, other.root
        if mine is theirs or (mine.kind, mine.name) != (theirs.kind, theirs.name):
            return mine
        for place in theirs._places.values():
            mine.note(place)
        for reason in theirs._fixed:
            mine.fix(reason)
        theirs._joined = mine
        return mine


class Scope:
    """A stretch of layers with names of its own, as written. `inside` has the scopes that named entries open."""

    def __init__(self, parent: Scope | None = None, inputs: dict[str, Symbol] | None = None) -> None:
        self.parent = parent
        self.names: dict[str, Symbol] = {}
        self.inside: dict[str, Scope | Opened] = {}
        self.inputs = inputs
        """Names of the inputs, where it is the scope of a network or a block: nothing around it is seen."""
        self.rounds: Scope | Opened | None = None
        """What a number is followed by, in the scope of a repeat."""

    def define(self, name: str) -> Symbol:
        """The symbol of a layer's name here; entries that leave each other out may have the same."""
        return self.names.setdefault(name, Symbol("layer", name))

    def find(self, parts: list[str]) -> list[Symbol | None]:
        """What the parts of a path stand for, from here into inner scopes; nothing for numbers of rounds. Empty where
        the first is not known, shorter than the path where one after it is not."""
        head = parts[0]
        inside: Scope | Opened | None
        found: Symbol | None
        if head in self.names:
            found, inside = self.names[head], self.inside.get(head)
        elif self.rounds is not None and head.isdigit():
            found, inside = None, self.rounds
        else:
            return []
        if len(parts) == 1:
            return [found]
        scope = inside.scope if isinstance(inside, Opened) else inside
        return [found, *(scope.find(parts[1:]) if scope is not None else [])]

    def look_up(self, name: str) -> list[Symbol | None]:
        """What the parts of a name stand for, looked up from the inside out as far as the block."""
        parts = name.split(".")
        at: Scope | None = self
        while at is not None:
            found = at.find(parts)
            if found:
                return found
            if at.inputs is not None:
                return [at.inputs[name]] if name in at.inputs else []
            at = at.parent
        return []


class Opened:
    """The scope of a block that is called, which may stand in another file and is found once all are read."""

    def __init__(self) -> None:
        self.block: BlockNames | None = None

    @property
    def scope(self) -> Scope | None:
        return self.block.scope if self.block is not None else None


class BlockNames:
    """The names of one block."""

    def __init__(self, name: str) -> None:
        self.symbol = Symbol("block", name)
        self.arguments: dict[str, Symbol] = {}
        self.inputs: dict[str, Symbol] = {}
        self.scope = Scope(inputs=self.inputs)

    def symbols(self) -> Iterator[Symbol]:
        yield self.symbol
        yield from self.arguments.values()
        yield from self.inputs.values()
