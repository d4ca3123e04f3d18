"""pydantic's errors, each at the place of the value that it is about.

Imported once a spec has such a fault.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from archspec import edits
from archspec.diagnostics import Findings, Mend, Span
from archspec.located import Located, Scalar, Sequence, describe
from archspec.located import Mapping as LocatedMapping
from archspec.refused import SELF_EXPLAINING, choices, reason
from archspec.spec import mending, rewriting
from archspec.spec.hints import choice_hint
from archspec.spec.reading import fields_of
from archspec.spec.sections import place_of


class Read(NamedTuple):
    """What was read when a model refused it."""

    model: type[BaseModel]
    node: LocatedMapping
    what: str
    """What messages call it."""
    owner: Span
    """Where missing fields are reported."""


def report_refusal(
    error: ValidationError, read: Read, unread: Collection[str], meant: Collection[str | None], findings: Findings
) -> None:
    """Reports what a model refused.

    Nothing is said of the fields in `unread`, of which the findings tell already, nor of one that is missing because
    it was misspelt: `meant` holds the did-you-means of fields that there are not.
    """
    details = []
    for detail in error.errors(include_url=False):
        lacking = str(detail["loc"][0]) if detail["type"] == "missing" else ""
        named = (f"did you mean `{lacking}`?", f"colon: `{lacking}: ")
        misspelt = lacking and any(words in hint for hint in meant if hint for words in named)
        # What is left out may well be the other layer's, where `weights` was meant.
        misspelt = misspelt or (lacking and "did you mean `weights`?" in meant)
        if not misspelt and not (detail["loc"] and detail["loc"][0] in unread):
            details.append(detail)
    for alike in _by_value(details, read.node):
        _report(alike, read, findings)


def _by_value(details: list[ErrorDetails], node: LocatedMapping) -> Iterable[list[ErrorDetails]]:
    """The errors of each value. One that fits no alternative of a union has an error for each of them.

    Where an alternative finds a fault inside the value, that is the one that was meant.
    """
    names: dict[str, list[ErrorDetails]] = {}
    for detail in details:
        names.setdefault(_name_and_place(detail, node)[0], []).append(detail)
    for name, alike in names.items():
        if not name or not any(other.startswith((f"{name}.", f"{name}[")) for other in names):
            yield alike


def _name_and_place(detail: ErrorDetails, node: LocatedMapping) -> tuple[str, Located | None]:
    """What an error calls the value that it is about, and where that is."""
    place: Located | None = node
    names: list[str] = []
    for part in detail["loc"]:
        inner = _inside(place, part)
        if inner is None and names and detail["type"] != "missing":
            if isinstance(part, str):
                continue  # which of a union's alternatives it is
            break
        names.append(f"[{part}]" if isinstance(part, int) else (f".{part}" if names else str(part)))
        if inner is None and len(names) > 1:
            break  # what is missing has no place but that of what lacks it
        place = inner
    return "".join(names), place


def _report(alike: list[ErrorDetails], read: Read, findings: Findings) -> None:
    """Reports what is wrong with one value."""
    model, node, what, owner = read
    detail = alike[0]
    loc = detail["loc"]
    if detail["type"] == "missing" and len(loc) == 1:
        name = str(loc[0])
        info = fields_of(model)[name]
        findings.error(
            "E203",
            f"{what} needs `{name}`",
            owner,
            help=[f"{name}: {info.description}"] if info.description else [],
            mends=_version(node, f"{name}: {info.description}") if name == "archspec" else [],
        )
        return
    if not loc:
        said = reason(detail)
        findings.error("E206", f"{what}: {said}", _first_named(said, node) or owner)
        return
    name, place = _name_and_place(detail, node)
    plain = isinstance(place, Scalar) and not place.dynamic and detail["type"] not in ("initialiser", "mesh")
    value = f", not {place.described}" if plain and place is not None else ""
    if isinstance(place, Scalar) and place.dynamic:
        value = f", but {place.value} is {describe(detail['input'])}"
    elif place is not None and not value and detail["type"] not in SELF_EXPLAINING:
        value = f", not {describe(place.plain)}"
    hints = [choice_hint(item["input"], choices(item)) if item["type"] == "literal_error" else None for item in alike]
    reasons = [reason(item) for item in alike]
    reasons[1:] = [text.removeprefix("must be ") for text in reasons[1:]]
    field = fields_of(model).get(name)
    if "must be a mapping" in reasons and field is not None and field.description:
        hints.append(f"{name}: {field.description}")  # of which short forms are a part
    types = ["float_type" if "number" in said else item["type"] for item, said in zip(alike, reasons, strict=True)]
    better = [rewriting.of_another_type(place, *pair) for pair in zip(types, map(choices, alike), strict=True)]
    better += [rewriting.of_another_type(place, item["type"], choices(item)) for item in alike]
    ways = list(dict.fromkeys((way, tuple(mends)) for way, mends in filter(None, better)))
    ways = [] if any(hints) else ways[:1]
    findings.error(
        "E206",
        f"`{name}` of {what} {' or '.join(reasons)}{value}",
        place.span if place is not None else owner,
        help=[*(hint for hint in hints if hint), *(way for way, _ in ways)],
        mends=[mend for _, mends in ways for mend in mends],
    )


def _version(node: LocatedMapping, help: str) -> list[Mend]:
    """`archspec: 1` before the first section of a file that does not say its version."""
    top = mending.top(node.source)
    if top is None or edits.is_flow(top):
        return []
    return [Mend(help, (edits.inserted_at(node.source, (top.line, top.column), "archspec: 1\n"),), certain=True)]


def _first_named(said: str, node: LocatedMapping) -> Span | None:
    """Where the first of the fields is written that a fault of several names: what was added may be elsewhere."""
    names = (name for name in re.findall(r"`(\w+)`", said) if name in node.entries)
    return next((place_of(node, name) for name in names), None)


def _inside(node: Located | None, part: int | str) -> Located | None:
    if isinstance(node, LocatedMapping) and isinstance(part, str):
        return node.get(part)
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None
