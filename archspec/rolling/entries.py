"""What a list of layers is made of while it is rolled up: entries over the nodes of one graph.

Everything is concrete: a repeat has all its rounds and a call of a block its own copy of the block's layers, so that
what differs between them is seen when they are written. Sources are indices of nodes, below 0 those of inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

Chain = list["Entry | None"]
"""Entries, each of which takes what the one before it gives, unless it says otherwise; None is one left out there."""


class Entry:
    """Something that stands in a list of layers. `inputs` are what it takes, `out` is the node that it gives."""

    __slots__ = ("inputs", "name", "out", "wanted")

    def __init__(self, inputs: tuple[int, ...], out: int) -> None:
        self.inputs = inputs
        self.out = out
        self.wanted = False
        """Whether something names it, so that it needs a name."""
        self.name: str | None = None


class Layer(Entry):
    """One node. `fields` are all that it has but those that name layers, which are in `references`."""

    __slots__ = ("fields", "is_activation", "kind", "references")

    def __init__(
        self, kind: str, fields: dict[str, Any], inputs: tuple[int, ...], out: int, references: dict[str, int]
    ) -> None:
        super().__init__(inputs, out)
        self.kind = kind
        self.fields = fields
        self.references = references
        self.is_activation = False
        """Whether it is an activation without fields, in whose place another could stand."""


class Parallel(Entry):
    """Branches from one value that a layer without fields joins."""

    __slots__ = ("branches", "join")

    def __init__(self, branches: list[Chain], join: Layer, source: int) -> None:
        super().__init__((source,), join.out)
        self.branches = branches
        self.join = join


class Residual(Entry):
    """Layers, and a shortcut around them: none, what `projection` stands for, or a list."""

    __slots__ = ("body", "join", "projected", "shortcut")

    def __init__(self, body: Chain, shortcut: Chain, projected: bool, join: Layer, source: int) -> None:
        super().__init__((source,), join.out)
        self.body = body
        self.shortcut = shortcut
        self.projected = projected
        self.join = join


class Call(Entry):
    """A call of a block, with the layers of this call. `block` is the block's number."""

    __slots__ = ("block", "body", "row")

    def __init__(self, block: int, body: Chain, inputs: tuple[int, ...], out: int) -> None:
        super().__init__(inputs, out)
        self.block = block
        self.body = body
        self.row: tuple[tuple[str, Any], ...] | None = None
        """What may differ between calls, where those in the body do not lie alike since some are left out."""


class Repeat(Entry):
    """Rounds of layers that are alike. With `staged`, all rounds but the first are equal."""

    __slots__ = ("rounds", "staged")

    def __init__(self, rounds: list[Chain], staged: bool, inputs: tuple[int, ...], out: int) -> None:
        super().__init__(inputs, out)
        self.rounds = rounds
        self.staged = staged


def chains_of(entry: Entry) -> list[Chain]:
    """The lists within an entry, in the order in which they are expanded."""
    match entry:
        case Parallel():
            return list(entry.branches)
        case Residual():
            return [entry.body, entry.shortcut]
        case Call():
            return [entry.body]
        case Repeat():
            return list(entry.rounds)
    return []


def layers_of(chain: Chain) -> Iterator[Layer]:
    """The layers of a list in the order in which they are expanded."""
    stack: list[Any] = [iter(chain)]
    while stack:
        entry = next(stack[-1], False)
        if entry is False:
            stack.pop()
        elif isinstance(entry, Layer):
            yield entry
        elif entry is not None:
            if isinstance(entry, (Parallel, Residual)):
                stack.append(iter([entry.join]))
            stack.extend(iter(inner) for inner in reversed(chains_of(cast("Entry", entry))))
