"""What `archspec layers` prints, made from the kinds' classes."""

from __future__ import annotations

import inspect
import json
from typing import Any

from pydantic.fields import FieldInfo

from archspec.kinds import FAMILIES, Kind, find_kind, kind_names, plain
from archspec.layers import Layer
from archspec.reports.cells import aligned
from archspec.reports.words import WORDS


def summary(kind: type[Kind]) -> str:
    """The first sentence of a kind's documentation."""
    text = inspect.getdoc(kind) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def _default(info: FieldInfo) -> str:
    return "required" if info.is_required() else written(plain(info.default))


def written(value: Any) -> str:
    """A value as the language writes it, in one line."""
    if value is None:
        return "none"
    if isinstance(value, str):
        # A colon at an end would be YAML's own.
        return json.dumps(value) if value[:1] == ":" or value[-1:] == ":" else value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_inside(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inside, value)) + "]"
    return json.dumps(value)


def _inside(value: Any) -> str:
    return "null" if value is None else written(value)


def _fields(kind: type[Kind]) -> list[tuple[str, FieldInfo]]:
    """Fields with the required ones first."""
    return sorted(kind.model_fields.items(), key=lambda item: not item[1].is_required())


def examples(kind: type[Kind]) -> list[str]:
    """The kind's examples as lines of a `layers:` list."""
    if not issubclass(kind, Layer):
        return []
    lines = []
    for example in kind.examples:
        fields = example.fields
        if len(example.inputs) > 1 and not kind.references and fields in ({}, None):
            fields = {"from": [*"abcdefgh"[: len(example.inputs)]]}
        lines.append(f"- {kind.kind}" if fields in ({}, None) else f"- {kind.kind}: {written(fields)}")
    # Examples that differ in their inputs' shapes alone are written alike.
    return list(dict.fromkeys(lines))


def kind_to_dict(name: str, family: str) -> dict[str, Any]:
    """A kind as plain data: summary, fields with defaults and descriptions, examples."""
    kind = find_kind(family, name)
    assert kind is not None
    return {
        "kind": name,
        "family": FAMILIES[family],
        "summary": summary(kind),
        "main": kind.main,
        "fields": {
            field: {
                "required": info.is_required(),
                "default": None if info.is_required() else plain(info.default),
                "description": info.description,
            }
            for field, info in _fields(kind)
        },
        "examples": examples(kind),
    }


def describe_kinds() -> str:
    """One line a layer, then the names of the other families' kinds."""
    rows = []
    for name in kind_names("layers"):
        kind = find_kind("layers", name)
        assert kind is not None
        rows.append((name, summary(kind)))
    others = [(word, ", ".join(kind_names(family))) for family, word in FAMILIES.items() if family != "layers"]
    head = "other kinds, of which `archspec layers KIND` tells all as well:"
    words = (
        f"words for structure, fields of every entry, and what expressions have, are explained too: {', '.join(WORDS)}"
    )
    return "\n".join([*aligned(rows, [False, False]), "", head, *aligned(others, [False, False]), "", words])


def describe_kind(name: str, family: str) -> str:
    """All about one kind: documentation, fields, examples."""
    kind = find_kind(family, name)
    assert kind is not None
    lines = [name if family == "layers" else f"{name} ({FAMILIES[family]})", "", inspect.getdoc(kind) or ""]
    rows = [(field, _default(info), info.description or "") for field, info in _fields(kind)]
    if rows:
        main = f" (a plain value sets {kind.main})" if kind.main else ""
        lines += [
            "",
            f"fields{main}:",
            *("  " + line for line in aligned([("field", "default", ""), *rows], [False] * 3)),
        ]
    if examples(kind):
        lines += ["", "examples:", *("  " + line for line in examples(kind))]
    return "\n".join(lines)
