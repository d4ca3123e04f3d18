"""Words inside `$( … )`: arguments and loop variables, sizes of what comes in, functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archspec.editing.documented import word_text
from archspec.editing.marking import Marked
from archspec.editing.offers.guesses import yaml_of
from archspec.editing.offers.item import Asked, Completion, hole
from archspec.expressions import AXES, FUNCTIONS, MISSING, Incoming, unclosed

SIGNATURES = {
    "len": ("len(list)", "list"),
    "min": ("min(a, b, …)", "a, b"),
    "max": ("max(a, b, …)", "a, b"),
    "round": ("round(x)", "x"),
    "ceil": ("ceil(x)", "x"),
    "floor": ("floor(x)", "x"),
    "divisible": ("divisible(a, b)", "a, b"),
    "make_divisible": ("make_divisible(x, divisor, least)", "x, 8"),
    "sum": ("sum(list)", "list"),
}
"""How functions are called, and what stands in the brackets at first."""

_OPEN = re.compile(r"(?<!\$)\$\(")
_STRING = re.compile(r"'[^']*'?|\"[^\"]*\"?")
_ATTRIBUTE = re.compile(r"([A-Za-z_]\w*)((?:\[[^\]]*\])?)\.\Z")


def inside(cursor: Marked) -> str | None:
    """The text of the expression before the cursor that it is in; None where it is in none."""
    before = cursor.before
    if unclosed(before) is None:
        return None
    start = max((match.end() for match in _OPEN.finditer(before)), default=None)
    if start is None:
        return None
    text = before[start:]
    for string in _STRING.finditer(text):
        if string.end() == len(text) and (len(string.group()) < 2 or string.group()[0] != string.group()[-1]):
            return None
    return text


def words(asked: Asked, text: str) -> Iterator[Completion]:
    """What may stand at the cursor within an expression."""
    env: Any = asked.probe.places[0].env if asked.probe.places else asked.env
    sized = _ATTRIBUTE.search(text)
    if sized is not None:
        yield from _sizes(asked, env, sized[1], sized[2])
        return
    if text.rstrip()[-1:] in (")", "]") or (re.search(r"[\w'\"]\s+\Z", text) and not _after_operator(text)):
        return
    for name in env:
        value = env[name]
        if isinstance(value, Incoming):
            shape = ", ".join("?" if kind is None else str(kind) for kind in value.types)
            yield asked.item(name, "argument", name, detail=shape, rank=1)
        else:
            shown = "" if value is MISSING else yaml_of(value)
            yield asked.item(name, "argument", name, detail=shown[:120])
    for name in _declared_before(asked):
        if name not in env:
            yield asked.item(name, "argument", name)
    for name in FUNCTIONS:
        call, inner = SIGNATURES.get(name, (f"{name}()", ""))
        called = asked.lines.text[asked.cursor.end :].lstrip(" \t")[:1] == "("  # its arguments are there already
        yield asked.item(
            name,
            "function",
            name if called else f"{name}(",
            snippet=None if called else f"{name}({hole(1, inner)})",
            detail=call,
            documentation=word_text(name),
            rank=2,
        )
    for number, name in enumerate(("true", "false")):
        yield asked.item(name, "value", name, rank=3 + number)


_OPERATORS = ("and", "or", "not", "in", "if", "else")


def _after_operator(text: str) -> bool:
    return re.search(rf"(?:^|\W)(?:{'|'.join(_OPERATORS)})\s+\Z", text) is not None


def _sizes(asked: Asked, env: Any, name: str, index: str) -> Iterator[Completion]:
    """The sizes of what comes in, behind its dot."""
    value = env.get(name) if name in env else None
    if not isinstance(value, Incoming):
        return
    number = index[1:-1].strip()
    if index and number.isdigit() and int(number) < len(value.types):
        value = value[int(number)]
    if len(value.types) != 1 or value.types[0] is None:
        return
    kind = value.types[0]
    for word, size in zip(AXES[len(kind.shape)], kind.shape, strict=True):
        yield asked.item(word, "value", word, detail=str(size))


def _declared_before(asked: Asked) -> Iterator[str]:
    """Arguments of a block that are declared before the one whose default the cursor is in."""
    steps = asked.cursor.steps
    keys = [step.key for step in steps]
    if len(keys) < 3 or keys[0] != "blocks":
        return
    block = asked.probe.document.blocks.get(str(keys[1])) if asked.probe.document is not None else None
    if block is None:
        return
    here = keys[3] if keys[2] == "args" and len(keys) > 3 else None
    own = steps[3].node if here is not None else None
    for name in getattr(own, "entries", block.arguments):
        if name == here:
            break
        yield str(name)
    if here is not None:
        yield from ("input", *block.inputs)
        yield from asked.probe.document.env if asked.probe.document is not None else ()
