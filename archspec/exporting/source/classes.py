"""A network as a tree of classes that knows no framework, of which writers make source code.

A target says of each layer how it is written, as a `Form`; `classes_of` finds which scopes are uses of one class, what
differs between these, which become arguments of its constructor, and in what order things are called. A writer goes
over `Tree.classes`, in which each class stands behind those that it is made of; the last is the network itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archspec.exporting.source.borrowing import with_blocks
from archspec.exporting.source.scopes import Ref, Step, Use, scopes
from archspec.graph import Graph, Node
from archspec.types import TensorType

Plain = Any
"""A number, a truth value, a text, None, or a tuple of such."""


class _Nothing:
    def __repr__(self) -> str:
        return "no default"


NO_DEFAULT = _Nothing()


class Argument(NamedTuple):
    """A number or the like that a layer is made or called with.

    `name` is its keyword, "" where it goes by its place. `said` is what the argument of a class is called that has it
    in place of a number, since uses of the class differ in it. It is left out where all uses have its `default`.
    `style` writes one number for each axis, `({0}, {0})`, where the value is one number for all.
    `sort` says what it counts: numbers of one sort alone are taken for one another, and `channels` for each other's
    multiples.
    """

    name: str
    value: Plain
    said: str
    sort: str = ""
    default: Plain = NO_DEFAULT
    style: str = ""


class Form(NamedTuple):
    """How a target writes a layer.

    `use` is an expression with `{0}`, `{1}`, … for what it takes, `{self}` for its module and `{size}` and the like for
    its `settings`. `make` is what the module is made by, "" where it needs none, with `arguments`, which stand where it
    has `{}`. `helpers` are names of definitions that the file must have. An expression that is `loose` needs brackets
    within another one.
    """

    use: str
    make: str = ""
    arguments: tuple[Argument, ...] = ()
    settings: tuple[Argument, ...] = ()
    helpers: tuple[str, ...] = ()
    loose: bool = False
    module: str = ""
    """What does the same as a module, for lists of modules, where `make` is ""."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """What two layers have in common that differ in numbers alone."""
        names = tuple(item.name for item in self.arguments), tuple(item.name for item in self.settings)
        return (self.use, self.make, names, self.helpers)


Describe = Callable[[Node], Form]


class Slot(NamedTuple):
    """A place within a class where a number or the like stands: in the making or the calling of a step."""

    step: int
    name: str
    setting: bool = False


@dataclass
class Expression:
    """What stands in a slot: `text` in Python, and the value where there is one for all uses.

    Otherwise the text has arguments of the class in braces, `4 * {width}`, and within a row `i` where it `counts`.
    """

    text: str
    value: Plain = NO_DEFAULT
    counts: bool = False

    @property
    def is_constant(self) -> bool:
        return self.value is not NO_DEFAULT


@dataclass
class Segment:
    """Of the things of a series so many that are made alike: layers as `form` has them, or things of class `of`.

    `arguments` are by their names or numbers; they may have `i`, which counts from 0, or from 1 where a thing stands
    before them.
    """

    count: Expression
    arguments: dict[str, Expression]
    form: Form | None = None
    of: Class | None = None
    first: int = 0


@dataclass
class Parameter:
    """An argument of a class's constructor: its values by use, and the one that it has by default, if any."""

    name: str
    values: list[Plain]
    sort: str = ""
    default: Plain = NO_DEFAULT

    @property
    def types_text(self) -> str:
        """The type of its values, as an annotation has it."""
        kinds = list(dict.fromkeys(map(_type, self.values)))
        if "float" in kinds and "int" in kinds:
            kinds.remove("int")
        return " | ".join(sorted(kinds))


def _type(value: Plain) -> str:
    if not isinstance(value, tuple):
        return "None" if value is None else type(value).__name__
    kinds = list(dict.fromkeys(map(_type, value)))
    pair = len(value) == 2 and not any(isinstance(item, tuple) for item in value)
    return f"tuple[{', '.join(map(_type, value))}]" if pair else f"tuple[{' | '.join(kinds)}, ...]"


@dataclass
class Call:
    """A step of a class: a layer as `form` has it, or a thing of class `of`.

    `inputs` name what it takes. `condition` is the argument of the class without which the step is left out, and
    `otherwise` what stands in place of its values then, by their number. `again` is the earlier step whose module is
    called. `outputs` are the types of what it gives where they are the same in all uses, else None.
    """

    path: tuple[str, ...]
    inputs: tuple[Ref, ...]
    gives: int
    form: Form | None = None
    of: Class | None = None
    again: int | None = None
    condition: Expression | None = None
    otherwise: dict[int, Ref] = field(default_factory=dict)
    outputs: tuple[TensorType | None, ...] = ()
    segments: list[Segment] = field(default_factory=list)
    """Of a series, which is called one after the other: what it is made of. Its path ends with `*`; the numbers in its
    place begin with `start`."""
    start: int = 0
    kind: str = ""
    family: str = ""

    @property
    def has_module(self) -> bool:
        """Whether it calls a module of its own."""
        if self.again is not None:
            return False
        if self.segments:
            return True
        return self.of.has_modules if self.of is not None else bool(self.form and self.form.make)


@dataclass(eq=False)
class Class:
    """A scope of the network, or all that are alike but for arguments.

    `uses` are these scopes, with `rows` that say which of a use's steps is which of the class's, None where it lacks
    it. `slots` have what stands in the places of the steps. The network's own `kind` is "".
    """

    name: str
    kind: str
    takes: int
    calls: list[Call]
    outputs: tuple[Ref, ...]
    uses: list[Use] = field(default_factory=list)
    rows: list[list[int | None]] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    slots: dict[Slot, Expression] = field(default_factory=dict)

    @property
    def has_modules(self) -> bool:
        """Whether any step has a module; a class without one is a function, but for the network."""
        return not self.kind or any(call.has_module for call in self.calls)

    @property
    def paths(self) -> list[str]:
        return [use.path for use in self.uses]

    def argument(self, step: int, name: str, *, setting: bool = False) -> Expression:
        """What stands in a slot."""
        return self.slots[Slot(step, name, setting)]

    def takers(self, ref: Ref) -> Iterator[int]:
        """The steps that take a value; the number of steps stands for the class's own outputs."""
        for number, call in enumerate(self.calls):
            if ref in call.inputs or ref in call.otherwise.values():
                yield number
        if ref in self.outputs:
            yield len(self.calls)


@dataclass(frozen=True)
class Tree:
    """The classes of a network, each behind those that it is made of; the last is the network.

    `ties` are nodes whose arrays are another one's, with its path, where no module is called again.
    """

    graph: Graph
    classes: list[Class]
    ties: list[tuple[Node, str]]

    @property
    def network(self) -> Class:
        return self.classes[-1]

    @property
    def helpers(self) -> list[str]:
        """Names of the definitions that forms need, in the order in which they are first needed."""
        forms = (call.form for own in self.classes for call in own.calls if call.form is not None)
        return list(dict.fromkeys(name for form in forms for name in form.helpers))


def classes_of(graph: Graph, describe: Describe, reserved: Mapping[str, Any] | frozenset[str] = frozenset()) -> Tree:
    """The classes of a network, as a target writes its layers. `reserved` are names that no class may have."""
    from archspec.exporting.source.grouping import grouped
    from archspec.exporting.source.naming import class_names
    from archspec.exporting.source.parameters import fill

    graph = with_blocks(graph)
    network = scopes(graph)
    forms = {node.path: describe(node) for node in graph.nodes}
    ties = _ties(graph, network, forms)
    classes = grouped(graph, network, forms)
    for own in classes:
        fill(own, forms)
    class_names(classes, graph, reserved)
    return Tree(graph, classes, ties)


def _ties(graph: Graph, network: Use, forms: Mapping[str, Form]) -> list[tuple[Node, str]]:
    """Arrays that layers use of others without being them once more; steps that cannot be so are told so."""
    ties: list[tuple[Node, str]] = []

    def look(use: Use, again: bool) -> None:
        for step in use.steps:
            if step.again is not None and not _is_same(step, use.steps[step.again], forms):
                step.again = None
            called = again or step.again is not None
            if step.scope is not None:
                look(step.scope, called)
            elif step.node is not None and step.node.shares is not None and step.node.arrays and not called:
                ties.append((step.node, step.node.shares))

    look(network, False)
    return ties


def _is_same(one: Step, other: Step, forms: Mapping[str, Form]) -> bool:
    """Whether two steps are made and called alike, so that one module does for both."""
    if one.node is not None and other.node is not None:
        return forms[one.node.path] == forms[other.node.path]
    if one.scope is None or other.scope is None:
        return False
    mine, theirs = one.scope, other.scope
    return (
        len(mine.steps) == len(theirs.steps)
        and mine.outputs == theirs.outputs
        and all(
            (a.path, a.inputs, a.again) == (b.path, b.inputs, b.again) and _is_same(a, b, forms)
            for a, b in zip(mine.steps, theirs.steps, strict=True)
        )
    )
