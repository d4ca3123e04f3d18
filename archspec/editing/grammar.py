"""What may stand where in a spec: the language as a way down from the root, key by key."""

from __future__ import annotations

from collections.abc import Sequence as Many
from functools import cache
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archspec.editing.marking import Step
from archspec.kinds import (
    JOINS,
    RESERVED,
    SEPARABLE,
    SPLIT_AXES,
    STRUCTURE,
    Kind,
    KindError,
    family_of_field,
    find_kind,
    takes_several,
)
from archspec.located import INPUT_KINDS, Located, Mapping, Sequence
from archspec.spec.inputs import MODELS
from archspec.spec.lineage import Lineage
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS, Header, OutputSpec, Published, WeightSet
from archspec.spec.reading import fields_of
from archspec.spec.train import Train

STRUCTURE_FIELDS: dict[str, tuple[str, ...]] = {
    "repeat": ("times", "layers", "as", "tied"),
    "parallel": ("branches", "join"),
    "residual": ("layers", "shortcut"),
    "split": ("parts", "sizes", "axis"),
    "separable_conv": tuple(dict.fromkeys(field for _, own in SEPARABLE.values() for field in own)),
}
"""The fields of structures, those that are needed first."""

NEEDED: dict[str, tuple[str, ...]] = {
    "repeat": ("times", "layers"),
    "parallel": ("branches",),
    "residual": ("layers",),
    "separable_conv": ("filters", "kernel"),
}

STRUCTURE_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("parallel", "join"): JOINS,
    ("residual", "shortcut"): ("identity", "projection", "zero_pad", "auto"),
    ("split", "axis"): SPLIT_AXES,
    ("repeat", "tied"): ("true", "false"),
}
"""Fields of structures that hold one of some words."""


class Slot(NamedTuple):
    """What is expected at a place.

    `what` says which kind of thing; `model` the class whose fields a mapping has, `family` whose kinds, `info` the
    field that a value is of, and `word` the kind, structure or field by name. `entry` is the entry that it is in.
    """

    what: Literal[
        "sections", "variant", "variants", "fields", "kind", "kinds", "layers", "entry", "content", "field", "branches",
        "defaults", "blocks", "block", "declared", "given", "outputs", "published", "inputs", "weights", "names",
        "base", "files", "value", "nothing",
    ]  # fmt: skip
    model: type[BaseModel] | None = None
    family: str = ""
    info: FieldInfo | None = None
    word: str = ""
    entry: Located | None = None
    partial: bool = False
    """Whether what is given here is laid over something else, so that no field is needed."""


NOTHING = Slot("nothing")


def slot_at(steps: Many[Step], *, into_value: bool) -> Slot:
    """What is expected at the end of a way: at the last key itself, or `into_value` at what it holds."""
    slot = Slot("sections")
    for number, step in enumerate(steps):
        if number == len(steps) - 1 and not into_value:
            return slot
        slot = _inside(slot, step)
    return slot


def _inside(slot: Slot, step: Step) -> Slot:
    """What is expected one step further in."""
    entered = _STEPS.get(slot.what)
    found = entered(slot, step) if entered is not None else NOTHING
    return found if found.entry is not None or slot.entry is None else found._replace(entry=slot.entry)


def _sections(slot: Slot, step: Step) -> Slot:
    name, partial = str(step.key), slot.what == "variant"
    if partial and name == "extends":
        return Slot("base", word="variant")
    if partial and name not in VARIANT_SECTIONS:
        return Slot("value", word="argument")
    own: dict[str, Slot] = {
        "args": Slot("declared", word="args"),
        "variants": Slot("variants"),
        "import": Slot("files"),
        "extends": Slot("base"),
        "defaults": Slot("defaults"),
        "blocks": Slot("blocks"),
        "inputs": Slot("inputs"),
        "layers": Slot("layers"),
        "outputs": Slot("outputs"),
        "train": Slot("fields", Train, partial=True),
        "lineage": Slot("fields", Lineage),
        "published": Slot("published", Published),
        "weights": Slot("weights"),
    }
    if name == "input":
        return Slot("fields", input_model(_value(step)), word="input", partial=partial)
    if name in own:
        return own[name]
    info = fields_of(Header).get(name)
    return _field(name, info, Header) if info is not None else NOTHING


def input_model(node: Located | None) -> type[BaseModel]:
    """The model of an input, by the fields that are given."""
    given = node.entries if isinstance(node, Mapping) else {}
    kind = next((INPUT_KINDS[name] for name in given if name in INPUT_KINDS), "image")
    return MODELS[kind]


def _value(step: Step) -> Located | None:
    return step.node.get(str(step.key)) if isinstance(step.node, Mapping) else None


def _variants(slot: Slot, step: Step) -> Slot:
    return Slot("variant")


def _field(name: str, info: FieldInfo, model: type[BaseModel], *, partial: bool = False) -> Slot:
    """What a field of a model holds."""
    family = family_of_field(info.metadata)
    if family is not None:
        what: Any = "kinds" if takes_several(info.metadata) else "kind"
        return Slot(what, model, family, info, name)
    return Slot("value", model, "", info, name, partial=partial)


def _fields(slot: Slot, step: Step) -> Slot:
    info = fields_of(slot.model).get(str(step.key)) if slot.model is not None else None
    return _field(str(step.key), info, slot.model) if info is not None and slot.model is not None else NOTHING


def section_of(info: FieldInfo | None) -> type[BaseModel] | None:
    """The section that a field may hold."""
    if info is None:
        return None
    optional = get_origin(info.annotation) in (Union, UnionType)
    choices = get_args(info.annotation) if optional else (info.annotation,)
    return next((item for item in choices if isinstance(item, type) and issubclass(item, BaseModel)), None)


def _into_value(slot: Slot, step: Step) -> Slot:
    if slot.word in ("declared", "argument"):
        return NOTHING
    if isinstance(step.key, int):
        return slot._replace(partial=True)
    if (section := section_of(slot.info)) is not None:
        return _fields(Slot("fields", section), step)
    return NOTHING


def _kind(slot: Slot, step: Step) -> Slot:
    if isinstance(step.key, int):
        return slot._replace(what="kind") if slot.what == "kinds" else NOTHING
    kind = kind_or_none(slot.family, step.key)
    return Slot("fields", kind, slot.family, word=kind.kind) if kind is not None else NOTHING


@cache
def _structures() -> frozenset[str]:
    return frozenset(STRUCTURE)


def kind_or_none(family: str, name: str) -> type[Kind] | None:
    """A kind of a family; None where there is none of that name, or it does not load."""
    try:
        return find_kind(family, name)
    except KindError:
        return None


def _layers(slot: Slot, step: Step) -> Slot:
    if not isinstance(step.key, int) or not isinstance(step.node, Sequence):
        return NOTHING
    return Slot("entry", entry=step.node.items[step.key])


def _entry(slot: Slot, step: Step) -> Slot:
    # A list where an entry is to be is a mistake, or brackets that are still being typed.
    if not isinstance(step.node, Mapping) or len(step.node.entries) != 1:
        return NOTHING
    return Slot("content", word=str(step.key))


def _content(slot: Slot, step: Step) -> Slot:
    name = str(step.key)
    if slot.word == "parallel" and name == "branches":
        return Slot("branches")
    if (slot.word in ("repeat", "residual") and name == "layers") or (
        slot.word == "residual" and name == "shortcut" and isinstance(_value(step), Sequence)
    ):
        return Slot("layers")
    if name in ("from", "weights"):
        return Slot("names", word=name)
    kind = None if slot.word in STRUCTURE else kind_or_none("layers", slot.word)
    if slot.word == "separable_conv":
        part = next(part for part, own in SEPARABLE.values() if name in own or part == "conv")
        kind = kind_or_none("layers", part)
    info = fields_of(kind).get(name) if kind is not None else None
    if kind is None or info is None:
        return Slot("field", word=f"{slot.word}.{name}")
    if name in getattr(kind, "references", {}):
        return Slot("names", kind, word=name)
    return _field(name, info, kind)


def _branches(slot: Slot, step: Step) -> Slot:
    return Slot("layers")


def _defaults(slot: Slot, step: Step) -> Slot:
    kind = kind_or_none("layers", str(step.key))
    return Slot("fields", kind, "layers", word="defaults") if kind is not None else NOTHING


def _blocks(slot: Slot, step: Step) -> Slot:
    return Slot("block", word=str(step.key))


def _block(slot: Slot, step: Step) -> Slot:
    return {"args": Slot("declared", word=slot.word), "layers": Slot("layers")}.get(str(step.key), NOTHING)


def _declared(slot: Slot, step: Step) -> Slot:
    return Slot("value", word="declared")


def _outputs(slot: Slot, step: Step) -> Slot:
    return Slot("names", word="output")


def _names(slot: Slot, step: Step) -> Slot:
    if isinstance(step.key, int):
        return slot
    if slot.word != "output":
        return NOTHING
    if step.key == "from":
        return Slot("names", word="output.from")
    return _fields(Slot("fields", OutputSpec), step)


def _published(slot: Slot, step: Step) -> Slot:
    if isinstance(_value(step), Mapping):
        return Slot("fields", Published)
    return _fields(Slot("fields", Published), step)


def _inputs(slot: Slot, step: Step) -> Slot:
    return Slot("fields", input_model(_value(step)), word="input")


def _weights(slot: Slot, step: Step) -> Slot:
    return Slot("fields", WeightSet)


def _files(slot: Slot, step: Step) -> Slot:
    return slot if isinstance(step.key, int) else NOTHING


_STEPS = {
    "sections": _sections,
    "variant": _sections,
    "variants": _variants,
    "fields": _fields,
    "value": _into_value,
    "kind": _kind,
    "kinds": _kind,
    "layers": _layers,
    "entry": _entry,
    "content": _content,
    "branches": _branches,
    "defaults": _defaults,
    "blocks": _blocks,
    "block": _block,
    "declared": _declared,
    "outputs": _outputs,
    "names": _names,
    "published": _published,
    "inputs": _inputs,
    "weights": _weights,
    "files": _files,
}

__all__ = ["RESERVED", "SECTIONS", "Slot", "section_of", "slot_at"]
