"""Fields, arguments and sections that are not given yet, each with a value that fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic.fields import FieldInfo

from archspec.diagnostics import Findings
from archspec.editing.grammar import (
    FIELD_TEXTS,
    NEEDED,
    STRUCTURE_FIELDS,
    WORDS,
    Slot,
    kind_or_none,
    section_of,
)
from archspec.editing.offers.entries import argument_values
from archspec.editing.offers.guesses import guesses, words_in, yaml_of
from archspec.editing.offers.item import Asked, Completion, What, hole
from archspec.editing.offers.names import names_here
from archspec.editing.offers.values import kind_texts
from archspec.editing.probing import parsed
from archspec.kinds import FAMILIES, RESERVED, SEPARABLE, STRUCTURE, family_of_field, kind_names, takes_several
from archspec.located import INPUT_KINDS, Mapping, Scalar, Sequence, is_null
from archspec.spec.document import MAPPINGS
from archspec.spec.inputs import MODELS
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS
from archspec.spec.reading import evaluate, fields_of
from archspec.spec.train import Train
from archspec.zoo import zoo_networks

MAX_TRIED = 12
"""Values of a field that are tried."""

SECTION_TEXTS = {
    "archspec": ("1",),
    "name": ("network",),
    "title": ('"…"',),
    "paper": ('"…"',),
    "notes": ('"…"',),
    "task": ("classification",),
    "input": ("{height: 224, width: 224, channels: 3}",),
    "inputs": ("{image: {height: 28, width: 28, channels: 1}, number: {features: 10}}",),
    "layers": ("[relu]",),
    "args": ("{classes: 10}",),
    "defaults": ("{conv: {bias: false}}",),
    "blocks": ("{unit: {layers: [relu]}}",),
    "train": ("{dataset: mnist5k, epochs: 10}",),
    "lineage": ("{year: 2015}",),
    "variants": ("{base: {}}",),
    "weights": ("{}",),
    "published": ("{}",),
    "outputs": (),
    "import": (),
    "extends": (),
}
"""What sections hold at first; those without need a name that is completed afterwards."""

MAY_BE_NULL = ("outputs", "train", "lineage", "published", "weights")
"""Sections that may be left out of what a file extends."""


def fields(asked: Asked) -> Iterator[Completion]:
    """The keys that may be added to the mapping that the cursor is in."""
    slot = asked.slot
    if slot.what in ("sections", "variant"):
        yield from _sections(asked)
    elif slot.what == "content":
        yield from _content(asked)
    elif slot.what == "fields" and slot.model is not None:
        yield from _model(asked, slot)
    elif slot.what in ("kind", "kinds") and not asked.given:
        yield from _kinds(asked)
    elif slot.what == "value" and (section := section_of(slot.info)) is not None:
        yield from _model(asked, Slot("fields", section))
    elif slot.what == "names" and slot.word == "output":
        yield from _model(asked, Slot("fields", _output_model()))
    elif slot.what == "defaults":
        for name in kind_names("layers"):
            if name not in asked.given and _has_fields(asked, name):
                yield from _key(asked, name, "kind", ["{}"], detail="fields for every layer of this kind")
    elif slot.what == "block":
        yield from _block(asked)
    elif slot.what == "published" and asked.probe.document is not None:
        for name in asked.probe.document.variants:
            if name not in asked.given:
                yield from _key(asked, name, "variant", ["{}"])
        if not asked.probe.document.variants and slot.model is not None:
            yield from _model(asked, slot)


def _has_fields(asked: Asked, name: str) -> bool:
    """Whether a kind of layer has the fields that stand at the cursor, where some do."""
    if not asked.cursor.has_value:
        return True
    kind, value = kind_or_none("layers", name), asked.renamed(name).get(name)
    return kind is not None and isinstance(value, Mapping) and value.entries.keys() <= fields_of(kind).keys()


def _output_model() -> Any:
    from archspec.spec.network import OutputSpec

    return OutputSpec


def _key(
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


def _sections(asked: Asked) -> Iterator[Completion]:
    in_variant = asked.slot.what == "variant"
    known = VARIANT_SECTIONS if in_variant else tuple(SECTIONS)
    document = asked.probe.document
    if in_variant and document is not None:
        for name, argument in asked.arguments.items():
            if name not in asked.given and _may_hold(asked, name, argument):
                values = [yaml_of(argument.default.plain)] if argument.default is not None else ["1", "true", "[1]"]
                if argument.default is not None and argument.default.dynamic:
                    values = ["1", "true", "[1]"]
                yield from _key(asked, name, "argument", values, detail=_default_of(argument), rank=0)
        others = [name for name in document.variants if name != asked.cursor.steps[1].key]
        if "extends" not in asked.given and (not asked.cursor.has_value or _has_form("extends", asked)):
            yield from _key(
                asked, "extends", "section", others or ["lenet5"], said="a variant or a spec that it starts from",
                rank=1,
            )  # fmt: skip
    for number, name in enumerate(known):
        if name in asked.given or (name in ("input", "inputs") and asked.given.keys() & {"input", "inputs"}):
            continue
        if asked.cursor.has_value and not _has_form(name, asked):
            continue
        values = list(SECTION_TEXTS[name])
        if name == "extends":
            own = asked.analysis.now.path
            values = [network for network, (file, _) in zoo_networks().items() if file != own][:1]
        elif name == "import":
            values = ["[lenet]"]
        elif name == "outputs":
            values = [f"{{output: {last}}}" for last in _last_names(asked)]
        if in_variant and name in ("layers", "input", "inputs"):
            values = [*values, "{}"]
        text = SECTIONS[name]
        # A text with a section still to come is wrong all the same: it is offered whatever is wrong.
        yield from _key(asked, name, "section", values, said=text, detail=text, rank=10 + number, always=not in_variant)


def _may_hold(asked: Asked, name: str, argument: Any) -> bool:
    """Whether what stands at the cursor may be an argument's: of texts those that name what a layer can be."""
    value = asked.renamed(name).get(name) if asked.cursor.has_value else None
    if not isinstance(value, Scalar) or not isinstance(value.value, str) or value.dynamic:
        return True
    default = argument.default.plain if argument.default is not None else ""
    named = {"none", *asked.blocks, *kind_names("layers")}
    return isinstance(default, str) and (default not in named or value.value in named)


def _has_form(name: str, asked: Asked) -> bool:
    """Whether what stands at the cursor may be what a section holds, by its form alone."""
    value = asked.renamed(name).get(name)
    if name == "outputs" and isinstance(value, Mapping):
        held = [own.get("from") if isinstance(own, Mapping) else own for _, _, own in value.items()]
        return all(isinstance(own, Scalar) and isinstance(own.value, str) for own in held)
    if name in MAPPINGS:
        return isinstance(value, Mapping) or (is_null(value) and name in MAY_BE_NULL)
    if name == "layers":
        return isinstance(value, Sequence)
    if name == "extends":
        document = asked.probe.document
        word = str(value.value).partition("#")[0] if isinstance(value, Scalar) else ""
        variants = document.variants if document is not None and asked.slot.what == "variant" else {}
        file = asked.analysis.now.path.parent / word
        own = asked.cursor.steps[1].key if variants else None
        return (
            (word in variants and word != own)
            or (file.is_file() and file != asked.analysis.now.path)
            or word in zoo_networks()
        )
    return isinstance(value, Scalar) or (name in ("import", "task") and not isinstance(value, Mapping))


def _last_names(asked: Asked) -> list[str]:
    top = asked.probe.watch.top
    return [name for name in reversed(top.scope.names) if name.isidentifier()][:3] if top is not None else []


def _default_of(argument: Any) -> str:
    if argument.default is None:
        return f"{argument.word or 'argument'}, needed"
    return f"default {yaml_of(argument.default.plain)}"


def _model(asked: Asked, slot: Slot) -> Iterator[Completion]:
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
        detail = _detail(info, required)
        values = _values(asked, name, info)
        rank = number + (0 if required else 100)
        always = required or slot.word == "input"
        yield from _key(
            asked, name, "field", values, detail=detail, said=info.description or "", rank=rank, always=always
        )


def _detail(info: FieldInfo, required: bool) -> str:
    if required:
        return "needed"
    if info.is_required() or info.default is None:
        return ""
    return f"default {yaml_of(info.default)}"[:120]


def _values(asked: Asked, name: str, info: FieldInfo) -> Iterator[str]:
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


def _content(asked: Asked) -> Iterator[Completion]:
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
                yield from _key(
                    asked, argument.name, "argument", values, detail=_default_of(argument),
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
                [item.name for item in names_here(asked)] if field in references else _values(asked, field, info)
            )
            yield from _key(
                asked, field, "field", own, detail=_detail(info, required), said=info.description or "",
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
        yield from _key(asked, field, "field", values, said=FIELD_TEXTS[field], rank=200 + number)


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
        values: Iterable[str] = [*WORDS.get((name, field), ()), *usual.get(field, [])]
        said = FIELD_TEXTS.get(field, "")
        if name == "separable_conv":
            part = next(part for part, own in SEPARABLE.values() if field in own)
            kind = kind_or_none("layers", part)
            assert kind is not None
            info = fields_of(kind)[field]
            values, said = _values(asked, field, info), info.description or ""
        yield from _key(
            asked, field, "field", values, said=said, detail="needed" if required else "", always=required,
            rank=number + (0 if required else 100),
        )  # fmt: skip


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
        yield from _key(asked, name, "kind", [value], detail=FAMILIES[family], said=about(kind))


def about(kind: Any) -> str:
    """A kind's documentation."""
    from archspec.editing.offers.entries import about_kind

    return about_kind(kind)


def _block(asked: Asked) -> Iterator[Completion]:
    for name, values in (("args", ["{width: int}"]), ("inputs", ["[x, y]"]), ("layers", ["[relu]"])):
        if name not in asked.given:
            yield from _key(asked, name, "field", values, said=FIELD_TEXTS[name], always=name == "layers")


__all__ = ["Train", "fields"]
