"""One key with a value that fits, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic.fields import FieldInfo

from archspec.editing.grammar import section_of
from archspec.editing.offers.guesses import guesses, words_in, yaml_of
from archspec.editing.offers.item import Asked, Completion, What, hole
from archspec.editing.offers.values import kind_texts
from archspec.editing.probing import parsed
from archspec.kinds import family_of_field, kind_names, takes_several
from archspec.spec.reading import fields_of

MAX_TRIED = 12
"""Values of a field that are tried."""


def key(
    asked: Asked, name: str, what: What, values: Iterable[str], *, detail: str = "", said: str = "", rank: int = 0,
    always: bool = False,
) -> Iterator[Completion]:  # fmt: skip
    """A key with the first of some values that fits; `always` with the first of all where none does."""
    cursor = asked.cursor
    if cursor.has_value:
        if asked.fits(asked.renamed(name)) is not None:
            yield asked.item(name, what, name, detail=detail, documentation=said, rank=rank)
        return
    first = None
    for value in islice(values, MAX_TRIED):
        first = first or value
        entry = parsed(f"{name}: {value}")
        if entry is not None and asked.fits(entry) is not None:
            break
    else:
        if not always or first is None:
            return
        value = first
    if cursor.quote:
        yield asked.item(name, what, name, detail=detail, documentation=said, rank=rank)
        return
    snippet = f"{name}: {_hole(value)}"
    yield asked.item(name, what, f"{name}: {value}", snippet=snippet, detail=detail, documentation=said, rank=rank)


def _hole(value: str) -> str:
    """A value as a place to fill in: what is between brackets, or all of it."""
    if value[:1] in "{[" and value[-1:] in "}]":
        close = value[-1].replace("}", "\\}")
        return f"{value[0]}{hole(1, value[1:-1])}{close}"
    return hole(1, value)


def default_of(argument: Any) -> str:
    if argument.default is None:
        return f"{argument.word or 'argument'}, needed"
    return f"default {yaml_of(argument.default.plain)}"


def said_of(info: FieldInfo, required: bool) -> str:
    if required:
        return "needed"
    if info.is_required() or info.default is None:
        return ""
    return f"default {yaml_of(info.default)}"[:120]


def values_of(asked: Asked, name: str, info: FieldInfo) -> Iterator[str]:
    """Values of a field, of whatever it holds."""
    family = family_of_field(info.metadata)
    if family is not None:
        texts = (text for kind in kind_names(family) for text in kind_texts(family, kind))
        usual = {"data": "mnist5k", "optimisers": "adam", "schedules": "cosine", "initialisers": "he_normal"}
        if family in usual:
            yield usual[family]
        for text in texts:
            yield f"[{text}]" if takes_several(info.metadata) else text
        return
    section = section_of(info)
    if section is not None:
        for inner, own in fields_of(section).items():
            if own.is_required() or len(fields_of(section)) > 1:
                for value in islice(guesses(inner, own, None, {}), 2):
                    yield f"{{{inner}: {value}}}"
    yield from guesses(name, info, asked.x, asked.env)
    for word in words_in(info.annotation):
        yield f"[{word}]"
    annotation = str(info.annotation)
    if "dict" in annotation:
        yield "{}"
    if "str" in annotation and "dict" not in annotation:
        usual_text = {"path": "data", "after": "lenet5", "best": "loss", "source": '"…"', "memory": "16GiB"}
        yield usual_text.get(name, '"…"')
    if "tuple" in annotation:
        yield from ("[0.0, 1.0]", "[1, 1]", "[1]", "[1.0]", "[1.0, 1.0, 1.0]", '["*"]')
