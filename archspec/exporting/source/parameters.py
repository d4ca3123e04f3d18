"""What differs between the uses of a class: arguments of its constructor, with good names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from archspec.exporting.source.classes import (
    NO_DEFAULT,
    Argument,
    Call,
    Class,
    Expression,
    Form,
    Parameter,
    Plain,
    Slot,
)
from archspec.exporting.source.scopes import Ref, Step

MISSING: Any = object()
"""Stands where a use leaves a step out."""

Values = list[Plain]


def fill(own: Class, forms: Mapping[str, Form]) -> None:
    """Finds a class's arguments, and what stands in the slots of its steps. The classes of its steps have theirs."""
    from archspec.exporting.source.segments import segments

    finder = Finder(own)
    for number, call in enumerate(own.calls):
        steps = [None if rows[number] is None else use.steps[rows[number]] for use, rows in _uses(own)]
        if None in steps:
            present = [step is not None for step in steps]
            call.condition = finder.found(Argument("", None, _flag(call), "flag"), present, call)
        if any(step is not None and step.items for step in steps):
            call.segments = segments(call, [[] if step is None else step.items for step in steps], forms, finder)
            continue
        for slot, argument, values in _slots(number, call, steps, forms):
            own.slots[slot] = finder.found(argument, values, call)
    own.parameters = finder.ordered()


def _uses(own: Class) -> Iterator[tuple[Any, list[Any]]]:
    return zip(own.uses, own.rows, strict=True)


def _flag(call: Call) -> str:
    """What says that a step is there."""
    if call.form is not None and call.family == "join":
        return "residual" if call.kind == "add" else f"has_{call.kind}"
    return f"has_{call.path[-1].rstrip('0123456789') or call.path[-1]}"


def _slots(
    number: int, call: Call, steps: list[Step | None], forms: Mapping[str, Form]
) -> Iterator[tuple[Slot, Argument, Values]]:
    """The slots of a step, with the values in each use."""
    if call.of is not None:
        if call.again is not None and call.of.has_modules:
            return
        places = [None if step is None else place_of(step, call.of) for step in steps]
        for parameter in call.of.parameters:
            values = [MISSING if place is None else parameter.values[place] for place in places]
            argument = Argument(parameter.name, None, parameter.name, parameter.sort, parameter.default)
            yield Slot(number, parameter.name), argument, values
        return
    own = [None if step is None or step.node is None else forms[step.node.path] for step in steps]
    form = call.form
    assert form is not None
    for setting in (False, True):
        if not setting and call.again is not None:
            continue
        for place, argument in enumerate(form.settings if setting else form.arguments):
            values = [
                MISSING if one is None else (one.settings if setting else one.arguments)[place].value for one in own
            ]
            yield Slot(number, argument.name or str(place), setting), argument, values


def place_of(step: Step, of: Class) -> int:
    """Which of a class's uses a step is."""
    return next(place for place, use in enumerate(of.uses) if use is step.scope)


class Finder:
    """Finds expressions for values by use. `declared` are the arguments of the spec's block that all uses have."""

    def __init__(self, own: Class) -> None:
        self.own = own
        self.parameters: dict[str, Parameter] = {}
        first = own.uses[0].arguments
        self.declared: dict[str, Values] = {
            name: [use.arguments[name] for use in own.uses]
            for name in first
            if all(_is_plain(use.arguments.get(name, MISSING)) for use in own.uses)
        }

    def found(self, argument: Argument, values: Values, call: Call) -> Expression:
        """What stands for values, one for each use."""
        if argument.style:
            return self.styled(argument, values, call)
        known = [value for value in values if value is not MISSING]
        if all(type(value) is type(known[0]) and value == known[0] for value in known):
            return Expression(repr(known[0]), known[0])
        name = self.equal(argument, values, call)
        if name is not None:
            return Expression(f"{{{name}}}")
        text = self.made(argument, values)
        if text is not None:
            return Expression(text)
        return Expression(f"{{{self.new(argument, values, call)}}}")

    def styled(self, argument: Argument, values: Values, call: Call) -> Expression:
        """Numbers that are written once for each axis; as tuples where those of an axis differ in any use."""
        plain = argument._replace(style="")
        if any(isinstance(value, tuple) for value in values):
            length = argument.style.count("{0}")
            wide = [(value,) * length if type(value) is int else value for value in values]
            return self.found(plain._replace(sort=f"{argument.sort}s"), wide, call)
        made = self.found(plain, values, call)
        simple = made.is_constant or (made.text.startswith("{") and made.text.endswith("}"))
        text = made.text if simple else f"({made.text})"
        return Expression(argument.style.replace("{0}", text), made.value)

    def equal(self, argument: Argument, values: Values, call: Call) -> str | None:
        """An argument that has these values: one of the same name first, then the block's own, then another."""
        if argument.said == "in_channels" and call.inputs[:1] == (Ref(-1, 0),):
            parameter = self.parameters.get("in_channels")
            return "in_channels" if parameter is not None and _match(values, parameter.values) else None
        names = [argument.said, *self.declared, *self.parameters]
        for name in dict.fromkeys(names):
            parameter = self.parameters.get(name)
            if parameter is not None and parameter.sort in (argument.sort, "any") and _match(values, parameter.values):
                return name
            own = self.declared.get(name)
            if own is not None and parameter is None and _fits(name, argument) and _match(values, own):
                self.parameters[name] = Parameter(name, list(own), argument.sort)
                return name
        return None

    def made(self, argument: Argument, values: Values) -> str | None:
        """An expression of arguments that has these values."""
        if argument.sort == "pad":
            for name, parameter in self.parameters.items():
                if parameter.sort == "kernel" and _match(values, _each(lambda k: k // 2, parameter.values)):
                    return f"{{{name}}} // 2"
            for name, parameter in self.parameters.items():
                if parameter.sort == "dilation" and _match(values, parameter.values):
                    return f"{{{name}}}"
        if argument.sort != "channels":
            return None
        known = {
            name: item.values
            for name, item in self.parameters.items()
            if item.sort == "channels" and all(type(value) is int for value in item.values)
        }
        for name, own in known.items():
            if name == "in_channels" and argument.said == "in_channels":
                continue
            # Twice as many as come in is mostly so by chance.
            least = 4 if name in ("in_channels", "channels") else 2
            for factor in range(2, 33):
                if factor >= least and _match(values, [factor * number for number in own]):
                    return f"{factor} * {{{name}}}"
                if _match(values, [number // factor if number % factor == 0 else None for number in own]):
                    return f"{{{name}}} // {factor}"
        for name, own in known.items():
            for other, theirs in known.items():
                if name < other and _match(values, [a + b for a, b in zip(own, theirs, strict=True)]):
                    return f"{{{name}}} + {{{other}}}"
        for name, own in self.declared.items():
            if len(set(map(str, own))) == 1 or not all(type(value) is int and value > 1 for value in own):
                continue
            for other, theirs in known.items():
                if other not in self.declared and _match(values, [a * b for a, b in zip(own, theirs, strict=True)]):
                    if name not in self.parameters:
                        self.parameters[name] = Parameter(name, list(own), "factor")
                    return f"{{{name}}} * {{{other}}}"
        return None

    def new(self, argument: Argument, values: Values, call: Call) -> str:
        """A new argument. Uses that leave the step out have the value that most others have."""
        taken = {*self.parameters, "i"}
        name = argument.said
        if name in taken:
            part = next((part for part in reversed(call.path) if part != "*"), call.kind).rstrip("*")
            name = f"{part}_{argument.said}" if part.isidentifier() else f"{argument.said}_{part}"
        stem, number = name, 2
        while name in taken:
            name, number = f"{stem}{number}", number + 1
        known = [value for value in values if value is not MISSING]
        usual = max(known, key=known.count)
        self.parameters[name] = Parameter(
            name, [usual if value is MISSING else value for value in values], argument.sort
        )
        return name

    def ordered(self) -> list[Parameter]:
        """The arguments: channels first, what has a default last."""
        for parameter in self.parameters.values():
            if parameter.sort in ("channels", "factor"):
                continue
            usual = max(parameter.values, key=parameter.values.count)
            if parameter.sort == "flag":
                parameter.default = False
            elif 2 * parameter.values.count(usual) >= len(parameter.values):
                parameter.default = usual
        every = list(self.parameters.values())
        plain = [item for item in every if item.default is NO_DEFAULT]
        plain.sort(key=lambda item: (item.name not in ("in_channels", "in_features"), item.sort != "channels"))
        return list(chain(plain, (item for item in every if item.default is not NO_DEFAULT)))


def _fits(name: str, argument: Argument) -> bool:
    """Whether a block's argument may stand for a number of a sort: one with a name of another sort may not."""
    sorts = {
        "stride": "stride",
        "kernel": "kernel",
        "dilation": "dilation",
        "groups": "groups",
        "rate": "rate",
        "pad": "pad",
    }
    return sorts.get(name, argument.sort) == argument.sort


def _is_plain(value: Plain) -> bool:
    if isinstance(value, tuple | list):
        return isinstance(value, tuple) and all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def _match(values: Values, others: Values) -> bool:
    """Whether values are these, where they are known; a truth value is no number."""
    return all(
        one is MISSING or (one == other and isinstance(one, bool) == isinstance(other, bool))
        for one, other in zip(values, others, strict=True)
    )


def _each(function: Callable[[int], int | None], values: Values) -> Values:
    return [function(value) if isinstance(value, int) and not isinstance(value, bool) else None for value in values]
