"""What a class does when it is called, as statements: which things are named, and which are written within others."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from archspec.exporting.source.classes import Call, Class, Expression
from archspec.exporting.source.layout import INDENT, WIDTH, commented, fitted
from archspec.exporting.source.scopes import Ref
from archspec.types import TensorType

LIGHT = ("normalisation", "activation")
"""Families of layers that are written around what they take."""
_ROOM = 24
"""Columns that are left for what stands around an expression."""


class Words(NamedTuple):
    """How a target says what statements need: a call's own expression with its inputs put in, a shape, a loop.

    `loop` gives the lines that call a series one after the other on a name.
    """

    call: Callable[[Class, int, list[str]], str]
    shape: Callable[[TensorType], str]
    loop: Callable[[Class, int, str, str], list[str]]
    present: Callable[[Class, int], str]
    reserved: Collection[str]


@dataclass
class _Pending:
    """An expression that is written within the next one: the value whose name it goes by, and the values it has."""

    text: str
    base: Ref
    used: set[Ref]
    types: tuple[TensorType | None, ...] = ()


@dataclass
class Body:
    """The statements of a class."""

    own: Class
    words: Words
    inputs: list[str]
    lines: list[str] = field(default_factory=list)
    indent: int = 8

    def __post_init__(self) -> None:
        self.same: dict[Ref, Ref] = {}
        for number, call in enumerate(self.own.calls):
            if call.form is not None and call.form.use == "{0}" and call.condition is None:
                self.same[Ref(number)] = self.real(call.inputs[0])
        self.last: dict[Ref, int] = {}
        self.takers: dict[Ref, list[int]] = {}
        for number, call in enumerate(self.own.calls):
            if Ref(number) not in self.same:
                for ref in (*call.inputs, *call.otherwise.values()):
                    self._take(self.real(ref), number)
        for ref in self.own.outputs:
            self._take(self.real(ref), len(self.own.calls))
        self.names = {Ref(-1, place): name for place, name in enumerate(self.inputs)}
        self.pending: dict[Ref, _Pending] = {}

    def real(self, ref: Ref) -> Ref:
        """The value that stands for one: that of a layer that changes nothing is what it takes."""
        return self.same.get(ref, ref)

    def _take(self, ref: Ref, number: int) -> None:
        self.last[ref] = max(self.last.get(ref, -1), number)
        self.takers.setdefault(ref, []).append(number)

    def written(self) -> list[str]:
        """The lines, with what is returned."""
        number = 0
        while number < len(self.own.calls):
            call = self.own.calls[number]
            if call.condition is not None:
                steps = together(self.own, number)
                self._optional(number, steps.stop)
                number = steps.stop
                continue
            if Ref(number) not in self.same:
                self._step(number)
            number += 1
        outputs = [self._text(self.real(ref), len(self.own.calls)) for ref in self.own.outputs]
        self._returned(outputs)
        return self.lines

    def _returned(self, outputs: list[str]) -> None:
        text = ", ".join(outputs)
        if len(self.lines) and len(outputs) == 1:
            # What is made last is given at once.
            last = self.lines[-1]
            name, equals, rest = last.strip().partition(" = ")
            if (
                equals
                and name == text
                and len(last) - len(last.lstrip()) == self.indent
                and rest[-1:] not in ("(", "[")
            ):
                text, _, said = rest.partition("  # ")
                self.lines[-1:] = commented(fitted(f"return {text}", self.indent), said)
                return
        if len(outputs) > 1 and self.indent + len(text) + 7 > WIDTH:
            text = f"({text})"
        self.lines += fitted(f"return {text}", self.indent)

    def _text(self, ref: Ref, number: int) -> str:
        """A value's name, or the expression that was kept for it."""
        pending = self.pending.pop(ref, None)
        return self.names[ref] if pending is None else pending.text

    def _inputs(self, number: int) -> tuple[list[str], Ref, set[Ref]]:
        """The texts of what a step takes, the value whose name it may go by, and all values used."""
        texts: list[str] = []
        used: set[Ref] = set()
        base: Ref | None = None
        for place, ref in enumerate(map(self.real, self.own.calls[number].inputs)):
            pending = self.pending.get(ref)
            texts.append(self._text(ref, number))
            used |= {ref} if pending is None else pending.used
            if place == 0:
                base = ref if pending is None else pending.base
        assert base is not None
        return texts, base, used

    def _step(self, number: int) -> None:
        call = self.own.calls[number]
        texts, base, used = self._inputs(number)
        value = Ref(number)
        if call.segments:
            self._series(number, texts[0], base, used)
            return
        text = self.words.call(self.own, number, texts)
        takers = self.takers.get(value, [])
        following = self.own.calls[takers[0]] if len(takers) == 1 and takers[0] < len(self.own.calls) else None
        if (
            following is not None
            and call.gives == 1
            and takers[0] == self._next(number)
            and self.is_light(following)
            and following.form is not None
            and following.condition is None
            and not following.segments
            and call.family != "activation"
            and self.real(following.inputs[0]) == value
            and not (following.form.loose and call.form is not None and call.form.loose)
            and len(text) + _ROOM <= WIDTH - 12
        ):
            self.pending[value] = _Pending(text, base, used)
            return
        names = self._named(number, base, used)
        self._emit(f"{', '.join(names)} = {text}", call.outputs)

    def is_light(self, call: Call) -> bool:
        """Whether a step is written around what it takes."""
        return call.family in LIGHT

    def _next(self, number: int) -> int:
        """The next step that is written."""
        number += 1
        while number < len(self.own.calls) and Ref(number) in self.same:
            number += 1
        return number

    def _emit(self, text: str, types: tuple[TensorType | None, ...] = ()) -> None:
        said = self.words.shape(types[0]) if types and types[0] is not None else ""
        self.lines += commented(fitted(text, self.indent), said)

    def _series(self, number: int, taken: str, base: Ref, used: set[Ref]) -> None:
        (name,) = self._named(number, base, used)
        lines = self.words.loop(self.own, number, name, taken)
        call = self.own.calls[number]
        kind = call.outputs[0] if call.outputs else None
        said = self.words.shape(kind) if kind is not None else ""
        lines = [f"{' ' * self.indent}{line}" for line in lines]
        if len(lines) == 1:
            self.lines += commented(lines, said)
        else:
            self.lines += [*lines[:-1], *commented(lines[-1:], said)]

    def _optional(self, first: int, end: int) -> None:
        """Steps that some uses leave out: one as an expression, several, or one that changes its name's value, within
        an `if`."""
        condition = self.words.present(self.own, first)
        given = [Ref(number) for number in range(first, end) if self.own.calls[number].otherwise]
        if end == first + 1 and given and not self.own.calls[first].segments:
            texts, base, used = self._inputs(first)
            other = self.names[self.real(self.own.calls[first].otherwise[0])]
            names = self._named(first, base, used | {self.real(self.own.calls[first].otherwise[0])})
            text = self.words.call(self.own, first, texts)
            if names != [other]:
                whole = f"{names[0]} = {text} if {condition} else {other}"
                if self.indent + len(whole) <= WIDTH:
                    self._emit(whole, self.own.calls[first].outputs)
                    return
                self._emit(f"{names[0]} = {other}")
            self.lines.append(f"{' ' * self.indent}if {condition}:")
            self.indent += INDENT
            self._emit(f"{names[0]} = {text}", self.own.calls[first].outputs)
            self.indent -= INDENT
            return
        before = len(self.lines)
        self.indent += INDENT
        for number in range(first, end):
            if Ref(number) not in self.same:
                self._step(number)
        for ref in list(self.pending):
            if ref.step >= first:
                pending = self.pending.pop(ref)
                (name,) = self._named(ref.step, pending.base, pending.used)
                self._emit(f"{name} = {pending.text}")
        self.indent -= INDENT
        heads = []
        for ref in given:
            name, other = self.names[ref], self.names[self.real(self.own.calls[ref.step].otherwise[0])]
            if name != other:
                heads.append(f"{' ' * self.indent}{name} = {other}")
        self.lines[before:before] = [*heads, f"{' ' * self.indent}if {condition}:"]

    def _named(self, number: int, base: Ref, used: set[Ref]) -> list[str]:
        """Names for what a step gives. Its first value goes on under the name of what it was made of, where nothing
        takes that any more; what is taken later on, beside others, has the step's name."""
        call = self.own.calls[number]
        live = {name for ref, name in self.names.items() if self.last.get(ref, -1) > number}
        names = []
        for place in range(call.gives):
            ref = Ref(number, place)
            if call.of is not None and call.gives > 1:
                # What a block gives has the names that it has inside.
                inside = call.of.calls[call.of.outputs[place].step] if call.of.outputs[place].step >= 0 else call
                name = self._own_name(inside, live)
            elif place == 0:
                name = self._name(ref, call, base, live)
            else:
                name = self._own_name(call, live, "_indices")
            live.add(name)
            names.append(name)
            self.names[ref] = name
        return names

    def _name(self, ref: Ref, call: Call, base: Ref, live: set[str]) -> str:
        takers = self.takers.get(ref, [])
        free = [name for name in ("x", "y", "z") if name not in live]
        inherited = self.names.get(base)
        if inherited in live:
            inherited = None
        end = len(self.own.calls)
        later = bool(takers) and max(takers) > self._next(ref.step)
        beside = len(set(takers)) > 1 or call.of is not None
        if later and beside and (max(takers) < end or len(self.own.outputs) > 1):
            return self._own_name(call, live)
        if later and inherited is None:
            return self._own_name(call, live)
        if len(self.own.outputs) > 1 and end in takers:
            return self._own_name(call, live)
        if inherited in ("x", "y", "z"):
            return inherited
        return free[0] if free else self._own_name(call, live)

    def _own_name(self, call: Call, live: set[str], more: str = "") -> str:
        last = call.path[-2] if call.path[-1] == "*" else call.path[-1].replace("*", "")
        stem = last.rstrip("0123456789").rstrip("_") or (call.path[-2] if len(call.path) > 1 else call.kind)
        places = (other.path[-2] if other.path[-1] == "*" else other.path[-1] for other in self.own.calls)
        stems = sum(place.rstrip("0123456789").rstrip("_") == stem for place in places)
        name = (
            stem if stems == 1 and call in self.own.calls else last if not last.isdigit() else f"{stem}{last}"
        ) + more
        name = name if name.isidentifier() else f"y{name}"
        found, number = name, 2
        while found in live or found in self.words.reserved or keyword.iskeyword(found):
            found, number = f"{name}_{number}", number + 1
        return found


def together(own: Class, number: int) -> range:
    """The steps behind one another that are left out with a step, itself included."""
    condition = own.calls[number].condition
    assert condition is not None

    def alike(step: int) -> bool:
        other = own.calls[step].condition
        return other is not None and other.text == condition.text

    first, end = number, number + 1
    while first and alike(first - 1):
        first -= 1
    while end < len(own.calls) and alike(end):
        end += 1
    return range(first, end)


def condition_of(own: Class, number: int, prefix: str) -> str:
    """The argument that says whether a step is there."""
    condition = own.calls[number].condition
    assert condition is not None
    return filled(condition, own, prefix)


def filled(expression: Expression, own: Class, prefix: str = "") -> str:
    """An expression's text, its arguments with something before their names."""
    if expression.is_constant:
        return expression.text
    return expression.text.format_map({item.name: f"{prefix}{item.name}" for item in own.parameters})
