"""What is said of sections, kinds and fields that there are not, and of those in the wrong form.

Imported once a spec has such a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from archspec import edits
from archspec.diagnostics import Findings, Mend, Span, article, count, did_you_mean, listed
from archspec.kinds import FAMILIES, RESERVED, Kind, KindError, find_kind, kind_names
from archspec.located import Located, Scalar, Sequence, describe
from archspec.located import Mapping as LocatedMapping
from archspec.spec import mending, rewriting
from archspec.spec.hints import INPUTS, field_hint, is_shape, kind_hint, plain_name, shape_hint, shape_of, synonyms
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS
from archspec.spec.reading import fields_of
from archspec.spelling import Meant

OWN = "one of your own, from a Python file: `--plugin my_layers.py` (docs/plugins.md)"


def written(node: Located) -> bool:
    """Whether a value stands in a file."""
    return node.source.path is not None


_FILES = {"csv": "table", "tsv": "table", "npz": "npz"}
"""The dataset that a file is of, by its ending."""


def _partly(name: Any, known: Iterable[str]) -> str | None:
    """The kinds whose names have the name as one word among others, `max_pool` of `pool`: any of them may be meant."""
    if not isinstance(name, str):
        return None
    alike = [kind for kind in known if name.lower() in kind.split("_")]
    return f"it is one of {listed(alike, 20)}" if alike else None


def unknown_kind(name: Any, span: Span | None, known: Iterable[str], word: str, findings: Findings) -> None:
    """Reports a name that is no kind, with the nearest that is."""
    if name == "not_imported":
        findings.error(
            "E562",
            "an operation of the file that this spec is from has no kind here",
            span,
            help=["the comment above it says what it was; put layers in its place, or a kind of your own"],
        )
        return
    known = sorted(known)
    mends: list[Mend] = []
    hint = _field_of(name, known, word) or kind_hint(name, known) if isinstance(name, str) else None
    if word == "dataset" and isinstance(name, str) and (kind := _FILES.get(name.lower().rpartition(".")[2])):
        hint = f"write `{{{kind}: {name[:60]}}}`"
        mends = mending.respelt(mending.value_at(span), f"{{{kind}: {edits.yaml_of(name)}}}", hint, certain=True)
    findings.error(
        "E204",
        f"{describe(name) if not isinstance(name, str) else f'`{name[:60]}`'} is not {article(word)}",
        span,
        help=[hint] if hint else [_partly(name, known) or f"there are {listed(known, 100)}", OWN],
        mends=mends,
    )


def _field_of(name: str, known: list[str], word: str) -> str | None:
    """What to say of a name that is no kind but a field of some, as in `optimiser: {learning_rate: 0.1}`."""
    name = synonyms(name)[0]
    family = next((family for family, own in FAMILIES.items() if own == word and family != "layers"), None)
    holders = []
    for kind in known if family else ():
        try:
            kind_class = find_kind(family or "", kind)
        except KindError:
            continue
        if kind_class is not None and name in kind_class.model_fields:
            holders.append(kind)
    if not holders:
        return None
    first = "sgd" if "sgd" in holders else holders[0]
    return f"`{name}` is a field of {listed(holders)}; the kind stands before it: {first}: {{{name}: …}}"


def not_one_kind(family: str, node: LocatedMapping, findings: Findings) -> None:
    """Reports a mapping of several keys, or none, where a kind is expected."""
    what = (
        f"{article(FAMILIES[family])} is one kind with its fields, not a mapping of {count(len(node.entries), 'key')}"
    )
    listed_alone = _one_each(node) if family == "augmentations" else None
    help = (
        listed_alone
        or _nested(node, family)
        or f"write {{kind: {{field: value}}}}; kinds: {listed(kind_names(family))}"
    )
    better = re.search(r": (\[.*\])\Z", listed_alone or "") or re.search(r": `(\{.*\})`\Z", help)
    mends = mending.made(help, [mending.anew(node, better[1])], certain=True) if better and written(node) else []
    findings.error("E205", what, node.span, help=[help], mends=mends)


def _one_each(node: LocatedMapping) -> str | None:
    """`{random_crop: 4, random_flip: true}` as the list that `augment` takes."""
    made = []
    for name, _, value in node.items():
        own = "horizontal_flip" if name == "random_flip" else name
        if not isinstance(value, Scalar):
            return "`augment` is a list, each entry one kind: [{random_crop: 4}, horizontal_flip]"
        if value.plain is not False:
            made.append(own if value.plain in (True, None) else f"{{{own}: {str(value.plain)[:60]}}}")
    return f"`augment` is a list, each entry one kind: [{', '.join(made)}]" if made else None


def no_value(kind: type[Kind], content: Located, findings: Findings) -> None:
    """Reports a value that was given to a kind that takes none."""
    what = f"{kind.kind} takes no value, but is given {content.described}"
    joined = _join_help(kind, content)
    mends: list[Mend] = []
    if joined and isinstance(content, Sequence) and len(content.items) <= 8 and written(content):
        mends = mending.made(joined, [mending.anew(content, f"{{from: {content.span.text}}}")], certain=True)
    findings.error("E205", what, content.span, help=[joined or _fields_help(kind)], mends=mends)


def _nested(node: LocatedMapping, family: str) -> str | None:
    """How `{table: houses.csv, targets: price}` is written, where fields stand beside their kind; None for all else."""
    if not node.entries:
        return None
    (name, _, content), *rest = node.items()
    kind = find_kind(family, name) if name in kind_names(family) else None
    if kind is None or kind.main is None or not isinstance(content, Scalar):
        return None
    fields = [(kind.main, content), *((field, value) for field, _, value in rest)]
    if any(not isinstance(value, Scalar) or field not in kind.model_fields for field, value in fields):
        return None
    written = ", ".join(f"{field}: {str(value.plain)[:60]}" for field, value in fields)
    return f"fields stand within their kind: `{{{name}: {{{written}}}}}`"


def _join_help(kind: type[Kind], content: Located) -> str | None:
    """What to write for `add: [a, b]` and `add: a`."""
    if getattr(kind, "min_inputs", 1) < 2:
        return None
    items = [*content.items[:8]] if isinstance(content, Sequence) else [content, None]
    names = ", ".join(str(item.plain)[:40] if isinstance(item, Scalar) else "…" for item in items)
    return f"`from` names the layers that are joined: `- {kind.kind}: {{from: [{names}]}}`"


def _fields_help(model: type[BaseModel]) -> str:
    names = list(fields_of(model))
    return f"fields: {listed(names, 30)}" if names else "it has no fields"


def unknown_argument(
    name: str, key: Scalar, known: Iterable[str], what: str, owner: Span | None, findings: Findings
) -> None:
    """Reports an argument that a block has not, or the spec, which has no `owner`."""
    known = list(known)
    hint = field_hint(name, known, RESERVED) if owner is not None else did_you_mean(name, known)
    hint = _unless_there(hint, key)
    others = f"arguments: {listed(known)}" if known else "it has no arguments"
    if owner is None and name in SECTIONS:
        others = f"a variant sets arguments, and may have `extends` and lay over {listed(VARIANT_SECTIONS, 20)}"
        hint = None
    findings.error("E201", f"{what} has no argument `{name[:60]}`", key.span, help=[hint or others])


def unknown_section(name: str, key: Scalar, value: Located, findings: Findings) -> None:
    """Reports a section that there is not."""
    hint = shape_hint(value.plain) if is_shape(name) else None
    hint = hint or _unless_there(field_hint(name, SECTIONS), key)
    what = f"a spec has no section `{name[:60]}`"
    shape = shape_of(value.plain) if is_shape(name) else None
    mends = rewriting.in_place_of(key, value, "input", shape, str(hint)) if shape else []
    findings.error("E201", what, key.span, help=[hint or f"sections: {listed(SECTIONS, 30)}"], mends=mends)


def no_mapping(name: str, value: Located, findings: Findings) -> None:
    """Reports a section that should be a mapping and is none."""
    text = value.value if isinstance(value, Scalar) else None
    spaced = re.match(r"([A-Za-z_]+):(\S+)", text) if isinstance(text, str) else None
    hint = shape_hint(value.plain) if name == "input" else INPUTS if name == "inputs" else None
    listing = value.plain if name == "outputs" and isinstance(value, Sequence) else []
    if spaced:
        hint = f"a space belongs after the colon: `{spaced[1]}: {spaced[2][:40]}`"
    elif listing and all(isinstance(item, str) for item in listing):
        hint = f"write `outputs: {{{', '.join(f'{item[:40]}: {item[:40]}' for item in listing[:4])}}}`"
    mends: list[Mend] = []
    if name == "input" and (shape := shape_of(value.plain)) is not None:
        mends = rewriting.in_place_of(None, value, name, shape, str(hint))
    elif listing and all(isinstance(item, str) for item in listing) and len(listing) <= 4:
        mends = rewriting.in_place_of(None, value, name, {item: item for item in listing}, str(hint))
    what = f"`{name}` is a mapping, not {value.described}"
    findings.error("E206", what, value.span, help=[hint] if hint else [], mends=mends)


def _unless_there(hint: str | None, key: Scalar) -> str | None:
    """A did-you-mean that is no mend where the field that it offers is there already, which would be given twice."""
    if not isinstance(hint, Meant):
        return hint
    found = mending.spot(key.span)
    around = found.around[-1] if found is not None else None
    return str(hint) if isinstance(around, LocatedMapping) and hint.name in around.entries else hint


def unknown_field(
    name: str, key: Scalar, model: type[BaseModel], what: str, also: Iterable[str], findings: Findings
) -> str | None:
    """Reports a field that there is not; returns the did-you-mean."""
    hint = _unless_there(field_hint(name, fields_of(model), also), key)
    mends = rewriting.without_other(name, key, plain_name(name), hint) if hint is not None else []
    if "optimiser" in fields_of(model):
        for own in ("learning_rate", "weight_decay", "momentum"):
            if own in synonyms(name):
                hint = f"the optimiser has it: `optimiser: {{sgd: {{{own}: …}}}}`"
                mends = rewriting.moved_to("optimiser", key, own, hint)
    told: str | None = hint
    if isinstance(hint, Meant) and hint.name == "pad" and (mended := rewriting.same_padding(name, key)):
        told, mends = rewriting.SAME_UPPER, mended
    if hint is None and what == "train" and name == "task":
        told = hint = "`task` is a section of its own, beside `train`"
        mends = rewriting.moved_out(key, hint)
    findings.error(
        "E201",
        f"{what} has no field `{name[:60]}`",
        key.span,
        help=[told] if told else [_fields_help(model)],
        mends=mends,
    )
    return hint
