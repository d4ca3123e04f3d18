"""Entries as the language writes them: one template for all entries of a place, values by the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from archspec.graph import Graph, input_number, is_input
from archspec.kinds import find_kind
from archspec.rolling.block_names import block_name, settle
from archspec.rolling.entries import Call, Chain, Entry, Layer, Parallel, Repeat, Residual
from archspec.rolling.environments import ANY, Body, Counted, Document, Environment, Inexpressible, Staged
from archspec.rolling.formulas import Formula, inner
from archspec.rolling.found import key_of
from archspec.rolling.marks import SIZES
from archspec.rolling.naming import Names
from archspec.rolling.parts import Block, Plain, is_default, is_implied, place_of, same, uses, whose
from archspec.rolling.reducing import PADDED, default_of

Values = list["int | None"]


class Template:
    """Writes the list of a graph. Raises `Inexpressible` where there is no way to."""

    def __init__(
        self,
        graph: Graph,
        chain: Chain,
        blocks: list[list[Call]],
        single: set[int],
        names: Names,
        defaults: Mapping[str, Mapping[str, Any]],
        *,
        classes: Literal["none", "vectors", "maps"],
    ) -> None:
        """`classes` says which outputs have a channel for each class, whose number is an argument."""
        self.classes = classes
        self.graph = graph
        self.calls = blocks
        self.single = single
        self.names = names
        self.defaults = defaults
        self.document = Document()
        self.written: dict[int, Block] = {}
        """Blocks by their numbers, those first that others call."""
        self.places = {id(call): place for calls in blocks for place, call in enumerate(calls)}
        self.loops = 0
        self.has_stages = False
        """Whether the outermost loop around what is written is called `stage`."""
        self.body: Body | None = None
        first: list[int | None] = [-1 if len(graph.inputs) == 1 else None]
        self.layers = self.chain([chain], first, self.document)

    def chain(self, lists: Sequence[Chain], before: Values, around: Environment) -> list[Plain]:
        """A list of entries that stands for all these lists, each after the value before it."""
        made: list[Plain] = []
        for column in zip(*lists, strict=True):
            made.extend(self.entry(list(column), before, around))
            before = [value if entry is None else entry.out for entry, value in zip(column, before, strict=True)]
        return made

    def entry(self, column: list[Entry | None], before: Values, around: Environment) -> list[Plain]:
        """What stands for the entries of one place."""
        first = next((entry for entry in column if entry is not None), None)
        if first is None:
            return []
        fields: dict[str, Any] = {}
        name = self.name(column, around)
        if name is not None:
            fields["name"] = name
        match first:
            case Layer():
                return [self.layer(cast("list[Layer | None]", column), first, before, around, fields)]
            case Call() if first.block in self.single:
                if None in column:
                    raise Inexpressible
                bodies = [entry.body for entry in cast("list[Call]", column)]
                return self.chain(bodies, before, around)
        source = self.source(column, before, around)
        if source is not None:
            fields["from"] = source
        self.condition(column, around, fields)
        match first:
            case Call():
                return [self.call(cast("list[Call | None]", column), first, around, fields)]
            case Parallel():
                return [self.parallel(cast("list[Parallel | None]", column), first, around, fields)]
            case Residual():
                return [self.residual(cast("list[Residual | None]", column), around, fields)]
            case Repeat():
                return [self.repeat(cast("list[Repeat | None]", column), first, before, around, fields)]
        raise TypeError(type(first).__name__)

    def name(self, column: list[Entry | None], around: Environment) -> Any:
        names = [entry.name for entry in column if entry is not None]
        if all(name is None for name in names):
            return None
        if len(names) < len(column):
            names = [entry.name if entry is not None else names[0] for entry in column]
        return around.express_text(names)

    def condition(self, column: Sequence[Entry | None], around: Environment, fields: dict[str, Any]) -> None:
        """Says when the entries of a place are there, where some are not."""
        if None in column:
            if self.body is not None:
                self.body.whose = whose(next(entry for entry in column if entry is not None))
            fields["when"] = around.express([entry is not None for entry in column], "when")

    def source(self, column: Sequence[Entry | None], before: Values, around: Environment) -> Any:
        """What `from` says; None where the entries take what is before them."""
        if all(entry is None or entry.inputs == (value,) for entry, value in zip(column, before, strict=True)):
            return None
        count = max(len(entry.inputs) for entry in column if entry is not None)
        words = []
        for place in range(count):
            texts: list[str | None] = []
            for entry, value in zip(column, before, strict=True):
                if entry is None:
                    texts.append(None)
                    continue
                if len(entry.inputs) != count:
                    raise Inexpressible
                texts.append(self.word(entry.inputs[place], entry, value))
            known = next(text for text in texts if text is not None)
            words.append(around.express_text([text or known for text in texts]))
        return words[0] if count == 1 else words

    def word(self, source: int, entry: Entry, before: int | None) -> str:
        """What one source is called where an entry stands."""
        if source == before:
            return "previous"
        home = self.names.homes[id(entry)]
        taken = self.names.inputs_at(home)
        if source in taken:
            return "input" if len(taken) == 1 else f"input.{taken.index(source)}"
        if is_input(source):
            return self.graph.inputs[input_number(source)].name
        return self.names.path(source, home)

    # Layers

    def layer(
        self, column: list[Layer | None], first: Layer, before: Values, around: Environment, fields: dict[str, Any]
    ) -> Plain:
        kinds = {entry.kind for entry in column if entry is not None}
        kind: Any = first.kind
        source = self.source(column, before, around)
        if source is not None:
            fields["from"] = source
        if len(kinds) > 1 or (first.is_activation and None in column):
            named = ["none" if entry is None else entry.kind for entry in column]
            kind = around.express(named, "activation")
            if None in column:
                fields["when"] = Formula(f"{inner(kind)} != 'none'")
            return self.short(kind, fields, None)
        self.condition(column, around, fields)
        for field in first.references:
            texts = [
                None if entry is None else self.word(entry.references[field], entry, value)
                for entry, value in zip(column, before, strict=True)
            ]
            known = next(text for text in texts if text is not None)
            fields[field] = around.express_text([text or known for text in texts])
        cls = find_kind("layers", first.kind)
        assert cls is not None
        names = list(dict.fromkeys(name for entry in column if entry is not None for name in entry.fields))
        names.sort(key=lambda name: (name != cls.main, place_of(name)))
        standing = self.defaults.get(first.kind, {})
        for field in names:
            row: list[Any] = [ANY if entry is None else entry.fields.get(field) for entry in column]
            if field == "pad" and first.kind in PADDED and self.is_bare(column):
                continue
            usual = standing[field] if field in standing else default_of(cls, field)
            if usual is None and all(entry is None or is_implied(cls, entry, field) for entry in column):
                continue
            if all(value is ANY or (value == usual and type(value) is type(usual)) for value in row):
                continue
            if any(value is None for value in row):
                raise Inexpressible
            fields[field] = around.express(row, field)
        if isinstance(around, Document) and cls.main in SIZES and self.is_head(first, cls.main):
            self.document.arguments["classes"] = fields[cls.main]
            fields[cls.main] = Formula("classes")
        return self.short(kind, fields, cls.main)

    def is_head(self, layer: Layer, field: str) -> bool:
        """Whether a layer is an output that has a channel for each class, as the main output has."""
        if self.classes == "none" or all(output.node != layer.out for output in self.graph.outputs):
            return False
        whole = self.graph.output_type(self.graph.main_output)
        places = self.graph.nodes[layer.out].output.spatial
        return layer.fields.get(field) == whole.channels and (self.classes == "maps" or set(places) <= {1})

    def is_bare(self, column: list[Layer | None]) -> bool:
        """Whether no padding is written: where there is none."""
        present = [entry for entry in column if entry is not None]
        one = all(entry.fields["pad"] == "same" and entry.fields["kernel"] == 1 for entry in present)
        return one or all(entry.fields["pad"] == "valid" for entry in present)

    def short(self, kind: Any, fields: dict[str, Any], main: str | None) -> Plain:
        """A kind alone, with its main value, or with its fields."""
        if not fields:
            return cast("Plain", kind)
        if main is not None and list(fields) == [main] and not isinstance(fields[main], dict):
            return {kind: fields[main]}
        return {kind: fields}

    # Structures

    def parallel(
        self, column: list[Parallel | None], first: Parallel, around: Environment, fields: dict[str, Any]
    ) -> Plain:
        branches = []
        for number, branch in enumerate(first.branches):
            lists: list[Chain] = [
                entry.branches[number] if entry is not None else [None] * len(branch) for entry in column
            ]
            label = self.body.label if self.body is not None else ""
            if self.body is not None:
                self.body.label = f"{label}{number}."
            branches.append(self.chain(lists, [None if e is None else e.inputs[0] for e in column], around))
            if self.body is not None:
                self.body.label = label
        fields["branches"] = branches
        if first.join.kind != "concat":
            fields["join"] = first.join.kind
        return {"parallel": fields}

    def residual(self, column: list[Residual | None], around: Environment, fields: dict[str, Any]) -> Plain:
        present = [entry for entry in column if entry is not None]
        starts: Values = [None if entry is None else entry.inputs[0] for entry in column]
        if any(entry.projected for entry in present):
            fields["shortcut"] = "auto"
        elif any(entry.shortcut for entry in present):
            longest = max(len(entry.shortcut) for entry in present)
            lists: list[Chain] = [
                entry.shortcut if entry is not None and entry.shortcut else [None] * longest for entry in column
            ]
            fields["shortcut"] = self.chain(lists, starts, around)
        bodies: list[Chain] = [[None] * len(present[0].body) if entry is None else entry.body for entry in column]
        fields["layers"] = self.chain(bodies, starts, around)
        return {"residual": fields}

    # Loops

    def repeat(
        self, column: list[Repeat | None], first: Repeat, before: Values, around: Environment, fields: dict[str, Any]
    ) -> Plain:
        if None in column:
            raise Inexpressible
        repeats = cast("list[Repeat]", column)
        variable = self.variable(first)
        lists: list[Chain] = []
        starts: Values = []
        if first.staged:
            inside: Environment = Staged(around, variable)
            for repeat, value in zip(repeats, before, strict=True):
                other = repeat.rounds[1 if len(repeat.rounds) > 1 else 0]
                end = repeat.rounds[0][-1]
                lists += [repeat.rounds[0], other]
                starts += [value, end.out if end is not None and len(repeat.rounds) > 1 else value]
        else:
            inside = Counted(around, variable, len(first.rounds))
            for repeat, value in zip(repeats, before, strict=True):
                for chain in repeat.rounds:
                    lists.append(chain)
                    starts.append(value)
                    end = chain[-1]
                    value = end.out if end is not None else value
        fields |= {"times": 0, "as": variable}
        self.loops += 1
        staged = self.has_stages
        try:
            fields["times"] = around.express([len(repeat.rounds) for repeat in repeats], "times")
            layers = self.chain(lists, starts, inside)
        except Inexpressible as reason:
            reason.culprit = reason.culprit or key_of(first.rounds)
            raise
        self.loops -= 1
        self.has_stages = staged and self.loops > 0
        fields["layers"] = layers
        if not uses(fields.get("layers"), variable):
            del fields["as"]
        return {"repeat": fields}

    def variable(self, repeat: Repeat) -> str:
        """A name for a loop's variable that no loop around it has."""
        if not self.loops and any(isinstance(entry, Repeat) for entry in repeat.rounds[0]):
            self.has_stages = True
            return "stage"
        number = self.loops - self.has_stages
        return "ijklmn"[number] if number < 6 else f"i{number}"

    # Blocks

    def call(self, column: list[Call | None], first: Call, around: Environment, fields: dict[str, Any]) -> Plain:
        block = self.block(first.block)
        for name, row in block.rows.items():
            values = [ANY if entry is None else row[self.places[id(entry)]] for entry in column]
            usual = block.arguments[name]
            if is_default(usual) and all(value is ANY or same(value, usual) for value in values):
                continue
            if all(value is ANY for value in values):
                values = [next(value for value in row if value is not ANY)] * len(values)
            if isinstance(usual, list) or usual == "type pair":
                values = [v[0] if isinstance(v, list) and v[0] == v[1] else v for v in values]
            fields[name] = around.express(values, name)
        main = next(iter(block.arguments), None)
        return self.short(block.name, fields, main)

    def block(self, number: int) -> Block:
        """A block, written when it is first called."""
        if number in self.written:
            return self.written[number]
        calls = self.calls[number]
        types = [self.graph.source_type(call.inputs[0]) for call in calls]
        body = Body(len(calls), {"input.channels": [kind.channels for kind in types]})
        before, loops, self.body, self.loops = self.body, (self.loops, self.has_stages), body, 0
        self.has_stages = False
        block = Block("")
        try:
            layers = self.chain([call.body for call in calls], [call.inputs[0] for call in calls], body)
            block.layers = settle(block, body, layers)
        except Inexpressible as reason:
            reason.culprit = reason.culprit or key_of([call.body for call in calls])
            raise
        self.body, (self.loops, self.has_stages) = before, loops
        block.name = block_name(calls, {b.name for b in self.written.values()})
        self.written[number] = block
        return block
