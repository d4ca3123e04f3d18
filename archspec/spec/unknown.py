"""What is said of sections, kinds and fields that there are not, and of those in the wrong form.

Imported once a spec has such a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from archspec.diagnostics import Findings, Span, article, count, did_you_mean, listed
from archspec.kinds import FAMILIES, RESERVED, Kind, KindError, find_kind, kind_names
from archspec.located import Located, Scalar, Sequence, describe
from archspec.located import Mapping as LocatedMapping
from archspec.spec.hints import INPUTS, field_hint, is_shape, kind_hint, shape_hint, synonyms
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS
from archspec.spec.reading import fields_of

OWN = "one of your own, from a Python file: `--plugin my_layers.py` (docs/plugins.md)"


_FILES = {"csv": "table", "tsv": "table", "npz": "npz"}
"""The dataset that a file is of, by its ending."""


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
    hint = _field_of(name, known, word) or kind_hint(name, known) if isinstance(name, str) else None
    if word == "dataset" and isinstance(name, str) and (kind := _FILES.get(name.lower().rpartition(".")[2])):
        hint = f"write `{{{kind}: {name[:60]}}}`"
    findings.error(
        "E204",
        f"{describe(name) if not isinstance(name, str) else f'`{name[:60]}`'} is not {article(word)}",
        span,
        help=[hint] if hint else [f"there are {listed(known, 100)}", OWN],
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
    findings.error("E205", what, node.span, help=[help])


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
    findings.error("E205", what, content.span, help=[_join_help(kind, content) or _fields_help(kind)])


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
    others = f"arguments: {listed(known)}" if known else "it has no arguments"
    if owner is None and name in SECTIONS:
        others = f"a variant sets arguments, and may have `extends` and lay over {listed(VARIANT_SECTIONS, 20)}"
        hint = None
    findings.error("E201", f"{what} has no argument `{name[:60]}`", key.span, help=[hint or others])


def unknown_section(name: str, key: Scalar, value: Located, findings: Findings) -> None:
    """Reports a section that there is not."""
    hint = shape_hint(value.plain) if is_shape(name) else None
    hint = hint or field_hint(name, SECTIONS)
    what = f"a spec has no section `{name[:60]}`"
    findings.error("E201", what, key.span, help=[hint or f"sections: {listed(SECTIONS, 30)}"])


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
    findings.error("E206", f"`{name}` is a mapping, not {value.described}", value.span, help=[hint] if hint else [])


def unknown_field(
    name: str, key: Scalar, model: type[BaseModel], what: str, also: Iterable[str], findings: Findings
) -> str | None:
    """Reports a field that there is not; returns the did-you-mean."""
    hint = field_hint(name, fields_of(model), also)
    if "optimiser" in fields_of(model):
        for own in ("learning_rate", "weight_decay", "momentum"):
            if own in synonyms(name):
                hint = f"the optimiser has it: `optimiser: {{sgd: {{{own}: …}}}}`"
    if hint is None and what == "train" and name == "task":
        hint = "`task` is a section of its own, beside `train`"
    findings.error(
        "E201", f"{what} has no field `{name[:60]}`", key.span, help=[hint] if hint else [_fields_help(model)]
    )
    return hint
