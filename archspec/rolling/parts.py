"""What templates are made of: blocks as they are written, and what is asked of values and fields."""

from __future__ import annotations

import re
from typing import Any

from archspec.kinds import Kind, plain
from archspec.rolling.block_names import ORDER
from archspec.rolling.entries import Call, Entry, Layer
from archspec.rolling.formulas import Formula
from archspec.rolling.reducing import tidy

Plain = dict[str, Any] | str
"""An entry as one writes it: a kind, or a kind with its fields."""


class Block:
    """A block as it is written: arguments with types or defaults, names of inputs, layers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments: dict[str, Any] = {}
        self.rows: dict[str, list[Any]] = {}
        """Each argument's values, call by call."""
        self.layers: list[Plain] = []


def whose(entry: Entry) -> str:
    """What an argument is called that says whether an entry is there."""
    if isinstance(entry, Layer):
        return "shortcut" if entry.kind == "add" else entry.kind
    is_unit = isinstance(entry, Call) and all(part is None or isinstance(part, Layer) for part in entry.body)
    return "expand" if is_unit else "gated"


def is_implied(cls: type[Kind], layer: Layer, field: str) -> bool:
    """Whether a layer has a field's value without saying it, as a pooling's stride is its window's size."""
    if layer.fields.get(field) is None:
        return False
    rest = {name: value for name, value in layer.fields.items() if name != field}
    try:
        return bool(tidy(plain(getattr(cls.model_validate(rest), field))) == layer.fields[field])
    except ValueError:
        return False


def place_of(field: str) -> int:
    """Where a field stands among a layer's."""
    return ORDER.index(field) if field in ORDER else len(ORDER)


def same(one: Any, other: Any) -> bool:
    return bool(one == other) and type(one) is type(other)


def is_default(value: Any) -> bool:
    """Whether an argument is declared by its default and not by a word for a type."""
    return not (isinstance(value, Formula) and value.startswith("type "))


def uses(value: Any, variable: str) -> bool:
    """Whether an expression in what is written names a variable."""
    pattern = re.compile(rf"\b{variable}\b")
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack.extend(part)
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
        elif isinstance(part, str) and type(part) is not str and pattern.search(part):
            return True
    return False
