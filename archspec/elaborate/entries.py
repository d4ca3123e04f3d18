"""Expands lists of entries: each entry is a layer, a block, or a structure."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import Findings, Label, Span, did_you_mean, listed
from archspec.elaborate import structure
from archspec.elaborate.placing import Placer
from archspec.elaborate.scope import COMMON, NAME, UNKNOWN, Entry, Frame, Scope, StopElaboration, Values
from archspec.kinds import Kind, KindError, find_kind, kind_names
from archspec.layers import Layer
from archspec.located import Located, Mapping, Scalar, Sequence, describe, is_null, merged
from archspec.spec.document import STRUCTURE, Document
from archspec.spec.reading import FAILED, as_fields, evaluate, read_model, unknown_kind

MAX_STEPS = 400_000
"""Entries looked at, those that `when` leaves out included."""
MAX_NESTING = 64

DEFAULTS_OF_IMPLIED = {"conv": ("init",), "batch_norm": ("epsilon", "momentum")}
"""Fields of `defaults:` that hold for layers that nobody wrote, by kind: how their weights begin and how they compute.

What such a layer is, its shape and its weights, is what the structure says: the papers' projection is a 1×1 convolution
without padding, groups or bias, and a batch normalisation with a factor and a summand.
"""
MAX_FINDINGS = 300


class Expander:
    """Expands a document's layers into a placer's nodes."""

    def __init__(self, document: Document, placer: Placer, findings: Findings) -> None:
        self.document = document
        self.placer = placer
        self.findings = findings
        self.steps = 0
        self.instances: dict[tuple[int, int, bool], tuple[object, Layer | None]] = {}
        """Layers of entries without `$(…)`, by entry; the entry is kept so that its id stays its own."""

    def chain(self, node: Located | None, frame: Frame, values: Values, what: str) -> Values:
        """Expands a list of entries; each takes what the one before it gives. Returns what the last one gives."""
        if node is None or is_null(node):
            return values
        if not isinstance(node, Sequence):
            self.findings.error(
                "E206", f"`{what}` is a list of layers, not {node.described}", node.span, help=["begin each with `- `"]
            )
            return (UNKNOWN,)
        if frame.depth > MAX_NESTING:
            self.placer.stop("E402", f"blocks and branches are nested more than {MAX_NESTING} deep", node.span, frame)
        for item in node.items:
            values = self.entry(item, frame, values)
        return values

    def entry(self, node: Located, frame: Frame, values: Values, *, name: str | None = None) -> Values:
        """Expands one entry. `name` is for an entry that has none of its own."""
        self.count_step(node, frame)
        entry = self.read_entry(node, frame)
        if entry is None:
            return (UNKNOWN,)
        entry.name = entry.name or name
        if isinstance(entry.content, Mapping):
            when = self.condition(entry.content, frame)
            if when is False:
                if entry.name is None and entry.kind not in STRUCTURE:
                    # It counts all the same, so that automatic names do not depend on what is left out.
                    frame.scope.automatic(entry.kind)
                return values
            if when is not True:
                return (UNKNOWN,)
            source = entry.content.get("from")
            if source is not None:
                values = self.resolve(source, frame)
        block = frame.document.blocks.get(entry.kind)
        if block is not None:
            return structure.block(self, block, entry, frame, values)
        if entry.kind in STRUCTURE:
            return STRUCTURES[entry.kind](self, entry, frame, values)
        return self.layer(entry, frame, values)

    def read_entry(self, node: Located, frame: Frame) -> Entry | None:
        content: Located | None = None
        kind_node = node
        if isinstance(node, Mapping):
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
        if isinstance(content, Mapping) and (found := content.get("name")) is not None:
            name_node = found
            value = evaluate(found, frame.env, self.findings)
            if value is FAILED:
                return None
            name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            if not isinstance(name, str) or not NAME.match(name) or len(name) > 200 or name == "input":
                reason = "stands for the network's input" if name == "input" else "cannot be a name"
                self.findings.error(
                    "E213",
                    f"{describe(value)} {reason}",
                    found.span,
                    help=["names are letters, digits and _, and begin with a letter or digit"],
                )
                return None
        return Entry(kind, kind_node, content, name, name_node, span)

    def bad_entry(self, node: Mapping) -> None:
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

    def condition(self, content: Mapping, frame: Frame) -> Any:
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
        nodes = node.items if isinstance(node, Sequence) else [node] * len(names)
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
        known: list[str] = ["input"]
        at: Scope | None = scope
        while at is not None:
            found = at.find(name)
            if found is not None:
                return found
            known.extend(at.names)
            if at.inputs is not None:
                break
            at = at.parent
        if at is not None and at.inputs is not None and name.split(".")[0] == "input":
            numbered = {f"input.{index}": (value,) for index, value in enumerate(at.inputs)}
            if name in ("input", *numbered):
                return numbered.get(name, at.inputs)
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
        for item in layers.items if isinstance(layers, Sequence) else []:
            for _, _, content in item.items() if isinstance(item, Mapping) else ():
                found = content.get("name") if isinstance(content, Mapping) else None
                if isinstance(found, Scalar) and found.value == name:
                    return found.span
        return None

    def layer(self, entry: Entry, frame: Frame, values: Values) -> Values:
        layer = self.read_layer(entry, frame)
        name = entry.name or frame.scope.automatic(entry.kind)
        if layer is None:
            self.placer.register(entry, name, (UNKNOWN,), frame.scope)
            return (UNKNOWN,)
        references = self.references(layer, entry, frame) if layer.references else ()
        return self.placer.add(layer, name, entry, frame, values, references=references)

    def references(self, layer: Layer, entry: Entry, frame: Frame) -> Values:
        """The nodes that a layer's fields name, looked up as `from` does."""
        found: list[int] = []
        for field in layer.referred():
            written = entry.content.get(field) if isinstance(entry.content, Mapping) else entry.content
            place = written if written is not None else entry.name_node
            values = self.lookup(getattr(layer, field), place, frame.scope)
            if len(values) != 1:
                self.findings.error("E307", f"`{field}` names one value, not {len(values)}", place.span)
                values = (UNKNOWN,)
            found.extend(values)
        return tuple(found)

    def read_layer(self, entry: Entry, frame: Frame) -> Layer | None:
        try:
            kind = find_kind("layers", entry.kind)
        except KindError as error:
            self.findings.error("E217", str(error), entry.span)
            return None
        if kind is None:
            known = {*kind_names("layers"), *frame.document.blocks, *STRUCTURE}
            unknown_kind(entry.kind, entry.kind_node.span, known, "layer kind or block", self.findings)
            return None
        static = not (entry.content is not None and entry.content.dynamic)
        origin: object = entry.content if entry.content is not None else frame.document
        key = (id(origin), id(kind), entry.implied)
        if static and key in self.instances:
            return self.instances[key][1]
        fields = as_fields(kind, entry.content, entry.kind_node, self.findings)
        if fields is None:
            return None
        defaults = frame.document.defaults
        below = defaults.get(entry.kind) if defaults else None
        if entry.implied and isinstance(below, Mapping):
            below = below.only(*DEFAULTS_OF_IMPLIED.get(entry.kind, ()))
        if fields.entries.keys() & set(COMMON):
            fields = fields.without(*COMMON)
        env = frame.env
        if isinstance(below, Mapping):
            laid = merged(below, fields)
            assert isinstance(laid, Mapping)
            fields = laid
            static = static and not below.dynamic
            if below.dynamic:
                env = {**frame.document.env, **frame.env}
        layer: Kind | None
        if not fields.entries and not kind.needs_validation():
            layer = kind.plain_default()
        else:
            layer = read_model(kind, fields, env, self.findings, kind.kind, entry.span, also=COMMON)
        assert layer is None or isinstance(layer, Layer)
        if static:
            self.instances[key] = (origin, layer)
        return layer

    def count_step(self, node: Located, frame: Frame) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            self.placer.stop("E401", f"the spec expands to more than {MAX_STEPS:,} entries", node.span, frame)
        if len(self.findings.items) > MAX_FINDINGS:
            raise StopElaboration


STRUCTURES = {"repeat": structure.repeat, "parallel": structure.parallel, "residual": structure.residual}
