"""Expands lists of entries: each entry is a layer, a block, or a structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from archspec.diagnostics import Findings, Span
from archspec.elaborate import structure
from archspec.elaborate.placing import Placer
from archspec.elaborate.scope import (
    COMMON,
    NAME,
    PREVIOUS,
    UNKNOWN,
    Context,
    Entry,
    Scope,
    StopElaboration,
    Values,
)
from archspec.expressions import MISSING, Deferred, Environment, Incoming, layered
from archspec.graph import Node
from archspec.kinds import STRUCTURE, Kind, KindError, find_kind, kind_names
from archspec.layers import Layer
from archspec.located import Located, Mapping, Scalar, Sequence, describe, is_null, merged
from archspec.spec.document import Document
from archspec.spec.reading import FAILED, as_fields, evaluate, read_model

MAX_STEPS = 400_000
"""Entries looked at, those that `when` leaves out included."""
MAX_NESTING = 64

DEFAULTS_OF_IMPLIED = {"conv": ("init",), "depthwise_conv": ("init",), "batch_norm": ("epsilon", "momentum")}
"""Fields of `defaults:` that hold for layers that nobody wrote, by kind: how their weights begin and how they compute.

What such a layer is, its shape and its weights, is what the structure says: the papers' projection is a 1×1 convolution
without padding, groups or bias, and a batch normalisation with a factor and a summand.
"""
MAX_FINDINGS = 300


class Expander:
    """Expands a document's layers into a placer's nodes."""

    suggesting = True
    """Whether other inputs are looked for where a layer does not fit, for which the network is expanded many times."""

    def __init__(self, document: Document, placer: Placer, findings: Findings) -> None:
        self.document = document
        self.placer = placer
        self.findings = findings
        self.steps = 0
        self.written_names: dict[str, Span] | None = None
        """Names in the top level's list, made when a message first needs them."""
        self.left_out: dict[str, Span] = {}
        """Where entries that `when` leaves out have their names, by path."""
        self.instances: dict[tuple[int, int, bool], tuple[object, Layer | None]] = {}
        """Layers of entries without `$(…)`, by entry; the entry is kept so that its id stays its own."""

        self.asked: set[int] = set()
        """Values that some `from` names."""
        self.undecided: Values | None = None
        """What the chain begins with where the network has several inputs."""

    def chain(self, node: Located | None, context: Context, values: Values, what: str) -> Values:
        """Expands a list of entries; each takes what the one before it gives. Returns what the last one gives."""
        if node is None or is_null(node):
            return values
        if not isinstance(node, Sequence):
            from archspec.spec.rewriting import listed_entries

            help = "begin each with `- `"
            self.findings.error(
                "E206",
                f"`{what}` is a list of layers, not {node.described}",
                node.span,
                help=[help],
                mends=listed_entries(node, help),
            )
            return (UNKNOWN,)
        if context.depth > MAX_NESTING:
            self.placer.stop("E402", f"blocks and branches are nested more than {MAX_NESTING} deep", node.span, context)
        for item in node.items:
            values = self.entry(item, context, values)
        return values

    def entry(self, node: Located, context: Context, values: Values, *, name: str | None = None) -> Values:
        """Expands one entry. `name` is for an entry that has none of its own."""
        self.count_step(node, context)
        if node.dynamic:
            scope, given = context.scope, values
            context = context.seeing(Deferred(lambda: self.incoming(scope, given)))
        entry = self.read_entry(node, context)
        if entry is None:
            return (UNKNOWN,)
        entry.name = entry.name or name
        entry.previous = values
        if isinstance(entry.content, Mapping):
            when = self.condition(entry.content, context)
            if when is not True:
                return self.not_taken(entry, context, values, decided=when is False)
            source = entry.content.get("from")
            if source is not None:
                values = self.resolve(source, context, values)
        if values is self.undecided:
            from archspec.elaborate.unfound import without_from

            return without_from(self, entry, context)
        block = context.document.blocks.get(entry.kind)
        if block is None and entry.kind not in STRUCTURE:
            return self.layer(entry, context, values)
        if entry.name is not None and entry.name in context.scope.names:
            # Nothing is expanded into a scope that is another's: every layer's path in it would be taken too.
            self.placer.register(entry, entry.name, (UNKNOWN,), context.scope)
            return (UNKNOWN,)
        begin = len(self.placer.nodes)
        if entry.weights is not None:
            from archspec.elaborate import sharing

            entry.sharing = sharing.owner_scope(self, entry, entry.weights, context)
            if entry.sharing is None:
                self.placer.register(
                    entry, entry.name or context.scope.automatic(entry.kind), (UNKNOWN,), context.scope
                )
                return (UNKNOWN,)
        if block is not None:
            values = structure.block(self, block, entry, context, values)
        else:
            values = structure_of(entry.kind)(self, entry, context, values)
            if UNKNOWN in values and entry.name is not None and entry.name not in context.scope.names:
                # Whoever names it is passed over in silence.
                self.placer.register(entry, entry.name, values, context.scope)
        if entry.opened is not None:
            self.placer.ranges[entry.opened] = (begin, len(self.placer.nodes))
            if entry.sharing is not None:
                from archspec.elaborate import sharing

                sharing.check_scope(self, entry.sharing, begin)
        return values

    def not_taken(self, entry: Entry, context: Context, values: Values, *, decided: bool) -> Values:
        """What comes of an entry that `when` leaves out, or of which it could not be `decided` whether it does."""
        own = entry.name
        if own is None and structure.is_named(entry):
            # It counts all the same, so that automatic names do not depend on what is left out.
            own = context.scope.automatic(entry.kind)
        if decided:
            if own is not None:
                self.left_out[context.scope.prefix + own] = entry.name_node.span
            return values
        if own is not None and own not in context.scope.names:
            # Whoever names it is passed over in silence.
            self.placer.register(entry, own, (UNKNOWN,), context.scope)
        return (UNKNOWN,)

    def incoming(self, scope: Scope, values: Values) -> Environment:
        """What expressions see of types: those of the block's or the network's inputs, and of what the chain gave."""
        home = scope.home
        return self.seen(home.inputs or (), home.input_names, values)

    def seen(self, inputs: Values, names: tuple[str, ...], previous: Values) -> Environment:
        """What expressions see of the types of inputs, under their names too, and of what the chain last gave."""
        types = self.placer.types_if_known
        found = {"input": Incoming("input", types(inputs)), PREVIOUS: Incoming(PREVIOUS, types(previous))}
        for name, value in zip(names, inputs, strict=False):
            if name != "input":
                found[name] = Incoming(name, types((value,)))
        return found

    def read_entry(self, node: Located, context: Context) -> Entry | None:
        content: Located | None = None
        kind_node = node
        if isinstance(node, Mapping):
            alone = next(iter(node.entries.values())) if len(node.entries) == 1 else None
            # `type: relu`, as other formats have it, where `type` is no block.
            typed = alone is not None and alone[0].value == "type" and isinstance(alone[1], Scalar)
            if alone is None or (typed and "type" not in context.document.blocks):
                from archspec.elaborate.unfound import bad_entry

                bad_entry(self, node)
                return None
            kind_node, content = alone
        kind = evaluate(kind_node, context.sight, self.findings)
        if kind is FAILED:
            return None
        if not isinstance(kind, str):
            self.findings.error(
                "E207",
                f"an entry is a kind, or a kind with its fields, not {describe(kind)}",
                node.span,
                help=[
                    "for example `- relu` or `- conv: {filters: 64, kernel: 3}`",
                    *(["`from` names the layers it takes, and `repeat` repeats"] if isinstance(kind, list) else []),
                ],
            )
            return None
        name, name_node, span = None, kind_node, kind_node.span
        if isinstance(content, Mapping) and (written := content.get("name")) is not None:
            name_node = written
            value = evaluate(written, context.sight, self.findings)
            if value is FAILED:
                return None
            name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            if not self.is_name(name, written, value):
                return None
        return Entry(kind, kind_node, content, name, name_node, span)

    def is_name(self, name: Any, place: Located, value: Any) -> TypeGuard[str]:
        """Whether a name may be given to something in `layers`; if not, that is reported."""
        if not isinstance(name, str):
            name = ""
        stands = {"input": "the network's input", PREVIOUS: "what the chain last gave"}.get(name.partition(".")[0])
        if stands is not None and (name in ("input", PREVIOUS) or name.startswith(f"{PREVIOUS}.")):
            from archspec.spec.mending import renamed

            way = f"rename it, to `{name}_` or so"
            mends = renamed(place, f"{name}_", way)
            self.findings.error("E213", f"{describe(value)} stands for {stands}", place.span, help=[way], mends=mends)
            return False
        if not NAME.match(name) or len(name) > 200:
            help = ["names are letters, digits and _"]
            self.findings.error("E213", f"{describe(value)} cannot be a name", place.span, help=help)
            return False
        return True

    def condition(self, content: Mapping, context: Context) -> Any:
        node = content.get("when")
        if node is None:
            return True
        value = evaluate(node, context.sight, self.findings)
        if value is FAILED:
            return FAILED
        if not isinstance(value, bool):
            from archspec.spec.rewriting import flag

            help, mends = flag(node)
            said = f"`when` is true or false, not {describe(value)}"
            self.findings.error("E206", said, node.span, help=help, mends=mends)
            return FAILED
        return value

    def resolve(self, node: Located, context: Context, previous: Values) -> Values:
        """The values that `from` names, looked up from the inside out."""
        value = evaluate(node, context.sight, self.findings)
        if value is FAILED:
            return (UNKNOWN,)
        names = value if isinstance(value, list) else [value]
        nodes = node.items if isinstance(node, Sequence) else [node] * len(names)
        if not names:
            self.findings.error("E206", "`from` names at least one layer", node.span)
            return (UNKNOWN,)
        values: list[int] = []
        for name, place in zip(names, nodes, strict=True):
            values.extend(self.lookup(name, place, context.scope, previous, context.env))
        self.asked.update(values)
        return tuple(values)

    def lookup(
        self, name: Any, place: Located, scope: Scope, previous: Values, env: Environment | None = None
    ) -> Values:
        """The values of a name, looked up from the inside out; `previous` is what the chain last gave.

        `env` has what expressions in the name were computed from, for messages.
        """
        if not isinstance(name, str):
            name = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
        if not isinstance(name, str):
            self.findings.error("E206", f"a layer's name is text, not {describe(name)}", place.span)
            return (UNKNOWN,)
        values = scope.seen(name)
        if values is not None:
            return values
        home = scope.home
        if home.inputs is not None and name in home.input_names:
            return (home.inputs[home.input_names.index(name)],)
        for word, given in (("input", home.inputs), (PREVIOUS, previous)):
            if name == word and given is not None:
                return given
            number = name.removeprefix(f"{word}.")
            if number != name and given is not None and number.isascii() and number.isdigit() and len(number) < 7:
                index = int(number)
                if index < len(given) and str(index) == number:
                    return (given[index],)
                if UNKNOWN in given:
                    return (UNKNOWN,)
        from archspec.elaborate.unfound import not_found

        not_found(self, name, place, scope, env or {})
        return (UNKNOWN,)

    def layer(self, entry: Entry, context: Context, values: Values) -> Values:
        owner: Node | None = None
        layer: Layer | None = None
        if entry.weights is None:
            layer = self.read_layer(entry, context)
        elif self.kind_of(entry, context) is not None:
            from archspec.elaborate import sharing

            owner = sharing.owner_layer(self, entry, entry.weights, context)
            layer = self.read_layer(entry, context, owner) if owner is not None else None
            if layer is not None and owner is not None and not sharing.check_layer(self, layer, owner, entry):
                layer = None
        name = entry.name or context.scope.automatic(entry.kind)
        if layer is None:
            self.placer.register(entry, name, (UNKNOWN,), context.scope)
            return (UNKNOWN,)
        references = self.references(layer, entry, context) if layer.references else ()
        return self.placer.add(layer, name, entry, context, values, references=references, owner=owner)

    def references(self, layer: Layer, entry: Entry, context: Context) -> Values:
        """The nodes that a layer's fields name, looked up as `from` does."""
        sources: list[int] = []
        for field in layer.referred():
            written = entry.content.get(field) if isinstance(entry.content, Mapping) else entry.content
            place = written if written is not None else entry.name_node
            values = self.lookup(getattr(layer, field), place, context.scope, entry.previous, context.env)
            if len(values) != 1:
                self.findings.error("E307", f"`{field}` names one value, not {len(values)}", place.span)
                values = (UNKNOWN,)
            sources.extend(values)
        return tuple(sources)

    def kind_of(self, entry: Entry, context: Context) -> type[Kind] | None:
        """The kind of an entry that is a layer; None with the reason reported, or that of a failed import."""
        try:
            kind = find_kind("layers", entry.kind)
        except KindError as error:
            self.findings.error("E217", str(error), entry.span)
            return None
        if kind is None and not context.document.lacks_blocks:
            from archspec.spec.unknown import unknown_kind

            known = {*kind_names("layers"), *context.document.blocks, *STRUCTURE}
            unknown_kind(entry.kind, entry.kind_node.span, known, "layer kind or block", self.findings)
        return kind

    def read_layer(self, entry: Entry, context: Context, owner: Node | None = None) -> Layer | None:
        """The layer of an entry; fields that are left out are the owner's, where it uses another layer's arrays."""
        kind = self.kind_of(entry, context)
        if kind is None:
            return None
        static = owner is None and not (entry.content is not None and entry.content.dynamic)
        origin: object = entry.content if entry.content is not None else context.document
        key = (id(origin), id(kind), entry.implied)
        if static and key in self.instances:
            return self.instances[key][1]
        fields = as_fields(kind, entry.content, entry.kind_node, self.findings)
        if fields is None:
            return None
        defaults = context.document.defaults
        below = defaults.get(entry.kind) if defaults else None
        if entry.implied and isinstance(below, Mapping):
            below = below.only(*DEFAULTS_OF_IMPLIED.get(entry.kind, ()))
        if fields.entries.keys() & set(COMMON):
            fields = fields.without(*COMMON)
        env = context.sight
        if owner is not None:
            from archspec.elaborate import sharing

            fields, below = sharing.laid_over_owner(owner, fields), None
        if isinstance(below, Mapping):
            laid = merged(below, fields)
            assert isinstance(laid, Mapping)
            fields = laid
            static = static and not below.dynamic
            if below.dynamic:
                seen = context.incoming
                if seen is None:
                    seen = self.incoming(context.scope, entry.previous)
                env = layered(layered(context.env, context.document.env), seen)
        layer: Kind | None
        if not fields.entries and not kind.needs_validation():
            layer = kind.plain_default()
        else:
            layer = read_model(kind, fields, env, self.findings, kind.kind, entry.span, also=COMMON)
        assert layer is None or isinstance(layer, Layer)
        if static:
            self.instances[key] = (origin, layer)
        return layer

    def check_size(self, layers: Located | None, context: Context) -> None:
        """Stops before anything is expanded where the entries are certain to be too many."""
        counted = Counted(self)
        for item in layers.items if isinstance(layers, Sequence) else ():
            if counted.entry(item, context.document, context.env, 0) > MAX_STEPS:
                key = next(iter(item.entries.values()))[0] if isinstance(item, Mapping) and item.entries else item
                self.placer.stop("E401", f"the spec expands to more than {MAX_STEPS:,} entries", key.span, context)

    def count_rounds(self, steps: int, node: Located, context: Context) -> None:
        """Stops where so many steps that are still to come, at least, would be too many."""
        if self.steps + steps > MAX_STEPS:
            self.placer.stop("E401", f"the spec expands to more than {MAX_STEPS:,} entries", node.span, context)

    def count_step(self, node: Located, context: Context) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            self.placer.stop("E401", f"the spec expands to more than {MAX_STEPS:,} entries", node.span, context)
        if len(self.findings.items) > MAX_FINDINGS:
            raise StopElaboration


class Counted:
    """How many entries a list expands to at least, from what is written and the arguments' values alone."""

    def __init__(self, expander: Expander) -> None:
        self.expander = expander
        self.blocks: dict[int, int] = {}

    def chain(self, node: Located | None, document: Document, env: Environment, depth: int) -> int:
        if not isinstance(node, Sequence) or depth > MAX_NESTING:
            return 0
        return sum(self.entry(item, document, env, depth) for item in node.items)

    def entry(self, node: Located, document: Document, env: Environment, depth: int) -> int:
        """The steps of one entry; 1 where it may be left out, or nothing more is known of it."""
        content: Located | None = None
        kind = node
        if isinstance(node, Mapping):
            if len(node.entries) != 1:
                return 1
            kind, content = next(iter(node.entries.values()))
        name = kind.value if isinstance(kind, Scalar) else None
        if not isinstance(name, str) or (isinstance(content, Mapping) and content.get("when") is not None):
            return 1
        block = document.blocks.get(name)
        if block is not None:
            if id(block) not in self.blocks:
                self.blocks[id(block)] = 0  # a block that calls itself is reported where it is expanded
                home = block.document or self.expander.document
                unknown: Environment = dict.fromkeys(block.arguments, MISSING)
                self.blocks[id(block)] = self.chain(block.layers, home, layered(unknown, home.env), depth + 1)
            return 1 + self.blocks[id(block)]
        if not isinstance(content, Mapping):
            return 1
        if name == "repeat":
            counter = content.get("as")
            inner = env
            if isinstance(counter, Scalar) and isinstance(counter.value, str):
                inner = layered({counter.value: MISSING}, env)
            written = content.get("times")
            times = evaluate(written, env, Findings()) if written is not None else 0
            if isinstance(times, bool) or not isinstance(times, int) or times < 1:
                return 1
            return 1 + times * (1 + self.chain(content.get("layers"), document, inner, depth + 1))
        if name == "residual":
            parts = [content.get("layers"), content.get("shortcut")]
        elif name == "parallel":
            branches = content.get("branches")
            mapped = [value for _, _, value in branches.items()] if isinstance(branches, Mapping) else []
            parts = list(branches.items) if isinstance(branches, Sequence) else list(mapped)
        else:
            return 1
        return 1 + sum(self.chain(part, document, env, depth + 1) for part in parts)


def structure_of(kind: str) -> Callable[[Expander, Entry, Context, Values], Values]:
    """What expands a structural entry."""
    if kind in ("split", "separable_conv"):
        from archspec.elaborate import parts

        return parts.split if kind == "split" else parts.separable_conv
    return {"repeat": structure.repeat, "parallel": structure.parallel, "residual": structure.residual}[kind]
