"""Document → graph: blocks, repeats, branches and `$(…)` are expanded, every layer's shape is inferred.

Errors are collected, not raised: a layer that cannot be read or does not fit leaves an unknown value behind, and what
depends on it is passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.cost import POINT, receptive_field
from archspec.diagnostics import Findings, Label, ShapeError, Span, did_you_mean, listed
from archspec.expressions import Environment
from archspec.graph import INPUT, Graph, Node, Output, needed, prune
from archspec.kinds import Kind, builtin_kinds, find_kind, kind_names
from archspec.layer import Layer
from archspec.source import Located, Scalar, describe, merged
from archspec.source import Mapping as LocatedMapping
from archspec.source import Sequence as LocatedSequence
from archspec.spec.document import STRUCTURE, Block, Document, bind
from archspec.spec.network import Input, OutputSpec
from archspec.spec.reading import FAILED, as_fields, evaluate, read_model, unknown_kind
from archspec.types import TensorType

UNKNOWN = -2
"""Stands for a value whose layer could not be read or does not fit."""

MAX_NODES = 200_000
MAX_STEPS = 400_000
"""Entries looked at, those that `when` leaves out included."""
MAX_NESTING = 64
MAX_FINDINGS = 1_000
MAX_SIZE_SEARCHES = 3

COMMON = ("name", "from", "when")
"""Fields of every entry."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*(?:\.[A-Za-z0-9][A-Za-z0-9_]*)*\Z")

Values = tuple[int, ...]
"""What a chain carries from one entry to the next: usually one value, several where branches meet."""


class _Stop(Exception):
    """Ends elaboration; the reason is among the findings."""


@dataclass
class Scope:
    """A stretch of the network with names of its own. `prefix` ends with a dot unless it is empty."""

    prefix: str = ""
    parent: Scope | None = None
    names: dict[str, tuple[Values, Span]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def automatic(self, kind: str) -> str:
        """The next free name for an unnamed entry: the kind and a counter within this scope."""
        separator = "_" if kind[-1].isdigit() else ""
        while True:
            self.counters[kind] = self.counters.get(kind, 0) + 1
            name = f"{kind}{separator}{self.counters[kind]}"
            if name not in self.names:
                return name


@dataclass
class Frame:
    """Where expansion stands: the scope, what `$(…)` sees, which file's defaults hold, and the blocks being expanded."""

    scope: Scope
    env: Environment
    document: Document
    calls: tuple[tuple[str, Span], ...] = ()
    depth: int = 0

    def inner(self, *, scope: Scope | None = None, env: Environment | None = None) -> Frame:
        return Frame(scope or self.scope, env or self.env, self.document, self.calls, self.depth + 1)


@dataclass
class Entry:
    """One entry of a `layers:` list, taken apart."""

    kind: str
    kind_node: Located
    content: Located | None
    name: str | None
    name_node: Located
    span: Span


def elaborate(document: Document, input: Input, name: str, findings: Findings) -> Graph | None:
    """The graph of a document whose arguments are bound, or None with the reasons among the findings."""
    try:
        return _Elaborator(document, input, findings).graph(name)
    except _Stop:
        return None


class _Elaborator:
    def __init__(self, document: Document, input: Input, findings: Findings) -> None:
        self.document = document
        self.findings = findings
        self.input = TensorType((input.height, input.width, input.channels))
        self.nodes: list[Node] = []
        self.consumed: set[int] = set()
        self.steps = 0
        self.searches = 0
        self.instances: dict[tuple[int, int], tuple[object, Layer | None]] = {}
        """Layers of entries without `$(…)`, by entry; the entry is kept so that its id stays its own."""
        self.scopes: dict[str, Span] = {}

    def graph(self, name: str) -> Graph | None:
        root = self.document.root
        layers = root.get("layers")
        if layers is None:
            key = root.key("name")
            self.findings.error("E203", "the spec needs `layers`", key.span if key else root.span)
            return None
        frame = Frame(Scope(), self.document.env, self.document)
        end = self.chain(layers, frame, (INPUT,), "layers")
        outputs = self.outputs(frame.scope, end)
        if outputs is None or self.findings.failed:
            return None
        nodes = tuple(self.nodes)
        self.warn_unused(nodes, outputs)
        nodes, outputs = prune(nodes, outputs)
        return Graph(
            name=name,
            input=self.input,
            nodes=nodes,
            outputs=outputs,
            variant=self.document.variant,
            args=dict(self.document.env),
        )

    # Entries

    def chain(self, node: Located | None, frame: Frame, values: Values, what: str) -> Values:
        """Expands a list of entries; each takes what the one before it gives. Returns what the last one gives."""
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return values
        if not isinstance(node, LocatedSequence):
            self.findings.error(
                "E206", f"`{what}` is a list of layers, not {node.described}", node.span, help=["begin each with `- `"]
            )
            return (UNKNOWN,)
        if frame.depth > MAX_NESTING:
            self.stop("E402", f"blocks and branches are nested more than {MAX_NESTING} deep", node.span, frame)
        for item in node.items:
            values = self.entry(item, frame, values)
        return values

    def entry(self, node: Located, frame: Frame, values: Values) -> Values:
        self.count_step(node, frame)
        entry = self.read_entry(node, frame)
        if entry is None:
            return (UNKNOWN,)
        if isinstance(entry.content, LocatedMapping):
            when = self.condition(entry.content, frame)
            if when is not True:
                return values if when is False else (UNKNOWN,)
            source = entry.content.get("from")
            if source is not None:
                values = self.resolve(source, frame)
        block = frame.document.blocks.get(entry.kind)
        if block is not None:
            return self.block(block, entry, frame, values)
        if entry.kind == "repeat":
            return self.repeat(entry, frame, values)
        if entry.kind == "parallel":
            return self.parallel(entry, frame, values)
        if entry.kind == "residual":
            return self.residual(entry, frame, values)
        return self.layer(entry, frame, values)

    def read_entry(self, node: Located, frame: Frame) -> Entry | None:
        content: Located | None = None
        kind_node = node
        if isinstance(node, LocatedMapping):
            if len(node.entries) != 1:
                self.bad_entry(node)
                return None
            kind_node, content = next(iter(node.entries.values()))
        kind = evaluate(kind_node, frame.env, self.findings)
        if kind is FAILED:
            return None
        if not isinstance(kind, str):
            self.findings.error(
                "E207",
                f"an entry is a kind, or a kind with its fields, not {describe(kind)}",
                node.span,
                help=["for example `- relu` or `- conv: {filters: 64, kernel: 3}`"],
            )
            return None
        name, name_node, span = None, kind_node, kind_node.span
        if isinstance(content, LocatedMapping) and (found := content.get("name")) is not None:
            name_node = found
            value = evaluate(found, frame.env, self.findings)
            if value is FAILED:
                return None
            name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            if not isinstance(name, str) or not _NAME.match(name) or len(name) > 200 or name == "input":
                reason = "stands for the network's input" if name == "input" else "cannot be a name"
                self.findings.error(
                    "E213",
                    f"{describe(value)} {reason}",
                    found.span,
                    help=["names are letters, digits and _, and begin with a letter or digit"],
                )
                return None
        return Entry(kind, kind_node, content, name, name_node, span)

    def bad_entry(self, node: LocatedMapping) -> None:
        if not node.entries:
            self.findings.error("E207", "this entry is empty", node.span, help=["remove it, or name a kind"])
            return
        (first, (_, content)), (second, (key, _)) = list(node.entries.items())[:2]
        where = f"{first}: {{…, {second}: …}}" if content is not None else f"{first}: {{{second}: …}}"
        self.findings.error(
            "E207",
            f"an entry has one kind, but `{second[:60]}` stands beside `{first[:60]}`",
            key.span,
            help=[f"fields go inside: `- {where[:120]}`; a layer of its own begins with `- `"],
        )

    def condition(self, content: LocatedMapping, frame: Frame) -> Any:
        node = content.get("when")
        if node is None:
            return True
        value = evaluate(node, frame.env, self.findings)
        if value is FAILED:
            return FAILED
        if not isinstance(value, bool):
            self.findings.error("E206", f"`when` is true or false, not {describe(value)}", node.span)
            return FAILED
        return value

    def resolve(self, node: Located, frame: Frame) -> Values:
        """The values that `from` names, looked up from the inside out."""
        value = evaluate(node, frame.env, self.findings)
        if value is FAILED:
            return (UNKNOWN,)
        names = value if isinstance(value, list) else [value]
        nodes = node.items if isinstance(node, LocatedSequence) else [node] * len(names)
        if not names:
            self.findings.error("E206", "`from` names at least one layer", node.span)
            return (UNKNOWN,)
        found: list[int] = []
        for name, place in zip(names, nodes, strict=True):
            found.extend(self.lookup(name, place, frame.scope))
        return tuple(found)

    def lookup(self, name: Any, place: Located, scope: Scope) -> Values:
        if not isinstance(name, str):
            name = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
        if not isinstance(name, str):
            self.findings.error("E206", f"a layer's name is text, not {describe(name)}", place.span)
            return (UNKNOWN,)
        if name == "input":
            return (INPUT,)
        known: list[str] = ["input"]
        at: Scope | None = scope
        while at is not None:
            if name in at.names:
                return at.names[name][0]
            known.extend(at.names)
            at = at.parent
        hint = did_you_mean(name, known)
        later = self.defined_later(name)
        self.findings.error(
            "E210",
            f"there is no layer `{name[:60]}` before this one",
            place.span,
            secondary=[Label(later, "defined here, later")] if later else [],
            help=[hint] if hint else ([f"names so far: {listed(known)}"] if not later else []),
        )
        return (UNKNOWN,)

    def defined_later(self, name: str) -> Span | None:
        """Where the top level's list names a layer that has not been reached yet."""
        layers = self.document.root.get("layers")
        for item in layers.items if isinstance(layers, LocatedSequence) else []:
            for _, _, content in item.items() if isinstance(item, LocatedMapping) else ():
                found = content.get("name") if isinstance(content, LocatedMapping) else None
                if isinstance(found, Scalar) and found.value == name:
                    return found.span
        return None

    # Names

    def register(self, entry: Entry, name: str, values: Values, scope: Scope) -> None:
        """Gives a name in a scope its values. The name may have dots; it must not be taken."""
        earlier = scope.names.get(name)
        if earlier is not None:
            again = "again here"
            help = "choose another name"
            if earlier[1] == entry.name_node.span:
                again = "in every round of a repeat"
                help = f"insert the loop variable, `name: {name}$(i)`, or give the repeat a name"
            self.findings.error(
                "E211",
                f"the name `{scope.prefix}{name}` is taken",
                entry.name_node.span,
                again,
                secondary=[] if earlier[1] == entry.name_node.span else [Label(earlier[1], "first here")],
                help=[help],
            )
            return
        scope.names[name] = (values, entry.name_node.span)

    def open_scope(self, entry: Entry, name: str, frame: Frame, env: Environment | None = None) -> Frame:
        """A frame inside a named scope."""
        scope = Scope(f"{frame.scope.prefix}{name}.", frame.scope)
        return frame.inner(scope=scope, env=env)

    # Layers

    def layer(self, entry: Entry, frame: Frame, values: Values) -> Values:
        layer = self.read_layer(entry, frame)
        name = entry.name or frame.scope.automatic(entry.kind)
        if layer is None:
            self.register(entry, name, (UNKNOWN,), frame.scope)
            return (UNKNOWN,)
        return self.add(layer, name, entry, frame, values)

    def read_layer(self, entry: Entry, frame: Frame) -> Layer | None:
        kind = find_kind("layers", entry.kind)
        if kind is None:
            known = {*kind_names("layers"), *frame.document.blocks, *STRUCTURE}
            unknown_kind(entry.kind, entry.kind_node.span, known, "layer kind or block", self.findings)
            return None
        static = not (entry.content is not None and entry.content.dynamic)
        origin: object = entry.content if entry.content is not None else frame.document
        key = (id(origin), id(kind))
        if static and key in self.instances:
            return self.instances[key][1]
        fields = as_fields(kind, entry.content, entry.kind_node, self.findings)
        if fields is None:
            return None
        defaults = frame.document.defaults
        below = defaults.get(entry.kind) if defaults else None
        if fields.entries.keys() & set(COMMON):
            fields = fields.without(*COMMON)
        env = frame.env
        if isinstance(below, LocatedMapping):
            laid = merged(below, fields)
            assert isinstance(laid, LocatedMapping)
            fields = laid
            static = static and not below.dynamic
            if below.dynamic:
                env = {**frame.document.env, **frame.env}
        layer = read_model(kind, fields, env, self.findings, kind.kind, entry.span, also=COMMON)
        assert layer is None or isinstance(layer, Layer)
        if static:
            self.instances[key] = (origin, layer)
        return layer

    def add(self, layer: Layer, name: str, entry: Entry, frame: Frame, values: Values, help: str = "") -> Values:
        """Adds a node, or reports why its layer does not fit."""
        path = frame.scope.prefix + name
        if len(self.nodes) >= MAX_NODES:
            self.stop("E401", f"the network grows beyond {MAX_NODES:,} layers", entry.span, frame)
        self.consumed.update(values)
        node: Node | None = None
        if UNKNOWN not in values and self.count_inputs(layer, path, entry, frame, values):
            types = tuple(self.type_of(value) for value in values)
            try:
                output = layer.infer(*types)
            except ShapeError as error:
                self.misfit(error, layer, path, entry, frame, values, help)
            else:
                fields = [self.nodes[value].receptive_field if value != INPUT else POINT for value in values]
                field = receptive_field(layer.footprint(types, output), fields, types)
                node = Node(path, layer, values, types, output, field, entry.span)
                for text in layer.warnings(types, output):
                    self.findings.warning(
                        "W301",
                        f"{path}: {text}",
                        entry.span,
                        f"input is {listed(map(str, types))}, output is {output}",
                        secondary=self.callers(frame),
                    )
        result: Values = (UNKNOWN,)
        if node is not None:
            self.nodes.append(node)
            result = (len(self.nodes) - 1,)
        self.register(entry, name, result, frame.scope)
        return result

    def count_inputs(self, layer: Layer, path: str, entry: Entry, frame: Frame, values: Values) -> bool:
        low, high, count = layer.min_inputs, layer.max_inputs, len(values)
        if low <= count and (high is None or count <= high):
            return True
        wanted = f"{low} or more inputs" if high is None else ("one input" if high == 1 else f"{low} to {high} inputs")
        self.findings.error(
            "E307",
            f"{path} takes {wanted}, but has {count}",
            entry.span,
            secondary=self.callers(frame),
            help=["name them: `from: [a, b]`" if count < low else "join them first, with concat, add or multiply"],
        )
        return False

    def type_of(self, value: int) -> TensorType:
        return self.input if value == INPUT else self.nodes[value].output

    def misfit(
        self,
        error: ShapeError,
        layer: Layer,
        path: str,
        entry: Entry,
        frame: Frame,
        values: Values,
        help: str,
    ) -> None:
        """Reports why a layer does not fit: the reason is the layer's, node, place and inputs are added here."""
        span = self.field_span(error.field, layer, entry)
        label = "; ".join(self.origin(value) for value in values) if len(values) == 1 else ""
        notes = [] if label else [f"input {i + 1}: {self.origin(value)}" for i, value in enumerate(values)]
        ways = list(error.help)
        size = self.smallest_input(layer, values)
        if size:
            ways.append(f"or an input of {size[0]}×{size[1]} or more: --input {size[0]}x{size[1]}")
        self.findings.error(
            error.code,
            f"{path} {error.message}" if not error.message.startswith(layer.kind) else f"{path}: {error.message}",
            span,
            f"input is {label}" if label else "",
            secondary=self.callers(frame),
            notes=notes,
            help=[*ways, *([help] if help else [])],
        )

    def field_span(self, field: str | None, layer: Layer, entry: Entry) -> Span:
        content = entry.content
        if field is None or content is None:
            return entry.span
        if not isinstance(content, LocatedMapping):
            return content.span if field == layer.main else entry.span
        key, value = content.key(field), content.get(field)
        if key is None or value is None:
            return entry.span
        if key.source is value.source and key.line == value.end_line:
            return Span(key.source, key.line, key.column, value.end_line, value.end_column)
        return value.span

    def origin(self, value: int) -> str:
        if value == INPUT:
            return f"{self.input}, the network's input"
        node = self.nodes[value]
        line = f" (line {node.span.line})" if node.span else ""
        return f"{node.output}, from {node.path}{line}"

    def callers(self, frame: Frame) -> list[Label]:
        return [Label(span, f"in block `{name}`, called here") for name, span in reversed(frame.calls[-3:])]

    def smallest_input(self, layer: Layer, values: Values) -> tuple[int, int] | None:
        """The smallest larger input, in the same proportions, in which the layer fits."""
        nodes = tuple(self.nodes)
        indices = sorted(needed(nodes, values))
        if self.searches >= MAX_SIZE_SEARCHES or len(indices) > 2_000:
            return None
        self.searches += 1
        height, width, channels = self.input.shape

        def fits(scale: float) -> tuple[int, int] | None:
            size = (-int(-height * scale // 1), -int(-width * scale // 1))
            types = {INPUT: TensorType((*size, channels))}
            try:
                for index in indices:
                    node = nodes[index]
                    types[index] = node.layer.infer(*(types[source] for source in node.inputs))
                layer.infer(*(types[value] for value in values))
            except ShapeError:
                return None
            return size

        high = 2.0
        while fits(high) is None:
            high *= 2
            if high * max(height, width) > 2**15:
                return None
        low = high / 2
        while (high - low) * max(height, width) >= 0.5:
            middle = (low + high) / 2
            low, high = (low, middle) if fits(middle) else (middle, high)
        return fits(high)

    # Structure

    def fields(
        self, entry: Entry, frame: Frame, known: Sequence[str], required: Sequence[str]
    ) -> LocatedMapping | None:
        """The fields of a structural entry, checked for names."""
        if not isinstance(entry.content, LocatedMapping):
            self.findings.error(
                "E203",
                f"{entry.kind} needs {listed(f'`{name}`' for name in required)}",
                entry.span,
                help=[f"fields: {listed([*known, *COMMON])}"],
            )
            return None
        good = True
        for name, key, _ in entry.content.items():
            if name not in known and name not in COMMON:
                hint = did_you_mean(name, [*known, *COMMON])
                self.findings.error(
                    "E201",
                    f"{entry.kind} has no field `{name[:60]}`",
                    key.span,
                    help=[hint or f"fields: {listed([*known, *COMMON])}"],
                )
                good = False
        for name in required:
            if name not in entry.content.entries:
                self.findings.error("E203", f"{entry.kind} needs `{name}`", entry.span)
                good = False
        return entry.content if good else None

    def block(self, block: Block, entry: Entry, frame: Frame, values: Values) -> Values:
        """A call of a block: its arguments are evaluated here, its layers where it was defined."""
        name = entry.name or frame.scope.automatic(entry.kind)
        result: Values = (UNKNOWN,)
        arguments = self.call_arguments(block, entry, frame)
        if arguments is not None and not self.is_recursive(block, entry, frame):
            env = {**block.document.env, **arguments}
            inner = self.open_scope(entry, name, frame, env)
            inner.document = block.document
            inner.calls = (*frame.calls, (block.name, entry.span))
            result = self.chain(block.layers, inner, values, f"layers of block {block.name}")
        self.register(entry, name, result, frame.scope)
        return result

    def call_arguments(self, block: Block, entry: Entry, frame: Frame) -> dict[str, Any] | None:
        given: dict[str, tuple[Scalar, Located]] = {}
        content = entry.content
        if isinstance(content, LocatedMapping):
            given = {name: (key, value) for name, key, value in content.items() if name not in COMMON}
        elif content is not None and not (isinstance(content, Scalar) and content.value is None):
            first = next(iter(block.arguments), None)
            if first is None:
                self.findings.error("E205", f"block `{block.name}` takes no value", content.span)
                return None
            given = {first: (Scalar(content.source, content.place, first), content)}
        return bind(
            block.arguments,
            given,
            block.document.env,
            frame.env,
            self.findings,
            f"block `{block.name}`",
            entry.span,
        )

    def is_recursive(self, block: Block, entry: Entry, frame: Frame) -> bool:
        names = [name for name, _ in frame.calls]
        if block.name not in names:
            return False
        circle = " → ".join([*names[names.index(block.name) :], block.name])
        self.findings.error("E214", f"block `{block.name}` calls itself: {circle}", entry.span)
        return True

    def repeat(self, entry: Entry, frame: Frame, values: Values) -> Values:
        content = self.fields(entry, frame, ("times", "as", "layers"), ("times", "layers"))
        if content is None:
            return (UNKNOWN,)
        times_node, layers = content.get("times"), content.get("layers")
        assert times_node is not None
        times = evaluate(times_node, frame.env, self.findings)
        if times is FAILED:
            return (UNKNOWN,)
        if not isinstance(times, int) or isinstance(times, bool) or times < 0:
            self.findings.error(
                "E206", f"`times` of repeat must be a whole number of 0 or more, not {describe(times)}", times_node.span
            )
            return (UNKNOWN,)
        variable = self.variable(content, frame)
        if variable is FAILED:
            return (UNKNOWN,)
        single = self.single_entry(layers)
        outer = frame.inner() if entry.name is None else self.open_scope(entry, entry.name, frame)
        for index in range(times):
            self.count_step(entry.kind_node, frame)
            env = frame.env if variable is None else {**frame.env, variable: index}
            inner = Frame(outer.scope, env, frame.document, frame.calls, outer.depth)
            if entry.name is None:
                values = self.chain(layers, inner, values, "layers of repeat")
            elif single is not None:
                values = self.entry(self.named(single, str(index), inner), inner, values)
            else:
                inner.scope = Scope(f"{outer.scope.prefix}{index}.", outer.scope)
                values = self.chain(layers, inner, values, "layers of repeat")
                outer.scope.names[str(index)] = (values, entry.name_node.span)
        if entry.name is not None:
            self.register(entry, entry.name, values, frame.scope)
        return values

    def variable(self, content: LocatedMapping, frame: Frame) -> Any:
        node = content.get("as")
        if node is None:
            return None
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.isidentifier():
            return node.value
        self.findings.error("E206", f"`as` of repeat names a variable, not {node.described}", node.span)
        return FAILED

    def single_entry(self, layers: Located | None) -> Located | None:
        """The one unnamed entry of a body, which then takes the number of the round as its name."""
        if not isinstance(layers, LocatedSequence) or len(layers.items) != 1:
            return None
        item = layers.items[0]
        if isinstance(item, LocatedMapping) and len(item.entries) == 1:
            content = next(iter(item.entries.values()))[1]
            return None if isinstance(content, LocatedMapping) and content.get("name") is not None else item
        return item if isinstance(item, Scalar) else None

    def named(self, item: Located, name: str, frame: Frame) -> Located:
        """An entry with a name added."""
        key, content = next(iter(item.entries.values())) if isinstance(item, LocatedMapping) else (item, None)
        assert isinstance(key, Scalar)
        name_entry = (Scalar(key.source, key.place, "name"), Scalar(key.source, key.place, name))
        if not isinstance(content, LocatedMapping):
            kind_name = evaluate(key, frame.env, self.findings)
            main: str | None = None
            if isinstance(kind_name, str) and kind_name in frame.document.blocks:
                main = next(iter(frame.document.blocks[kind_name].arguments), None)
            elif isinstance(kind_name, str):
                kind = find_kind("layers", kind_name)
                main = kind.main if kind else None
            if content is None or (isinstance(content, Scalar) and content.value is None) or main is None:
                entries = {} if main is not None or content is None else {"value": (key, content)}
            else:
                entries = {main: (Scalar(content.source, content.place, main), content)}
            content = LocatedMapping(key.source, key.place, entries)
            content.dynamic = any(value.dynamic for _, value in entries.values())
        fields = LocatedMapping(content.source, content.place, {**content.entries, "name": name_entry})
        fields.dynamic = content.dynamic
        result = LocatedMapping(item.source, item.place, {str(key.value): (key, fields)})
        result.dynamic = item.dynamic
        return result

    def parallel(self, entry: Entry, frame: Frame, values: Values) -> Values:
        content = self.fields(entry, frame, ("branches", "join"), ("branches",))
        branches = content.get("branches") if content else None
        if content is None or branches is None:
            return (UNKNOWN,)
        inner = frame.inner() if entry.name is None else self.open_scope(entry, entry.name, frame)
        ends: list[int] = []
        if isinstance(branches, LocatedSequence):
            for item in branches.items:
                ends.extend(self.chain(item, inner, values, "branches of parallel"))
        elif isinstance(branches, LocatedMapping):
            for name, key, item in branches.items():
                branch = Entry("branch", key, None, name, key, key.span)
                if not _NAME.match(name):
                    self.findings.error("E213", f"`{name[:60]}` cannot be a name", key.span)
                    continue
                found = self.chain(item, self.open_scope(branch, name, inner), values, f"branch {name}")
                self.register(branch, name, found, inner.scope)
                ends.extend(found)
        else:
            self.findings.error(
                "E206", f"`branches` is a list of lists of layers, not {branches.described}", branches.span
            )
            return (UNKNOWN,)
        if not ends:
            self.findings.error("E206", "`branches` of parallel is empty", branches.span)
            return (UNKNOWN,)
        node = content.get("join")
        join = "concat" if node is None else evaluate(node, frame.env, self.findings)
        if join is FAILED:
            return (UNKNOWN,)
        if join not in ("concat", "add", "multiply"):
            assert node is not None
            hint = did_you_mean(str(join), ("concat", "add", "multiply"))
            self.findings.error(
                "E206", f"`join` is concat, add or multiply, not {describe(join)}", node.span, help=[hint] if hint else []
            )
            return (UNKNOWN,)
        return self.join(join, entry, frame, inner, tuple(ends))

    def join(self, kind: str, entry: Entry, frame: Frame, inner: Frame, values: Values, help: str = "") -> Values:
        """Joins branches; a named structure stands for the join's output."""
        if len(values) > 1:
            plain = Entry(kind, entry.kind_node, None, None, entry.kind_node, entry.span)
            layer = self.read_layer(plain, frame)
            if layer is None:
                return (UNKNOWN,)
            values = self.add(layer, inner.scope.automatic(kind), plain, inner, values, help)
        if entry.name is not None:
            self.register(entry, entry.name, values, frame.scope)
        return values

    def residual(self, entry: Entry, frame: Frame, values: Values) -> Values:
        content = self.fields(entry, frame, ("layers", "shortcut"), ("layers",))
        if content is None:
            return (UNKNOWN,)
        inner = frame.inner() if entry.name is None else self.open_scope(entry, entry.name, frame)
        body = self.chain(content.get("layers"), inner, values, "layers of residual")
        node = content.get("shortcut")
        how: Any = "identity"
        if isinstance(node, LocatedSequence):
            how = "layers"
        elif node is not None:
            how = evaluate(node, frame.env, self.findings)
        if how is FAILED or UNKNOWN in body or UNKNOWN in values:
            return self.join("add", entry, frame, inner, (UNKNOWN, UNKNOWN))
        if how == "auto":
            same = [self.type_of(value) for value in body] == [self.type_of(value) for value in values]
            how = "identity" if same else "projection"
        help = ""
        if how == "identity":
            shortcut = values
            help = "`shortcut: projection` brings the input to the body's shape with a strided 1×1 convolution"
        elif how == "layers":
            branch = self.open_scope(entry, inner.scope.automatic("shortcut"), inner)
            shortcut = self.chain(node, branch, values, "shortcut of residual")
        elif how == "projection":
            shortcut = self.projection(entry, frame, inner, values, body)
        else:
            assert node is not None
            hint = did_you_mean(str(how), ("identity", "projection", "auto"))
            self.findings.error(
                "E206",
                f"`shortcut` is identity, projection, auto or a list of layers, not {describe(how)}",
                node.span,
                help=[hint] if hint else [],
            )
            shortcut = (UNKNOWN,)
        return self.join("add", entry, frame, inner, (*body, *shortcut), help)

    def projection(self, entry: Entry, frame: Frame, inner: Frame, values: Values, body: Values) -> Values:
        """A strided 1×1 convolution and batch normalisation (He et al. 2016, option B)."""
        have, want = self.type_of(values[0]), self.type_of(body[0])
        strides = []
        if have.is_map and want.is_map:
            for axis in (0, 1):
                fitting = (s for s in range(1, have.shape[axis] + 1) if (have.shape[axis] - 1) // s + 1 == want.shape[axis])
                strides.append(next(fitting, 0))
        if not strides or 0 in strides:
            self.findings.error(
                "E306",
                f"no strided 1×1 convolution brings {have} to {want}",
                entry.span,
                secondary=self.callers(frame),
                help=["give the shortcut as a list of layers"],
            )
            return (UNKNOWN,)
        branch = self.open_scope(entry, inner.scope.automatic("shortcut"), inner)
        key = entry.kind_node
        for kind, fields in (
            ("conv", {"filters": want.channels, "kernel": 1, "stride": strides, "bias": False}),
            ("batch_norm", {}),
        ):
            place = (key.source, key.place)
            given: dict[str, tuple[Scalar, Located]] = {
                name: (Scalar(*place, name), _plain(value, key)) for name, value in fields.items()
            }
            part = Entry(kind, key, LocatedMapping(*place, given), None, key, entry.span)
            layer = self.read_layer(part, frame)
            if layer is None:
                return (UNKNOWN,)
            values = self.add(layer, kind, part, branch, values)
        return values

    # Ends

    def outputs(self, scope: Scope, end: Values) -> tuple[Output, ...] | None:
        node = self.document.root.get("outputs")
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return self.last_output(scope, end)
        if not isinstance(node, LocatedMapping):
            return None
        found: list[Output] = []
        for name, key, value in node.items():
            spec = self.output(name, key, value)
            if spec is None:
                continue
            place = value.get("from") if isinstance(value, LocatedMapping) else value
            values = self.lookup(spec.source, place or value, scope)
            if UNKNOWN in values:
                continue
            if len(values) != 1:
                self.findings.error("E307", f"output `{name}` must be one value", value.span)
                continue
            found.append(Output(name, values[0], spec.weight, spec.train_only))
        if len(found) == len(node.entries) and not any(not output.train_only for output in found):
            self.findings.error(
                "E215", "no output is left for evaluation", node.span, help=["one must not be `train_only`"]
            )
            return None
        return tuple(found) if len(found) == len(node.entries) else None

    def output(self, name: str, key: Scalar, value: Located) -> OutputSpec | None:
        if not _NAME.match(name):
            self.findings.error("E213", f"`{name[:60]}` cannot be a name", key.span)
            return None
        env = self.document.env
        if isinstance(value, LocatedMapping):
            return read_model(OutputSpec, value, env, self.findings, f"output `{name}`", key.span)
        source = evaluate(value, env, self.findings)
        if source is FAILED:
            return None
        if not isinstance(source, str):
            self.findings.error("E206", f"output `{name}` names a layer, not {describe(source)}", value.span)
            return None
        return OutputSpec.model_validate({"from": source})

    def last_output(self, scope: Scope, end: Values) -> tuple[Output, ...] | None:
        if UNKNOWN in end:
            return None
        if len(end) != 1:
            self.findings.error("E307", f"the network ends in {len(end)} values", help=["join them, or name `outputs`"])
            return None
        if end[0] == INPUT:
            layers = self.document.root.get("layers")
            self.findings.error("E216", "the network has no layers", layers.span if layers else None)
            return None
        return (Output("output", end[0]),)

    def warn_unused(self, nodes: tuple[Node, ...], outputs: tuple[Output, ...]) -> None:
        keep = needed(nodes, (output.node for output in outputs))
        for index, node in enumerate(nodes):
            if index not in keep and index not in self.consumed:
                self.findings.warning(
                    "W302",
                    f"nothing uses the output of {node.path}; it is left out of the network",
                    node.span,
                    help=["take it with `from:`, name it in `outputs:`, or remove it"],
                )

    # Bounds

    def count_step(self, node: Located, frame: Frame) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            self.stop("E401", f"the spec expands to more than {MAX_STEPS:,} entries", node.span, frame)
        if len(self.findings.items) > MAX_FINDINGS:
            raise _Stop

    def stop(self, code: str, message: str, span: Span, frame: Frame) -> None:
        self.findings.error(
            code, message, span, secondary=self.callers(frame), help=["look at the `times` of repeats, and at blocks"]
        )
        raise _Stop


def _plain(value: Any, at: Located) -> Located:
    from archspec.spec.document import locate

    found = locate(value, at.source)
    found.line, found.column, found.end_line, found.end_column = at.place
    return found
