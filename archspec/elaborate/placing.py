"""Places layers in the graph: infers types, and says why a layer does not fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from archspec.diagnostics import (
    Diagnostic,
    Findings,
    Label,
    Mend,
    Setting,
    ShapeError,
    Span,
    article,
    listed,
    ways_of,
)
from archspec.elaborate.scope import UNKNOWN, Context, Entry, Scope, StopElaboration, Values
from archspec.fields import MAX_SIZE
from archspec.figures.receptive_field import POINT, ReceptiveField, receptive_field
from archspec.graph import INPUT, BlockUse, GraphInput, Node, input_number, is_input, needed
from archspec.kinds import STRUCTURE, is_foreign
from archspec.layers import Layer
from archspec.located import Mapping
from archspec.types import TensorType

MAX_NODES = 200_000
MAX_SIZE_SEARCHES = 3
MAX_INPUT = 2**15
"""The longer side of the largest input that is tried."""


class Misfit(NamedTuple):
    """A layer that does not fit, and its inputs."""

    item: Diagnostic
    layer: Layer
    values: Values


class Placer:
    """The nodes so far. Layers that do not fit leave `UNKNOWN` behind."""

    def __init__(
        self, inputs: tuple[GraphInput, ...], findings: Findings, *, searches: int = MAX_SIZE_SEARCHES
    ) -> None:
        self.inputs = inputs
        self.findings = findings
        self.nodes: list[Node] = []
        self.consumed: set[int] = set()
        self.searches = searches
        self.misfits: list[Misfit] = []
        """The first layers that do not fit."""
        self.blocks: dict[str, BlockUse] = {}
        self.places: dict[str, int] = {}
        """The nodes' indices by path."""
        self.ranges: dict[str, tuple[int, int]] = {}
        """The nodes of the scopes that entries opened, by path: the first, and the one after the last."""
        self.calls: dict[str, dict[str, Any]] = {}
        """The arguments of calls of blocks, by path."""
        self.structures: dict[str, tuple[Entry, Context]] = {}
        """What was written of named structures, and where, by path."""
        self.leaves: set[str] = set()
        self.branches: set[str] = set()
        self.refused: set[Span] = set()
        """Where it was reported that arrays cannot be shared."""

    def add(
        self,
        layer: Layer,
        name: str,
        entry: Entry,
        context: Context,
        values: Values,
        help: Setting | None = None,
        references: Values = (),
        owner: Node | None = None,
    ) -> Values:
        """Adds a node, or reports why its layer does not fit. `references` are what its fields name.

        `owner` is the layer whose arrays it uses, where it names one.
        """
        path = context.scope.prefix + name
        if len(self.nodes) >= MAX_NODES:
            self.stop("E401", f"the network grows beyond {MAX_NODES:,} layers", entry.span, context)
        known = UNKNOWN not in values and self.count_inputs(layer, path, entry, context, values)
        values = (*values, *references)
        self.consumed.update(values)
        node: Node | None = None
        types = self.types_of(layer, values, path, entry) if known and UNKNOWN not in values else None
        if types is not None:
            try:
                output = self.of_foreign(layer, types) if is_foreign(type(layer)) else layer.infer(*types)
                if max(output.shape) > MAX_SIZE:
                    raise ShapeError(f"makes {output}, and no side may be more than {MAX_SIZE:,}")
            except ShapeError as error:
                self.misfit(error, layer, path, entry, context, values, types, help)
            except Exception as error:
                self.defect(error, layer, path, entry)
            else:
                field, sees = self.field_of(layer, values, types, output)
                node = Node(path, layer, values, types, output, field, entry.span, sees=sees)
                # Where only whether all layers fit is asked, nobody reads warnings.
                for text in layer.warnings(types, output) if self.searches else ():
                    said, settings = ways_of(layer.warning_help(text))
                    self.findings.warning(
                        "W301",
                        f"{path}: {text}",
                        entry.span,
                        f"input is {listed(map(str, types))}, output is {output}",
                        secondary=callers(context),
                        help=said,
                        mends=self.mends(settings, layer, types, entry),
                    )
        result: Values = (UNKNOWN,)
        if node is not None and self.is_free(path, name, entry, context.scope):
            if owner is not None or context.sharing is not None:
                node = self.sharing(node, owner, context)
            self.places[path] = len(self.nodes)
            self.nodes.append(node)
            result = (len(self.nodes) - 1,)
        self.register(entry, name, result, context.scope)
        return result

    def of_foreign(self, layer: Layer, types: tuple[TensorType, ...]) -> TensorType:
        """The output of a layer that is not this package's own; what its other rules raise is raised here."""
        from archspec.plugins import checked_type

        return checked_type(layer, types)

    def sharing(self, node: Node, owner: Node | None, context: Context) -> Node:
        """The node with the arrays of another one, where it is to use them; what does not fit is reported."""
        asked = context.sharing if owner is None else None
        if asked is not None and node.arrays:
            place = self.places.get(asked.owner_of(node.path))
            owner = self.nodes[place] if place is not None else None
        if owner is None:
            return node
        from archspec.elaborate.sharing import differing, report_misfit

        if node.arrays != owner.arrays or differing(node.layer, owner.layer):
            if asked is None or not asked.failed:
                report_misfit(node, owner, asked, self)
            return node
        return replace(node, shares=owner.owner, counted=False)

    def opened(self, context: Context, kind: str, span: Span) -> Context:
        """A named context, of which is kept what was expanded in it."""
        self.blocks[context.scope.prefix[:-1]] = BlockUse(kind, span)
        return context

    def types_of(self, layer: Layer, values: Values, path: str, entry: Entry) -> tuple[TensorType, ...] | None:
        """The types of what a layer takes of its inputs; None where it wants indices of a layer that has none."""
        types = []
        for value, port in zip(values, layer.ports(len(values)), strict=True):
            kind: TensorType | None = self.type_of(value)
            if port == "indices":
                node = None if is_input(value) else self.nodes[value]
                kind = node.layer.tap_indices(*node.input_types) if node else None
                if kind is None:
                    name = next(name for name, port in layer.referred().items() if port == "indices")
                    what = f"`{node.path}`, {article(node.kind)}," if node else "the network's input"
                    self.findings.error(
                        "E308",
                        f"{path}: {what} has no indices; a max_pool has",
                        self.field_span(name, layer, entry),
                        help=[f"`{name}` names the max_pool that this layer undoes"],
                    )
            if kind is None:
                return None
            types.append(kind)
        return tuple(types)

    def field_of(
        self, layer: Layer, values: Values, types: tuple[TensorType, ...], output: TensorType
    ) -> tuple[ReceptiveField, int | None]:
        """The receptive field, over every value of which more than the shape is taken, and the input it is a field of.

        Fields over different inputs have no union: the first input that is no vector is the one that counts.
        """
        if not self.searches:
            return POINT, None  # only whether all layers fit is asked
        ports = layer.ports(len(values))
        taken = [index for index, port in enumerate(ports) if port != "shape"]
        sees: int | None = INPUT
        over = taken
        if len(self.inputs) > 1 or self.inputs[0].type.is_vector:
            seen = [self.sees(values[index]) for index in taken]
            sees = max((source for source in seen if source is not None), default=None)
            if sees is None:
                return POINT, None
            over = [index for index, source in zip(taken, seen, strict=True) if source == sees]
        fields = [POINT if is_input(values[i]) else self.nodes[values[i]].receptive_field for i in over]
        return receptive_field(layer.footprint(types, output), fields, [types[i] for i in over]), sees

    def sees(self, value: int) -> int | None:
        """The input that a value's receptive field is a field of."""
        if is_input(value):
            return None if self.type_of(value).is_vector else value
        return self.nodes[value].sees

    def is_free(self, path: str, name: str, entry: Entry, scope: Scope) -> bool:
        """Whether a layer's path is no scope's path, and no part of it is a layer's: both are attributes."""
        parts = path.split(".")
        above = {".".join(parts[:count]) for count in range(1, len(parts))}
        taken = next((name for name in above if name in self.leaves), path if path in self.branches else None)
        if taken is None and path in self.leaves and name not in scope.names:
            self.findings.error(
                "E211", f"the name `{path}` is taken", entry.name_node.span, help=["choose another name"]
            )
            return False
        self.leaves.add(path)
        self.branches |= above
        if taken is not None:
            self.findings.error(
                "E211",
                f"`{taken}` cannot be both a layer and a scope with layers inside",
                entry.name_node.span,
                help=["choose another name"],
            )
        return taken is None

    def defect(self, error: Exception, layer: Layer, path: str, entry: Entry) -> None:
        """Reports a kind whose own code fails, as other packages' may."""
        from archspec.plugins import failure

        for item in failure(path, type(layer), error, entry.span).diagnostics:
            self.findings.add(item)

    def count_inputs(self, layer: Layer, path: str, entry: Entry, context: Context, values: Values) -> bool:
        low, high, count = layer.min_inputs, layer.max_inputs, len(values)
        if low <= count and (high is None or count <= high):
            return True
        wanted = f"{low} or more inputs" if high is None else ("one input" if high == 1 else f"{low} to {high} inputs")
        self.findings.error(
            "E307",
            f"{path} takes {wanted}, but has {count}",
            entry.span,
            secondary=callers(context),
            help=["name them: `from: [a, b]`"] if count < low else one_of(values, context.scope),
        )
        return False

    def type_of(self, value: int) -> TensorType:
        return self.inputs[input_number(value)].type if is_input(value) else self.nodes[value].output

    def types_if_known(self, values: Values) -> tuple[TensorType | None, ...]:
        """The types of values, None for those that could not be made."""
        return tuple(None if value == UNKNOWN else self.type_of(value) for value in values)

    @property
    def input(self) -> TensorType:
        """The type of the network's first input."""
        return self.inputs[0].type

    def misfit(
        self,
        error: ShapeError,
        layer: Layer,
        path: str,
        entry: Entry,
        context: Context,
        values: Values,
        types: tuple[TensorType, ...],
        help: Setting | None,
    ) -> None:
        """Reports why a layer does not fit: the reason is the layer's, node, place and inputs are added here.

        `help` is what the entry says that made a layer which nobody wrote.
        """
        span = self.field_span(error.field, layer, entry)
        label = "; ".join(self.origin(value) for value in values) if len(values) == 1 else ""
        notes = [] if label else [f"input {i + 1}: {self.origin(value)}" for i, value in enumerate(values)]
        item = Diagnostic(
            error.code,
            f"{path} {error.message}" if error.message.startswith("does not fit") else f"{path}: {error.message}",
            Label(span, f"input is {label}" if label else ""),
            secondary=tuple(callers(context)),
            notes=tuple(notes),
            help=(*error.help, *([help.help] if help is not None else [])),
            mends=self.mends(error.settings, layer, types, entry, help),
        )
        self.findings.add(item)
        if len(self.misfits) < self.searches:
            self.misfits.append(Misfit(item, layer, values))

    def mends(
        self,
        settings: tuple[Setting, ...],
        layer: Layer,
        types: tuple[TensorType, ...],
        entry: Entry,
        outer: Setting | None = None,
    ) -> tuple[Mend, ...]:
        """Mends of a layer by what it says that it would fit with, and by what the entry around it says."""
        if not self.searches or (not settings and outer is None):
            return ()
        from archspec.elaborate.ways import mends_of

        return mends_of(settings, layer, types, entry, outer)

    def field_span(self, field: str | None, layer: Layer, entry: Entry) -> Span:
        content = entry.content
        if field is None or content is None:
            return entry.span
        if not isinstance(content, Mapping):
            return content.span if field == layer.main else entry.span
        key, value = content.key(field), content.get(field)
        if key is None or value is None:
            return entry.span
        if key.source is value.source and key.line == value.end_line:
            return Span(key.source, key.line, key.column, value.end_line, value.end_column)
        return value.span

    def origin(self, value: int) -> str:
        if is_input(value):
            which = f"input `{self.inputs[input_number(value)].name}`" if len(self.inputs) > 1 else "input"
            return f"{self.type_of(value)}, the network's {which}"
        node = self.nodes[value]
        line = f" (line {node.span.line})" if node.span else ""
        return f"{node.output}, from {node.path}{line}"

    def least_scale(self, layer: Layer, values: Values) -> float | None:
        """The least factor by which the input must grow, in the same proportions, for the layer to fit."""
        nodes = self.nodes
        indices = sorted(needed(nodes, values))
        if len(indices) > 2_000:
            return None
        longest = max(self.input.spatial)

        def fits(scale: float) -> bool:
            types = {input_number(place): item.type for place, item in enumerate(self.inputs)}
            types[INPUT] = scaled(self.input, scale)
            places: dict[int, TensorType | None] = {}

            def taken(layer: Layer, values: Values) -> Iterator[TensorType]:
                for value, port in zip(values, layer.ports(len(values)), strict=True):
                    kind = places[value] if port == "indices" else types[value]
                    assert kind is not None
                    yield kind

            try:
                for index in indices:
                    node = nodes[index]
                    inputs = tuple(taken(node.layer, node.inputs))
                    types[index] = node.layer.infer(*inputs)
                    places[index] = node.layer.tap_indices(*inputs)
                layer.infer(*taken(layer, values))
            except ShapeError:
                return False
            return True

        high = 2.0
        while not fits(high):
            high *= 2
            if high * longest > MAX_INPUT:
                return None
        low = high / 2
        while (high - low) * longest >= 0.5:
            middle = (low + high) / 2
            low, high = (low, middle) if fits(middle) else (middle, high)
        return high

    def register(self, entry: Entry, name: str, values: Values, scope: Scope) -> None:
        """Gives a name in a scope its values. The name may have dots; it must not be taken."""
        earlier = scope.names.get(name)
        if name in scope.input_names and name != "input":
            self.findings.error(
                "E211",
                f"the name `{scope.prefix}{name}` is an input's",
                entry.name_node.span,
                help=["choose another name"],
            )
            return
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

    def stop(self, code: str, message: str, span: Span, context: Context) -> None:
        self.findings.error(
            code, message, span, secondary=callers(context), help=["look at the `times` of repeats, and at blocks"]
        )
        raise StopElaboration


def scaled(input: TensorType, scale: float) -> TensorType:
    """An input's type with height and width, or its length, grown by a factor."""
    return TensorType((*(math.ceil(side * scale) for side in input.spatial), input.channels))


def one_of(values: Values, scope: Scope) -> list[str]:
    """What to do where an entry takes one value, but is given several."""
    at: Scope | None = scope
    while at is not None:
        if at.inputs == values and at.input_names:
            names = listed(f"`{name}`" for name in at.input_names)
            call = "" if at is scope or scope.inputs != values else ", where the block is called"
            return [
                f"these are the inputs {names}: `from: {at.input_names[0]}` takes one{call}",
                "or join them first, with concat, add or multiply",
            ]
        at = at.parent
    return ["join them first, with concat, add or multiply, or take one by its name"]


def callers(context: Context) -> list[Label]:
    """Where the blocks that are being expanded were called, and an owner's layers used, innermost first."""
    return [
        Label(span, f"{name} with these layers again" if name in STRUCTURE else f"in block `{name}`, called here")
        for name, span in reversed(context.calls[-3:])
    ]
