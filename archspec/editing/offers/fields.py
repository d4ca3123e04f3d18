"""Fields, arguments and sections that are not given yet, each with a value that fits."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.editing.documented import kind_text
from archspec.editing.grammar import Slot, kind_or_none, section_of
from archspec.editing.offers.contents import content
from archspec.editing.offers.item import Asked, Completion
from archspec.editing.offers.keys import key, said_of, values_of
from archspec.editing.offers.sections import sections
from archspec.editing.offers.values import kind_texts
from archspec.kinds import FAMILIES, kind_names
from archspec.located import INPUT_KINDS, Mapping
from archspec.spec.inputs import MODELS
from archspec.spec.network import OutputSpec
from archspec.spec.reading import fields_of


def fields(asked: Asked) -> Iterator[Completion]:
    """The keys that may be added to the mapping that the cursor is in."""
    slot = asked.slot
    if slot.what in ("sections", "variant"):
        yield from sections(asked)
    elif slot.what == "content":
        yield from content(asked)
    elif slot.what == "fields" and slot.model is not None:
        yield from model_fields(asked, slot)
    elif slot.what in ("kind", "kinds") and not asked.given:
        yield from _kinds(asked)
    elif slot.what == "value" and (section := section_of(slot.info)) is not None:
        yield from model_fields(asked, Slot("fields", section))
    elif slot.what == "names" and slot.word == "output":
        yield from model_fields(asked, Slot("fields", OutputSpec))
    elif slot.what == "defaults":
        for name in kind_names("layers"):
            if name not in asked.given and _has_fields(asked, name):
                yield from key(asked, name, "kind", ["{}"], detail="fields for every layer of this kind")
    elif slot.what == "block":
        yield from _block(asked)
    elif slot.what == "published" and asked.probe.document is not None:
        for name in asked.probe.document.variants:
            if name not in asked.given:
                yield from key(asked, name, "variant", ["{}"])
        if not asked.probe.document.variants and slot.model is not None:
            yield from model_fields(asked, slot)


def _has_fields(asked: Asked, name: str) -> bool:
    """Whether a kind of layer has the fields that stand at the cursor, where some do."""
    if not asked.cursor.has_value:
        return True
    kind, value = kind_or_none("layers", name), asked.renamed(name).get(name)
    return kind is not None and isinstance(value, Mapping) and value.entries.keys() <= fields_of(kind).keys()


def model_fields(asked: Asked, slot: Slot) -> Iterator[Completion]:
    """Fields of a section or kind."""
    model = slot.model
    assert model is not None
    known = dict(fields_of(model))
    if slot.word == "input" and not asked.given.keys() & INPUT_KINDS.keys():
        known = {name: info for other in MODELS.values() for name, info in fields_of(other).items()}
    for number, (name, info) in enumerate(known.items()):
        if name in asked.given:
            continue
        required = info.is_required() and not slot.partial
        detail = said_of(info, required)
        values = values_of(asked, name, info)
        rank = number + (0 if required else 100)
        always = required or slot.word == "input"
        yield from key(
            asked, name, "field", values, detail=detail, said=info.description or "", rank=rank, always=always
        )


def _kinds(asked: Asked) -> Iterator[Completion]:
    """Kinds as the key of their fields: `optimiser: {sgd: …}`."""
    family = asked.slot.family
    for name in kind_names(family):
        kind = kind_or_none(family, name)
        if kind is None:
            continue
        first, *_ = [*kind_texts(family, name), f"{{{name}: {{}}}}"]
        inner = first[1:-1] if first.startswith("{") else f"{name}: {{}}"
        value = inner.partition(": ")[2]
        yield from key(asked, name, "kind", [value], detail=FAMILIES[family], said=kind_text(name, family))


_BLOCK = (
    ("args", "{width: int}", "arguments with their defaults, or a type word where calls must give them"),
    ("inputs", "[x, y]", "names of what the block takes, where that is more than one value"),
    ("layers", "[relu]", "a list of layers, each of which takes what the one before it gives"),
)
"""Fields of a block, with a value and what they are for."""


def _block(asked: Asked) -> Iterator[Completion]:
    for name, value, said in _BLOCK:
        if name not in asked.given:
            yield from key(asked, name, "field", [value], said=said, always=name == "layers")
