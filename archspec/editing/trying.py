"""A place in a network, with all that expansion knew there, at which entries can be tried.

Nothing here knows the rules of layers. What may be put at the cursor is expanded there, by the same code that expands
specs, on a copy of all that it changes; what it finds wrong is what would be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import NamedTuple

from archspec.diagnostics import Diagnostic, Findings
from archspec.elaborate.entries import Expander
from archspec.elaborate.placing import Placer
from archspec.elaborate.scope import UNKNOWN, Context, Scope, StopElaboration, Values
from archspec.expressions import Environment
from archspec.figures.receptive_field import POINT
from archspec.graph import Node
from archspec.layers.identity import Identity
from archspec.located import Located
from archspec.types import TensorType


class Tried(NamedTuple):
    """What came of an entry that was tried at a place."""

    errors: tuple[Diagnostic, ...]
    given: tuple[TensorType | None, ...]
    """The types of what the chain had given before."""
    result: tuple[TensorType | None, ...]

    @property
    def codes(self) -> set[str]:
        return {error.code for error in self.errors}

    @property
    def arrow(self) -> str:
        """`56×56×64 → 28×28×64`; empty where that is not known."""
        if None in self.given or None in self.result:
            return ""
        return f"{_listed(self.given)} → {_listed(self.result)}"


def _listed(types: Iterable[TensorType | None]) -> str:
    return ", ".join(map(str, types))


class Place:
    """One call of what is written at the cursor, with all that expansion knew there."""

    def __init__(self, expander: Expander, context: Context, values: Values, name: str | None) -> None:
        self.context = _context(context)
        self.values = values
        self.name = name
        self.made: tuple[TensorType | None, ...] = ()
        """The types of what elaboration went on with, in place of what the entry will give."""
        self.expander = copied(expander, Findings())

    @property
    def types(self) -> tuple[TensorType | None, ...]:
        """The types of what the chain gives there."""
        return self.expander.placer.types_if_known(self.values)

    def remember(self, types: tuple[TensorType, ...]) -> None:
        """Has the chain give values of these types there, in place of some that could not be made."""
        placer, values = self.expander.placer, []
        for kind in types:
            node = Node("", Identity.plain_default(), (), (kind,), kind, POINT, None, sees=None)
            values.append(len(placer.nodes))
            placer.nodes.append(node)
        self.values = tuple(values)

    @property
    def undecided(self) -> bool:
        """Whether it is the first entry of a network with several inputs, which has to name those that it takes."""
        return self.values is self.expander.undecided

    @property
    def env(self) -> Environment:
        """What `$(…)` sees."""
        return self.context.seeing(self.expander.incoming(self.context.scope, self.values)).sight

    def type_of(self, values: Values) -> tuple[TensorType | None, ...]:
        """The types of values."""
        return self.expander.placer.types_if_known(values)

    def tried(self, entry: Located) -> Tried:
        """What comes of an entry there."""
        findings = Findings()
        expander = copied(self.expander, findings)
        try:
            values = expander.entry(entry, _context(self.context), self.values, name=self.name)
        except StopElaboration:
            values = (UNKNOWN,)
        errors = tuple(item for item in findings.items if item.severity == "error")
        return Tried(errors, self.types, expander.placer.types_if_known(values))


def copied(expander: Expander, findings: Findings) -> Expander:
    """An expander with copies of all that expansion adds to, which looks for no other sizes of the input."""
    own = expander.placer
    placer = Placer(own.inputs, findings, searches=0)
    placer.nodes = list(own.nodes)
    placer.consumed, placer.leaves, placer.branches = set(own.consumed), set(own.leaves), set(own.branches)
    placer.blocks, placer.places, placer.ranges = dict(own.blocks), dict(own.places), dict(own.ranges)
    placer.calls, placer.structures = dict(own.calls), dict(own.structures)
    same = Expander(expander.document, placer, findings)
    same.left_out, same.undecided = dict(expander.left_out), expander.undecided
    same.steps = expander.steps
    return same


def _context(context: Context) -> Context:
    return Context(
        _scope(context.scope),
        context.env,
        context.document,
        context.calls,
        context.depth,
        context.incoming,
        context.sharing,
    )


def _scope(scope: Scope) -> Scope:
    """A scope, and those around it as far as the block, as they are now."""
    same = copy(scope)
    same.names, same.children, same.counters = dict(scope.names), dict(scope.children), dict(scope.counters)
    if scope.inputs is None and scope.parent is not None:
        same.parent = _scope(scope.parent)
    return same
