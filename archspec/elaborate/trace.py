"""What elaboration went through: every entry at every call, with what came in, the names it saw and what it gave.

Editors show and complete by it. Elaboration that nobody watches has none of this: `Trace.expander` is an `Expander`
that writes down what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from archspec.diagnostics import Findings, Span
from archspec.elaborate.entries import Expander
from archspec.elaborate.placing import Placer
from archspec.elaborate.scope import Context, Entry, Scope, Values
from archspec.expressions import Environment
from archspec.graph import GraphInput, Node, input_number, is_input
from archspec.located import Located
from archspec.spec.document import Document
from archspec.types import TensorType


class Cancelled(Exception):  # noqa: N818 (not an error: whoever asked has no use for the answer any more)
    """Ends elaboration that nobody waits for."""


class Visit:
    """One entry at one place of the network: an entry in a block or a repeat is visited once a call or round.

    `given` is what the chain gave before it, `taken` what it takes after `from`, `result` what it gives. Its layers are
    `nodes[first:last]` of the trace. `entry` is None where the entry could not be taken apart.
    """

    __slots__ = ("context", "entry", "first", "given", "last", "node", "result", "taken")

    def __init__(self, node: Located, context: Context, given: Values, first: int) -> None:
        self.node = node
        self.context = context
        self.given = given
        self.taken = given
        self.result: Values = ()
        self.first = self.last = first
        self.entry: Entry | None = None

    @property
    def span(self) -> Span:
        """The place of its kind, or of all of it."""
        return self.entry.span if self.entry is not None else self.node.span

    @property
    def path(self) -> str:
        """The path of the scope that it stands in: `layer1.0`; empty at the top."""
        return self.context.scope.prefix[:-1]


class Use(NamedTuple):
    """A name of a layer that stands in `from` or in a field such as `like`, and what it was found to be.

    `target` is the place where that has its name, or its kind where it has none; None for an input, what the chain
    gave, or nothing. `path` is its path, empty then.
    """

    place: Located
    name: str
    target: Span | None
    values: Values
    path: str = ""


class Trace:
    """What one elaboration went through, in order.

    `cancelled` is asked at every entry. With `suggesting` other inputs are looked for where a layer does not fit.
    """

    def __init__(self, cancelled: Callable[[], bool] = lambda: False, *, suggesting: bool = True) -> None:
        self.cancelled = cancelled
        self.suggesting = suggesting
        self.visits: list[Visit] = []
        self.uses: list[Use] = []
        self.placer: Placer | None = None

    def expander(self, document: Document, placer: Placer, findings: Findings) -> Expander:
        """An `Expander` that writes down here what it does."""
        self.visits, self.uses, self.placer = [], [], placer
        return _Watched(document, placer, findings, self)

    @property
    def nodes(self) -> list[Node]:
        """The layers that could be placed, train-only and unused ones included."""
        return self.placer.nodes if self.placer is not None else []

    @property
    def inputs(self) -> tuple[GraphInput, ...]:
        return self.placer.inputs if self.placer is not None else ()

    @property
    def names(self) -> dict[str, Span]:
        """The paths of all layers and scopes, and where each has its name, or its kind where it has none."""
        if not self.visits:
            return {}
        at = self.visits[0].context.scope
        while at.parent is not None:
            at = at.parent
        found: dict[str, Span] = {}
        scopes = [at]
        while scopes:
            scope = scopes.pop()
            found |= {scope.prefix + name: place for name, (_, place) in scope.names.items()}
            scopes += scope.children.values()
        return found

    def type_of(self, value: int) -> TensorType | None:
        """The type of a value; None of one that could not be made."""
        if is_input(value):
            place = input_number(value)
            return self.inputs[place].type if place < len(self.inputs) else None
        return self.nodes[value].output

    def name_of(self, value: int) -> str:
        """What a value is called: the path of its layer, or the input's name; empty where it could not be made."""
        if not is_input(value):
            return self.nodes[value].path
        place = input_number(value)
        return self.inputs[place].name if place < len(self.inputs) else ""


class _Watched(Expander):
    """An expander that writes into a trace."""

    def __init__(self, document: Document, placer: Placer, findings: Findings, trace: Trace) -> None:
        super().__init__(document, placer, findings)
        self.trace = trace
        self.suggesting = trace.suggesting
        self.open: list[Visit] = []
        """The entries that are being expanded, the innermost last."""

    def entry(self, node: Located, context: Context, values: Values, *, name: str | None = None) -> Values:
        if self.trace.cancelled():
            raise Cancelled
        visit = Visit(node, context, values, len(self.placer.nodes))
        self.trace.visits.append(visit)
        self.open.append(visit)
        try:
            visit.result = super().entry(node, context, values, name=name)
        finally:
            self.open.pop()
            visit.last = len(self.placer.nodes)
        return visit.result

    def read_entry(self, node: Located, context: Context) -> Entry | None:
        entry = super().read_entry(node, context)
        if self.open and self.open[-1].node is node:
            self.open[-1].entry, self.open[-1].context = entry, context
        return entry

    def resolve(self, node: Located, context: Context, previous: Values) -> Values:
        values = super().resolve(node, context, previous)
        if self.open:
            self.open[-1].taken = values
        return values

    def lookup(
        self, name: object, place: Located, scope: Scope, previous: Values, env: Environment | None = None
    ) -> Values:
        values = super().lookup(name, place, scope, previous, env)
        word = str(name) if isinstance(name, (str, int)) else ""
        found = scope.found(word)
        target = found[0].names[found[1]][1] if found is not None else None
        path = found[0].prefix + found[1] if found is not None else ""
        self.trace.uses.append(Use(place, word, target, values, path))
        return values
