"""Pickles read as data: what they would import, call or build is written down and never done.

A pickle is a program for a small stack machine. This is that machine without its arms: a class or function is a
`Global`, its name; a call of one is a `Made`, its name and arguments. Nothing is imported or called but the few
builders that are handed in.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archspec.weights.tensors import UnreadableError

MAX_OPERATIONS = 20_000_000
"""So many steps of a pickle are taken; a checkpoint of a thousand tensors has 50,000."""


class Global(NamedTuple):
    """A class or function that a pickle names: `torch.FloatStorage`."""

    name: str


class Made:
    """What a class or function that is not known would have made, and what was put into it afterwards."""

    __slots__ = ("arguments", "items", "name", "state")

    def __init__(self, name: str, arguments: Any) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None
        self.items: dict[Any, Any] = {}


Builder = Callable[..., Any]
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ARGUMENTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_PLAIN_KEYS = (str, int, float, bytes, type(None))


def read_pickle(file: Any, builders: Mapping[str, Builder], persistent: Builder) -> Any:
    """What a pickle says, from an open file that then stands behind it.

    `builders` make something of the calls of the names that they are for; `persistent` of references to what lies
    outside the pickle. Raises `UnreadableError` for what is no pickle, or none that these can read.
    """
    try:
        return _Machine(builders, persistent).run(file)
    except UnreadableError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise UnreadableError(f"is damaged, or no pickle: {str(error)[:120] or type(error).__name__}") from None


class _Machine:
    def __init__(self, builders: Mapping[str, Builder], persistent: Builder) -> None:
        self.builders = builders
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: Any) -> Any:
        argument: Any
        for number, (operation, argument, _) in enumerate(pickletools.genops(file)):
            if number > MAX_OPERATIONS:
                raise UnreadableError(f"is a pickle of more than {MAX_OPERATIONS:,} steps")
            name = operation.name
            if name in _ARGUMENTS:
                self.stack.append(argument)
            elif name in ("BINGET", "GET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name in ("BINPUT", "PUT", "LONG_BINPUT"):
                self.memo[argument] = self.stack[-1]
            elif name == "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                self.stack.append(tuple(self.popped(_TUPLES[name])))
            elif name == "STOP":
                return self.stack.pop()
            elif name not in ("PROTO", "FRAME"):
                step = getattr(self, f"on_{name.lower()}", None)
                if step is None:
                    raise UnreadableError(f"is a pickle with {name}, which no file of tensors has")
                step(argument)
        raise UnreadableError("is a pickle without an end")

    def popped(self, number: int) -> list[Any]:
        """The last entries of the stack, taken off it."""
        if number > len(self.stack):
            raise UnreadableError("is damaged: its stack is empty")
        items = self.stack[len(self.stack) - number :]
        del self.stack[len(self.stack) - number :]
        return items

    def to_mark(self) -> list[Any]:
        """What was pushed since the last mark, taken off the stack."""
        items, self.stack = self.stack, self.marked.pop()
        return items

    def call(self, function: Any, arguments: Any) -> Any:
        """What a call gives: by a builder, or written down."""
        name = function.name if isinstance(function, Global) else f"<{type(function).__name__}>"
        builder = self.builders.get(name) if isinstance(function, Global) else None
        if builder is None or not isinstance(arguments, tuple):
            return Made(name, arguments)
        return builder(*arguments)

    def on_mark(self, _: Any) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def on_pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.to_mark()

    def on_pop_mark(self, _: Any) -> None:
        self.to_mark()

    def on_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def on_empty_list(self, _: Any) -> None:
        self.stack.append([])

    on_empty_set = on_empty_list  # sets hold no tensors by name, and hashing what is nested deeply is no safe thing

    def on_empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def on_list(self, _: Any) -> None:
        items = self.to_mark()
        self.stack.append(items)

    on_frozenset = on_list

    def on_tuple(self, _: Any) -> None:
        items = self.to_mark()
        self.stack.append(tuple(items))

    def on_dict(self, _: Any) -> None:
        items = self.to_mark()
        self.stack.append({})
        self._set(items)

    def on_append(self, _: Any) -> None:
        (item,) = self.popped(1)
        self._add([item])

    def on_appends(self, _: Any) -> None:
        items = self.to_mark()
        self._add(items)

    on_additems = on_appends

    def _add(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Made):
            target.items.update(enumerate(items, len(target.items)))

    def on_setitem(self, _: Any) -> None:
        self._set(self.popped(2))

    def on_setitems(self, _: Any) -> None:
        items = self.to_mark()
        self._set(items)

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        mapping = target.items if isinstance(target, Made) else target
        if not isinstance(mapping, dict):
            raise UnreadableError("is damaged: it sets keys of what has none")
        for key, value in zip(items[::2], items[1::2], strict=True):
            mapping[key if isinstance(key, _PLAIN_KEYS) else f"<{type(key).__name__}>"] = value

    def on_global(self, argument: str) -> None:
        self.stack.append(Global(argument.replace(" ", ".", 1)))

    def on_stack_global(self, _: Any) -> None:
        module, name = self.popped(2)
        self.stack.append(Global(f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "?"))

    def on_reduce(self, _: Any) -> None:
        function, arguments = self.popped(2)
        self.stack.append(self.call(function, arguments))

    on_newobj = on_reduce

    def on_newobj_ex(self, _: Any) -> None:
        function, arguments, _named = self.popped(3)
        self.stack.append(self.call(function, arguments))

    def on_obj(self, _: Any) -> None:
        function, *arguments = self.to_mark()
        self.stack.append(self.call(function, tuple(arguments)))

    def on_inst(self, argument: str) -> None:
        arguments = self.to_mark()
        self.stack.append(self.call(Global(argument.replace(" ", ".", 1)), tuple(arguments)))

    def on_build(self, _: Any) -> None:
        (state,) = self.popped(1)
        if isinstance(self.stack[-1], Made):
            self.stack[-1].state = state

    def on_binpersid(self, _: Any) -> None:
        (reference,) = self.popped(1)
        self.stack.append(self.persistent(reference))

    def on_persid(self, argument: str) -> None:
        self.stack.append(self.persistent(argument))
