"""Fields of an entry: those of its kind or structure, its block's arguments, and those that all entries have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archspec.diagnostics import Findings
from archspec.editing.documented import word_text
from archspec.editing.grammar import NEEDED, STRUCTURE_FIELDS, STRUCTURE_WORDS, kind_or_none
from archspec.editing.offers.entries import argument_values
from archspec.editing.offers.item import Asked, Completion
from archspec.editing.offers.keys import default_of, key, said_of, values_of
from archspec.editing.offers.names import names_here
from archspec.kinds import RESERVED, SEPARABLE, STRUCTURE
from archspec.spec.reading import evaluate, fields_of


def content(asked: Asked) -> Iterator[Completion]:
    """Fields of an entry: those of its kind, its block's arguments, and those that all entries have."""
    name = asked.kind_here
    if name is None:
        return
    block = asked.blocks.get(name)
    if block is not None:
        for number, argument in enumerate(block.arguments.values()):
            if argument.name not in asked.given:
                values = argument_values(asked, block, argument.name)
                required = argument.default is None
                yield from key(
                    asked, argument.name, "argument", values, detail=default_of(argument),
                    said=f"argument of block `{name}`", rank=number + (0 if required else 100), always=required,
                )  # fmt: skip
    elif name in STRUCTURE:
        yield from _structure(asked, name)
    else:
        kind = kind_or_none("layers", name)
        references = getattr(kind, "references", {})
        for number, (field, info) in enumerate(fields_of(kind).items() if kind is not None else ()):
            if field in asked.given:
                continue
            required = info.is_required()
            known = field not in references or not asked.probe.places
            own: Iterable[str] = (
                [item.name for item in names_here(asked)] if field in references else values_of(asked, field, info)
            )
            yield from key(
                asked, field, "field", own, detail=said_of(info, required), said=info.description or "",
                rank=number + (0 if required else 100), always=required and known,
            )  # fmt: skip
    yield from _common(asked, name)


def _common(asked: Asked, kind: str) -> Iterator[Completion]:
    """Fields of every entry."""
    for number, field in enumerate(RESERVED):
        if field in asked.given or (field == "name" and asked.probe.repeated and not _varies(asked)):
            continue
        values: list[str] = []
        if field == "name" and not asked.probe.repeated:
            values = [_free_name(asked, kind)]
        elif field == "from":
            values = ["previous", *(item.name for item in names_here(asked)[:8])]
            others = [item.name for item in names_here(asked) if item.name != "previous"]
            values += [f"[previous, {other}]" for other in others[:4]]
        elif field == "weights":
            values = [item.name for item in names_here(asked)]
        elif field == "when":
            values = ["true"]
        yield from key(asked, field, "field", values, said=word_text(field), rank=200 + number)


def _varies(asked: Asked) -> bool:
    """Whether the value at the cursor may be another one in each round of a repeat."""
    value = asked.renamed("name").get("name") if asked.cursor.has_value else None
    if value is None or not value.dynamic:
        return False
    found = [evaluate(value, place.env, Findings()) for place in asked.probe.places]
    return len(found) > 1 and len(set(map(str, found))) == len(found)


def _free_name(asked: Asked, kind: str) -> str:
    if not asked.probe.places:
        return f"{kind}1"
    taken = asked.probe.places[0].context.scope
    number = 1
    word = kind if kind.isidentifier() else "layer"
    while f"{word}_{number}" in taken.names or f"{word}_{number}" in taken.children:
        number += 1
    return f"{word}_{number}"


def _structure(asked: Asked, name: str) -> Iterator[Completion]:
    usual: dict[str, list[str]] = {
        "times": ["2", *(f"$(len({word}))" for word, value in asked.env.items() if isinstance(value, list))],
        "layers": ["[relu]"],
        "as": ["i"],
        "tied": ["true"],
        "branches": ["[[relu], [identity]]"],
        "parts": ["2", "3", "4"],
        "sizes": ["[-1]"],
        "shortcut": ["auto", "projection", "identity"],
    }
    for number, field in enumerate(STRUCTURE_FIELDS[name]):
        if field in asked.given:
            continue
        required = field in NEEDED.get(name, ())
        values: Iterable[str] = [*STRUCTURE_WORDS.get((name, field), ()), *usual.get(field, [])]
        said = word_text(name, field)
        if name == "separable_conv":
            part = next(part for part, own in SEPARABLE.values() if field in own)
            kind = kind_or_none("layers", part)
            assert kind is not None
            info = fields_of(kind)[field]
            values, said = values_of(asked, field, info), info.description or ""
        yield from key(
            asked, field, "field", values, said=said, detail="needed" if required else "", always=required,
            rank=number + (0 if required else 100),
        )  # fmt: skip
