"""Classes of a network as classes of Python: what a framework's writer gives is what its modules look like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from archspec.diagnostics import count
from archspec.exporting.source.body import Body, Words, condition_of, filled, together
from archspec.exporting.source.classes import NO_DEFAULT, Call, Class, Expression, Form, Segment, Slot, Tree
from archspec.exporting.source.layout import INDENT, WIDTH, definition, fitted, paragraph, plain
from archspec.exporting.source.naming import attribute, variable
from archspec.types import TensorType

MOST_TOLD = 60
"""Letters of a condition that names modules; one that would be longer is a flag."""


@dataclass(frozen=True)
class Dialect:
    """How a framework has modules.

    `extra` stands behind the arguments of each constructor, `passed` behind those that classes are made with. `taken`
    are attributes that its modules have already. `list_of` makes a list of modules, of `{list}` or of the items `{0}`,
    and `chain_of` one that is called at once, "" where there is none. `set_item` and `get_item` are for modules whose
    names are made in a loop, `empty` is one without anything, `nothing` one that changes nothing.
    """

    base: str
    call: str
    array: str
    super_init: bool
    extra: str
    passed: str
    taken: Collection[str]
    list_of: str
    chain_of: str
    set_item: str
    get_item: str
    empty: str
    nothing: str
    shape: Callable[[TensorType], str]
    reserved: Collection[str]


class Writer:
    """Writes the classes of a tree."""

    def __init__(self, tree: Tree, dialect: Dialect) -> None:
        self.tree = tree
        self.dialect = dialect
        self.reserved = {*dialect.reserved, "self", *(own.name for own in tree.classes)}

    def text(self, own: Class, doc: list[str], ending: Sequence[str] = ()) -> list[str]:
        """A class, or the function of one without modules, with the lines of its docstring.

        `ending` are more statements of the constructor.
        """
        if not own.has_modules:
            return self._function(own, doc)
        dialect = self.dialect
        lines = [f"class {own.name}({dialect.base}):", *(f"{' ' * INDENT}{line}".rstrip() for line in doc), ""]
        parameters = [declared(item.name, item.types_text, item.default) for item in own.parameters]
        if dialect.extra:
            parameters += ["*", dialect.extra]
        lines += definition("def __init__", ["self", *parameters], "None", 4)
        if dialect.super_init:
            lines.append("        super().__init__()")
        lines += [f"        self.{attribute(name, dialect.taken)} = {name}" for name in sorted(self._kept(own))]
        lines += self._members(own)
        lines += ending
        if lines[-1].endswith("-> None:"):
            lines.append("        pass")
        inputs = self._inputs(own)
        given = [f"{name}: {dialect.array}" for name in inputs]
        arrays = [dialect.array] * len(own.outputs)
        result = arrays[0] if len(arrays) == 1 else f"tuple[{', '.join(arrays)}]"
        lines += ["", *definition(f"def {dialect.call}", ["self", *given], result, 4)]
        return [*lines, *self.body(own, inputs).written()]

    def _function(self, own: Class, doc: list[str]) -> list[str]:
        inputs = self._inputs(own)
        given = [f"{name}: {self.dialect.array}" for name in inputs]
        given += [declared(item.name, item.types_text, item.default) for item in own.parameters]
        arrays = [self.dialect.array] * len(own.outputs)
        result = arrays[0] if len(arrays) == 1 else f"tuple[{', '.join(arrays)}]"
        lines = definition(f"def {own.name}", given, result)
        body = self.body(own, inputs)
        body.indent = INDENT
        return [*lines, *(f"{' ' * INDENT}{line}".rstrip() for line in doc), *body.written()]

    def body(self, own: Class, inputs: list[str]) -> Body:
        """What the class does when it is called."""
        words = Words(self.call, self.dialect.shape, self.loop, self.present, self.reserved)
        return Body(own, words, inputs)

    def _inputs(self, own: Class) -> list[str]:
        """Names of what a class takes: x, and others as they are called where they come from."""
        names = ["x"]
        for _ in own.uses[0].names[1:]:
            stem = "skip"
            found, number = stem, 2
            while found in names or found in self.reserved or not found.isidentifier():
                found, number = f"{stem}{number}", number + 1
            names.append(found)
        if own is self.tree.network and own.takes > 1:
            names = [attribute(name, (*self.reserved, "x")) for name in own.uses[0].names]
        return names[: own.takes]

    # What stands in the constructor

    def _kept(self, own: Class) -> set[str]:
        """The arguments that calls need too."""
        expressions: list[Expression] = [text for slot, text in own.slots.items() if self._is_called(own, slot)]
        expressions += [
            call.condition
            for number, call in enumerate(own.calls)
            if call.condition is not None and not self._telling(own, number)
        ]
        expressions += [
            item.count for call in own.calls if call.segments and not self._is_list(call) for item in call.segments
        ]
        return {
            item.name
            for item in own.parameters
            for expression in expressions
            if not expression.is_constant and f"{{{item.name}}}" in expression.text
        }

    @staticmethod
    def _is_called(own: Class, slot: Slot) -> bool:
        of = own.calls[slot.step].of
        return slot.setting or (of is not None and not of.has_modules)

    @staticmethod
    def _is_module(call: Call) -> bool:
        return call.has_module and not call.segments

    @staticmethod
    def _is_list(call: Call) -> bool:
        """Whether a series is a list, and no row of numbered names."""
        return call.path[-1] == "*"

    def _members(self, own: Class) -> list[str]:
        lines: list[str] = []
        seen: set[tuple[str, ...]] = set()
        for number, call in enumerate(own.calls):
            if not call.has_module:
                continue
            holder = next(
                (call.path[:depth] for depth in range(1, len(call.path)) if self._holds_list(own, call.path[:depth])),
                None,
            )
            if holder is not None:
                if holder not in seen:
                    seen.add(holder)
                    lines += self._opened(holder, seen)
                    lines += fitted(self._set(holder, self._list(own, holder)), 8)
                continue
            lines += self._opened(call.path, seen)
            if call.segments:
                lines += self._numbered(own, call)
                continue
            text = self.made(own, number)
            if call.condition is None:
                lines += fitted(self._set(call.path, text), 8)
            elif not call.path[-1].isidentifier():
                text = f"{text} if {condition_of(own, number, '')} else None"
                lines += fitted(self._set(call.path, text), 8)
            else:
                lines += _chosen(self.at(call.path), text, condition_of(own, number, ""))
        return lines

    def _opened(self, path: tuple[str, ...], seen: set[tuple[str, ...]]) -> list[str]:
        """Scopes that hold modules only, and are not there yet."""
        lines = []
        for depth in range(1, len(path)):
            if path[:depth] not in seen:
                seen.add(path[:depth])
                lines += fitted(self._set(path[:depth], self.dialect.empty), 8)
        return lines

    def _set(self, path: tuple[str, ...], value: str) -> str:
        """The statement that gives a module its place; a name that is no word of Python's is set as text."""
        if path[-1].isidentifier():
            return f"{self.at(path)} = {value}"
        return self.dialect.set_item.format(holder=self.at(path[:-1]), name=f'"{path[-1]}"', value=value)

    def _holds_list(self, own: Class, path: tuple[str, ...]) -> bool:
        names = list(dict.fromkeys(call.path[len(path)] for call in own.calls if call.path[: len(path)] == path))
        return names == ["*"] or all(name.isdigit() for name in names)

    def _list(self, own: Class, holder: tuple[str, ...]) -> str:
        """A list of modules, lists in it included."""
        items: dict[str, str] = {}
        size = len(holder)
        for number, call in enumerate(own.calls):
            if call.path[:size] != holder:
                continue
            name = call.path[size]
            if len(call.path) > size + 1:
                items.setdefault(name, self._list(own, call.path[: size + 1]))
            elif call.segments:
                texts = list(map(self._segment, [own] * len(call.segments), call.segments))
                return self._gathered(texts, self.dialect.chain_of or self.dialect.list_of)
            elif call.has_module:
                text = self.made(own, number)
                if call.condition is not None:
                    text = f"{text} if {condition_of(own, number, '')} else {self.dialect.nothing}"
                items.setdefault(name, text)
            elif call.again is None:
                items.setdefault(name, self.dialect.nothing)
        return self._gathered([items[name] for name in sorted(items, key=int)], self.dialect.list_of)

    @staticmethod
    def _gathered(texts: list[str], shape: str) -> str:
        inner = ", ".join(texts)
        if len(texts) == 1 and texts[0].startswith("*["):
            # A list of all that a comprehension gives is the comprehension.
            return shape.format(inner, list=texts[0][1:])
        return shape.format(inner, list=f"[{inner}]")

    def _segment(self, own: Class, segment: Segment) -> str:
        text = self._thing(own, segment)
        if segment.count.is_constant and segment.count.value == 1:
            return text
        return f"*[{text} for {self._ranged(own, segment)}]"

    def _ranged(self, own: Class, segment: Segment, prefix: str = "") -> str:
        """`i in range(…)`, or `_` where nothing counts."""
        counts = any(value.counts for value in segment.arguments.values())
        if not counts:
            return f"_ in range({filled(segment.count, own, prefix)})"
        return f"i in {counted_range(segment, own, prefix)}"

    def _thing(self, own: Class, segment: Segment) -> str:
        texts = {name: filled(value, own) for name, value in segment.arguments.items()}
        values = segment.arguments
        if segment.of is not None:
            return self._of_class(segment.of, texts, values)
        assert segment.form is not None
        return self._of_form(segment.form, texts, values)

    def _numbered(self, own: Class, call: Call) -> list[str]:
        """Things with numbered names, in a loop."""
        lines: list[str] = []
        stem = call.path[-1][:-1]
        start = call.start
        for segment in call.segments:
            text = self._thing(own, segment)
            number = _plus("i", start)
            lines.append(f"        for i in {counted_range(segment, own)}:")
            name = f'f"{stem}{{{number}}}"'
            text = self.dialect.set_item.format(holder=self.at(call.path[:-1]), name=name, value=text)
            lines += fitted(text, 12)
        return lines

    def made(self, own: Class, number: int) -> str:
        """What makes the module of a step."""
        call = own.calls[number]
        found = {slot.name: value for slot, value in own.slots.items() if slot.step == number and not slot.setting}
        texts = {name: filled(value, own) for name, value in found.items()}
        if call.of is not None:
            return self._of_class(call.of, texts, found)
        assert call.form is not None
        return self._of_form(call.form, texts, found)

    def _of_class(self, of: Class, texts: dict[str, str], values: dict[str, Expression]) -> str:
        items = []
        for parameter in of.parameters:
            value = values[parameter.name]
            if parameter.default is NO_DEFAULT:
                named = "" if parameter.sort == "channels" or len(of.parameters) < 3 else f"{parameter.name}="
                items.append(f"{named}{texts[parameter.name]}")
            elif not value.is_constant or value.value != parameter.default:
                items.append(f"{parameter.name}={texts[parameter.name]}")
        if of.has_modules and self.dialect.passed:
            items.append(self.dialect.passed)
        return f"{of.name}({', '.join(items)})"

    def _of_form(self, form: Form, texts: dict[str, str], values: dict[str, Expression]) -> str:
        items = []
        for place, argument in enumerate(form.arguments):
            key = argument.name or str(place)
            value = values[key]
            if value.is_constant and argument.default is not NO_DEFAULT and value.value == argument.default:
                continue
            items.append(f"{argument.name}={texts[key]}" if argument.name else texts[key])
        if not form.make:
            return form.module
        inner = ", ".join(items)
        return form.make.format(inner) if "{}" in form.make else f"{form.make}({inner})"

    # What stands in calls

    def at(self, path: tuple[str, ...]) -> str:
        """A module, from its class."""
        text = "self"
        for place, name in enumerate(path):
            if place and name.isdigit():
                text += f"[{name}]"
            elif not name.isidentifier():
                text = self.dialect.get_item.format(holder=text, name=f'"{name}"')
            else:
                text += f".{attribute(name, self.dialect.taken)}"
        return text

    def prefix(self, own: Class) -> str:
        return "self." if own.has_modules else ""

    def present(self, own: Class, number: int) -> str:
        return self._telling(own, number) or condition_of(own, number, self.prefix(own))

    def _telling(self, own: Class, number: int) -> str:
        """That the modules are there which a step is left out with; nothing where there are none, or too many to say.

        A type checker knows by it that they may be called, and no flag has to be kept.
        """
        paths = [
            own.calls[step].path
            for step in together(own, number)
            if self._is_module(own.calls[step]) and not own.calls[step].path[-1].isdigit()
        ]
        text = " and ".join(f"{self.at(path)} is not None" for path in paths)
        return text if len(text) <= MOST_TOLD else ""

    def call(self, own: Class, number: int, inputs: list[str]) -> str:
        """The expression of a step."""
        call = own.calls[number]
        path = call.path if call.again is None else own.calls[call.again].path
        if call.of is not None and call.of.has_modules:
            return f"{self.at(path)}({', '.join(inputs)})"
        slots = {slot: value for slot, value in own.slots.items() if slot.step == number}
        texts = {slot.name: filled(value, own, self.prefix(own)) for slot, value in slots.items()}
        if call.of is not None:
            items = [*inputs]
            for parameter in call.of.parameters:
                value = slots[Slot(number, parameter.name)]
                if parameter.default is NO_DEFAULT or not value.is_constant or value.value != parameter.default:
                    items.append(f"{parameter.name}={texts[parameter.name]}")
            return f"{call.of.name}({', '.join(items)})"
        form = call.form
        assert form is not None
        settings = {slot.name: filled(value, own, self.prefix(own)) for slot, value in slots.items() if slot.setting}
        taken = [bracketed(text, form, place) for place, text in enumerate(inputs)]
        return form.use.format(*taken, self=self.at(path), **settings)

    def _looping(self, own: Class, call: Call) -> str:
        """What a loop calls the things of a list: `layer`, or where lists have things of several classes, as theirs is
        called, since a variable has one type."""
        lists = [item for item in own.calls if item.segments and self._is_list(item)]
        classes = {segment.of.name for item in lists for segment in item.segments if segment.of is not None}
        here = {segment.of.name if segment.of is not None else "" for segment in call.segments}
        if len(classes) < 2 or len(here) > 1 or here == {""}:
            return "layer"
        name = variable(here.pop())
        taken = {*self.reserved, *(part for item in own.calls for part in item.path), "x", "y", "i"}
        return f"{name}_layer" if name in taken else name

    def loop(self, own: Class, number: int, name: str, taken: str) -> list[str]:
        """The lines that call a series."""
        call = own.calls[number]
        if self._is_list(call):
            if self.dialect.chain_of:
                return [f"{name} = {self.at(call.path[:-1])}({taken})"]
            layer = self._looping(own, call)
            lines = [f"for {layer} in {self.at(call.path[:-1])}:", f"    {name} = {layer}({name})"]
        else:
            stem = call.path[-1][:-1]
            holder = self.at(call.path[:-1]) if len(call.path) > 1 else "self"
            text = self.dialect.get_item.format(holder=holder, name=f'f"{stem}{{{_plus("i", call.start)}}}"')
            total = _total(call.segments, own, self.prefix(own))
            lines = [f"for i in range({total}):", f"    {name} = {text}({name})"]
        return lines if name == taken else [f"{name} = {taken}", *lines]


def declared(name: str, kind: str, default: object) -> str:
    return f"{name}: {kind}" if default is NO_DEFAULT else f"{name}: {kind} = {default!r}"


def _plus(name: str, number: int) -> str:
    return f"{name} + {number}" if number else name


def counted_range(segment: Segment, own: Class, prefix: str = "") -> str:
    """The numbers of a segment's things."""
    length = filled(segment.count, own, prefix)
    if not segment.first:
        return f"range({length})"
    if segment.count.is_constant:
        return f"range({segment.first}, {segment.first + segment.count.value})"
    whole = length.removesuffix(f" - {segment.first}")
    return (
        f"range({segment.first}, {whole})" if whole != length else f"range({segment.first}, {segment.first} + {length})"
    )


def _total(segments: list[Segment], own: Class, prefix: str) -> str:
    """How many things a series has."""
    last = segments[-1]
    if last.count.is_constant:
        return str(last.first + last.count.value)
    length = filled(last.count, own, prefix)
    whole = length.removesuffix(f" - {last.first}")
    return whole if whole != length or not last.first else f"{last.first} + {length}"


def bracketed(text: str, form: Form, place: int) -> str:
    """An input's text, in brackets where the expression would take it apart."""
    plain = text.replace("_", "").isalnum()
    tight = f"{{{place}}}." in form.use or f"{{{place}}}[" in form.use
    if plain or not (form.loose or tight) or (text.endswith(")") and " " not in text.partition("(")[0]):
        return text
    return f"({text})"


def _chosen(target: str, text: str, condition: str) -> list[str]:
    """A module that is there under a condition, None otherwise."""
    whole = f"        {target} = {text} if {condition} else None"
    if len(whole) <= 88:
        return [whole]
    inner = f"            {text} if {condition} else None"
    if len(inner) <= 88:
        return [f"        {target} = (", inner, "        )"]
    return [
        f"        {target} = (",
        *fitted(text, 12),
        f"            if {condition}",
        "            else None",
        "        )",
    ]


def described(own: Class, tree: Tree) -> list[str]:
    """What a class is, as its docstring."""
    if own is tree.network:
        return paragraph(
            f'"""{plain(tree.graph.title or tree.graph.variant or tree.graph.name)}."""', 0, WIDTH - INDENT
        )
    uses = sorted(own.uses, key=lambda use: use.first)
    what = f"`{own.kind}`"
    if own.kind.endswith("branch"):
        outer = own.kind.removesuffix("branch").removesuffix("_")
        what = f"A branch of `{outer}`" if outer else "A branch"
    places = uses[0].path if len(uses) == 1 else f"{uses[0].path} to {uses[-1].path}, {count(len(uses), 'use')}"
    return paragraph(f'"""{what}: {places}."""', 0, WIDTH - INDENT)
