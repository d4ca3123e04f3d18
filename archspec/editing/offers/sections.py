"""Sections of a spec or of a variant, and the arguments that a variant sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.editing.offers.guesses import yaml_of
from archspec.editing.offers.item import Asked, Completion
from archspec.editing.offers.keys import default_of, key
from archspec.kinds import kind_names
from archspec.located import Mapping, Scalar, Sequence, is_null
from archspec.source import is_file
from archspec.spec.document import MAPPINGS
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS
from archspec.zoo import zoo_networks

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


def sections(asked: Asked) -> Iterator[Completion]:
    in_variant = asked.slot.what == "variant"
    known = VARIANT_SECTIONS if in_variant else tuple(SECTIONS)
    document = asked.probe.document
    if in_variant and document is not None:
        for name, argument in asked.arguments.items():
            if name not in asked.given and _may_hold(asked, name, argument):
                values = [yaml_of(argument.default.plain)] if argument.default is not None else ["1", "true", "[1]"]
                if argument.default is not None and argument.default.dynamic:
                    values = ["1", "true", "[1]"]
                yield from key(asked, name, "argument", values, detail=default_of(argument), rank=0)
        others = [name for name in document.variants if name != asked.cursor.steps[1].key]
        if "extends" not in asked.given and (not asked.cursor.has_value or _has_form("extends", asked)):
            yield from key(
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
        yield from key(asked, name, "section", values, said=text, detail=text, rank=10 + number, always=not in_variant)


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
            or (is_file(file) and file != asked.analysis.now.path)
            or word in zoo_networks()
        )
    return isinstance(value, Scalar) or (name in ("import", "task") and not isinstance(value, Mapping))


def _last_names(asked: Asked) -> list[str]:
    top = asked.probe.watch.top
    return [name for name in reversed(top.scope.names) if name.isidentifier()][:3] if top is not None else []
