"""What expansion carries along: scopes with their names, contexts, entries taken apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archspec.diagnostics import Span
from archspec.expressions import Environment, layered
from archspec.kinds import RESERVED
from archspec.located import Located, Mapping, is_null
from archspec.spec.document import Document

if TYPE_CHECKING:
    from archspec.elaborate.sharing import Sharing

UNKNOWN = -(2**40)
"""Stands for a value whose layer could not be read or does not fit."""

COMMON = RESERVED
"""Fields of every entry."""

NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*\Z")
"""A name in a scope; one with dots stands for a path, as elaborated specs have them."""

PREVIOUS = "previous"
"""Stands in `from` for what the chain last gave."""

Values = tuple[int, ...]
"""What a chain carries from one entry to the next: usually one value, several where branches meet."""


class StopElaboration(Exception):  # noqa: N818 (not an error by itself: the reason is among the findings)
    """Ends elaboration; the reason is among the findings."""


class Scope:
    """A stretch of the network with names of its own. `prefix` ends with a dot unless it is empty.

    Names are looked up from the inside out, up to the block that is being expanded: a block sees nothing of its caller
    but its input and its arguments.
    """

    def __init__(
        self,
        prefix: str = "",
        parent: Scope | None = None,
        *,
        inputs: Values | None = None,
        input_names: tuple[str, ...] = (),
    ) -> None:
        self.prefix = prefix
        self.parent = parent
        self.names: dict[str, tuple[Values, Span]] = {}
        self.children: dict[str, Scope] = {}
        self.counters: dict[str, int] = {}
        self.inputs = inputs
        """What `input` stands for: the network's or the block's input. None where the enclosing scope says."""
        self.input_names = input_names
        """Names of the inputs, in order, where they have some."""

    def automatic(self, kind: str) -> str:
        """The next free name for an unnamed entry: the kind and a counter within this scope."""
        separator = "_" if kind[-1:].isdigit() else ""
        while True:
            self.counters[kind] = self.counters.get(kind, 0) + 1
            name = f"{kind}{separator}{self.counters[kind]}"
            if name not in self.names and name not in self.input_names:
                return name

    def inner(self, name: str) -> Scope:
        """A scope inside this one."""
        scope = Scope(f"{self.prefix}{name}.", self)
        self.children[name] = scope
        return scope

    def find(self, name: str) -> Values | None:
        """The values of a name here, or of a path into inner scopes."""
        found = self.place(name)
        return found[0].names[found[1]][0] if found is not None else None

    @property
    def home(self) -> Scope:
        """The scope, this one or one around it, that says what `input` stands for: the block's or the network's."""
        at = self
        while at.inputs is None and at.parent is not None:
            at = at.parent
        return at

    def found(self, name: str) -> tuple[Scope, str] | None:
        """The scope, this one or one around it as far as the block, in which a name is found, and its name there."""
        place, at = self.place(name), self
        while place is None and at.inputs is None and at.parent is not None:
            at = at.parent
            place = at.place(name)
        return place

    def seen(self, name: str) -> Values | None:
        """The values of a name here or in a scope around this one, as far as the block."""
        found = self.found(name)
        return found[0].names[found[1]][0] if found is not None else None

    def place(self, name: str) -> tuple[Scope, str] | None:
        """The scope that a name, or a path from here into inner scopes, ends in, and its name there."""
        if name in self.names:
            return self, name
        # Names may have dots themselves, so that a path can be read in many ways: each place is looked at once.
        stack: list[tuple[Scope, str]] = [(self, name)]
        seen = set()
        while stack:
            scope, rest = stack.pop()
            if (id(scope), rest) in seen:
                continue
            seen.add((id(scope), rest))
            if rest in scope.names:
                return scope, rest
            end = rest.rfind(".")
            while end > 0:
                child = scope.children.get(rest[:end])
                if child is not None:
                    stack.append((child, rest[end + 1 :]))
                end = rest.rfind(".", 0, end)
        return None


class Context:
    """Where expansion stands: the scope, what `$(…)` sees, whose defaults hold, and the blocks being expanded.

    `env` has arguments and loop variables, which hold for all entries here; `sight` has besides what comes in to the
    entry that is being expanded.
    """

    def __init__(
        self,
        scope: Scope,
        env: Environment,
        document: Document,
        calls: tuple[tuple[str, Span], ...] = (),
        depth: int = 0,
        incoming: Environment | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self.scope = scope
        self.env = env
        self.document = document
        self.calls = calls
        self.depth = depth
        self.incoming = incoming
        self.sharing = sharing
        """Whose arrays the layers here use, where they do."""
        self.sight = env if incoming is None else layered(env, incoming)
        """What the expressions of the entry that is being expanded see."""

    def seeing(self, incoming: Environment) -> Context:
        """The context of one entry."""
        return Context(self.scope, self.env, self.document, self.calls, self.depth, incoming, self.sharing)

    def inner(self, *, scope: Scope | None = None, env: Environment | None = None) -> Context:
        """A context one level further in."""
        env = self.env if env is None else env
        return Context(scope or self.scope, env, self.document, self.calls, self.depth + 1, sharing=self.sharing)

    def named(self, name: str, env: Environment | None = None) -> Context:
        """A context in a scope of its own."""
        return self.inner(scope=self.scope.inner(name), env=env)


class Entry:
    """One entry of a `layers:` list, taken apart. `span` is its kind's place.

    `implied` says that nobody wrote it: the compiler made it for a structure that has such a layer in it.
    """

    def __init__(
        self,
        kind: str,
        kind_node: Located,
        content: Located | None,
        name: str | None,
        name_node: Located,
        span: Span,
        *,
        implied: bool = False,
    ) -> None:
        self.kind = kind
        self.kind_node = kind_node
        self.content = content
        self.name = name
        self.name_node = name_node
        self.span = span
        self.implied = implied
        self.previous: Values = ()
        """What the chain had given before it."""
        self.sharing: Sharing | None = None
        """Whose arrays the layers in its scope use, where `weights` says so."""
        self.opened: str | None = None
        """The path of the scope that it opened."""
        self.borrowed: dict[str, Context] | None = None
        """Where the layers in fields that are an owner's were written."""

    @property
    def weights(self) -> Located | None:
        """Where `weights` says whose arrays it uses; None where it has its own."""
        node = self.content.get("weights") if isinstance(self.content, Mapping) else None
        return None if is_null(node) else node
