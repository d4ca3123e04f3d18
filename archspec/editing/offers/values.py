"""Values of a field: words, kinds, numbers that fit what comes in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

from archspec.editing.documented import kind_text
from archspec.editing.grammar import STRUCTURE_WORDS, kind_or_none, section_of
from archspec.editing.offers.entries import argument_values
from archspec.editing.offers.guesses import guesses, literals, words_in, yaml_of
from archspec.editing.offers.item import Asked, Completion, escaped, hole
from archspec.editing.offers.names import names
from archspec.editing.probing import parsed
from archspec.kinds import FAMILIES, SEPARABLE, kind_names
from archspec.spec.arguments import TYPE_WORDS
from archspec.spec.reading import fields_of

MAX_VALUES = 40

SIZES = ("height", "width", "length", "channels", "features")
"""Fields of inputs that the layers depend on."""


def values(asked: Asked) -> Iterator[Completion]:
    """What the value at the cursor may be."""
    slot = asked.slot
    if slot.what in ("kind", "kinds"):
        yield from _kinds(asked)
    elif slot.what == "value" and slot.word == "declared":
        given = list(_given(asked))
        for word, types in TYPE_WORDS.items():
            if all(takes(word, types, value) for value in given):
                yield asked.item(word, "value", word, detail="calls must give it", whole=True)
    elif slot.what == "value" and slot.word == "argument":
        yield from _argument(asked)
    elif slot.what == "value":
        yield from _field(asked)
    elif slot.what == "field":
        yield from _structure_field(asked)
    elif slot.what == "content":
        kind = asked.model
        if kind is not None and kind.main in getattr(kind, "references", {}):
            yield from names(asked)
        yield from _main(asked)


def _given(asked: Asked) -> Iterator[Any]:
    """What the calls of the shown network give to the argument at the cursor."""
    keys = [step.key for step in asked.cursor.steps]
    made, spec = asked.probe.watch.made, asked.probe.spec
    if keys[0] == "args" and spec is not None:
        given = spec.document.given.get(str(keys[-1]))
        if given is not None and not given[1].dynamic:
            yield given[1].plain
    elif keys[0] == "blocks" and made is not None:
        for path, arguments in made.placer.calls.items():
            if made.placer.blocks[path].kind == keys[1] and keys[-1] in arguments:
                value = arguments[str(keys[-1])]
                if value is not None:
                    yield value


def takes(word: str, types: tuple[type, ...], value: Any) -> bool:
    """Whether an argument of a type word takes a value."""
    if isinstance(value, bool):
        return bool in types
    if word == "pair":
        return isinstance(value, list) and len(value) == 2
    return isinstance(value, types)


def kind_texts(family: str, name: str) -> Iterator[str]:
    """A kind as a field holds it: its name, or with what it needs: `{sgd: 0.1}`."""
    kind = kind_or_none(family, name)
    if kind is None:
        return
    fields = fields_of(kind)
    needed = [field for field, info in fields.items() if info.is_required()]
    if not needed:
        yield name
        # Kinds that want one of several fields.
        for field, info in fields.items():
            for value in islice(guesses(field, info, None, {}), 1) if info.default is None else ():
                yield f"{{{name}: {{{field}: {value}}}}}"
        return
    own = [[*islice(guesses(field, fields[field], None, {}), 3)] or ['"…"'] for field in needed]
    for chosen in islice(product(*own), 6):
        if needed == [kind.main]:
            yield f"{{{name}: {chosen[0]}}}"
        else:
            inner = ", ".join(f"{field}: {value}" for field, value in zip(needed, chosen, strict=True))
            yield f"{{{name}: {{{inner}}}}}"


def _kinds(asked: Asked) -> Iterator[Completion]:
    family = asked.slot.family
    for name in kind_names(family):
        kind = kind_or_none(family, name)
        if kind is None:
            continue
        for text in kind_texts(family, name):
            new = parsed(text)
            fit = asked.fits(new) if new is not None else None
            if fit is None:
                continue
            if asked.cursor.quote:
                text = name
            snippet = None
            if text.startswith("{"):
                head, _, rest = text[1:-1].partition(": ")
                inner = rest[1:-1] if rest.startswith("{") else rest
                value = f"{{{hole(1, inner)}\\}}" if rest.startswith("{") else hole(1, inner)
                snippet = f"{{{escaped(head)}: {value}\\}}"
            yield asked.item(
                name, "kind", text, snippet=snippet, detail=fit.arrow or FAMILIES[family],
                documentation=kind_text(name, family), whole=True,
            )  # fmt: skip
            break
    if asked.slot.info is not None and not asked.slot.info.is_required() and asked.slot.info.default is None:
        yield from _tried(asked, "null", 90)


def _field(asked: Asked) -> Iterator[Completion]:
    slot = asked.slot
    if slot.info is None:
        return
    if slot.word == "archspec":
        yield asked.item("1", "value", "1", detail="version of the language", whole=True)
        return
    annotation = slot.info.annotation
    words = list(literals(annotation))
    inner = list(words_in(annotation))
    in_list = slot.partial
    default = slot.info.default if not slot.info.is_required() else None
    texts = inner if in_list else [*guesses(slot.word, slot.info, asked.x, asked.env), *(f"[{word}]" for word in inner)]
    if section_of(slot.info) is not None and not in_list:
        texts = [text for text in texts if text]
    if slot.word in SIZES and asked.cursor.steps[0].key in ("input", "inputs", "variants") and not words:
        # The layers say which sizes fit.
        texts = [text for text in texts if text.isdigit() and asked.fits_network(parsed(text))]
    for number, text in enumerate(dict.fromkeys(islice(texts, MAX_VALUES))):
        usual = default is not None and str(default).lower() == text
        yield from _tried(asked, text, number if text in words else 20 + number, "default" if usual else "")


def _tried(asked: Asked, text: str, rank: int, detail: str = "") -> Iterator[Completion]:
    """A value, where it fits."""
    new = parsed(text)
    fit = asked.fits(new) if new is not None else None
    if fit is not None and not (asked.cursor.quote and not text.isidentifier()):
        yield asked.item(text, "value", text, detail=fit.arrow or detail, rank=rank, whole=True)


def _structure_field(asked: Asked) -> Iterator[Completion]:
    name, _, field = asked.slot.word.partition(".")
    own = asked.kind_here or name
    block = asked.blocks.get(own)
    texts: list[str] = list(STRUCTURE_WORDS.get((own, field), ()))
    if field == "when":
        texts = ["true", "false", *(f"$({word})" for word, value in asked.env.items() if isinstance(value, bool))]
    elif block is not None and field in block.arguments:
        texts = argument_values(asked, block, field)
    elif own == "separable_conv":
        part = next((part for part, fields in SEPARABLE.values() if field in fields), None)
        kind = kind_or_none("layers", part) if part else None
        texts = list(guesses(field, fields_of(kind)[field], asked.x, asked.env)) if kind is not None else []
    elif field == "times":
        texts = ["2", "3", "4"]
        texts += [f"$(len({word}))" for word, value in asked.env.items() if isinstance(value, list)]
        texts += [f"$({word})" for word, value in asked.env.items() if type(value) is int]
    elif field == "parts":
        channels = asked.x.channels if asked.x is not None else 4
        texts = [str(parts) for parts in range(2, 17) if channels % parts == 0]
    elif field == "as":
        texts = ["i", "stage"]
    for number, text in enumerate(dict.fromkeys(texts)):
        yield from _tried(asked, text, number)


def _argument(asked: Asked) -> Iterator[Completion]:
    """Values of an argument that a variant sets."""
    document = asked.probe.document
    argument = asked.arguments.get(str(asked.cursor.steps[-1].key))
    if argument is None or document is None:
        return
    default = argument.default
    texts: list[str] = []
    if default is not None and not default.dynamic:
        texts = ["true", "false"] if isinstance(default.plain, bool) else [yaml_of(default.plain)]
        if isinstance(default.plain, str):
            texts += [*document.blocks, *kind_names("layers")]
    elif argument.word == "bool":
        texts = ["true", "false"]
    for number, text in enumerate(dict.fromkeys(texts)):
        yield from _tried(asked, text, number)


def _main(asked: Asked) -> Iterator[Completion]:
    """What may follow a kind's name: its main field's value, or its fields in braces."""
    name = asked.kind_here
    kind = asked.model
    block = asked.blocks.get(name or "")
    texts: list[str] = []
    if kind is not None and kind.main is not None and kind.main not in getattr(kind, "references", {}):
        info = fields_of(kind)[kind.main]
        texts = list(islice(guesses(kind.main, info, asked.x, asked.env), MAX_VALUES))
    elif block is not None and block.arguments:
        texts = argument_values(asked, block, next(iter(block.arguments)))
    elif name == "split":
        channels = asked.x.channels if asked.x is not None else 4
        texts = [str(parts) for parts in range(2, 17) if channels % parts == 0]
    for number, text in enumerate(dict.fromkeys(texts)):
        yield from _tried(asked, text, number)
