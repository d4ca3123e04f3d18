"""What the pages of the reference share: tables, lists of fields, text of docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from archspec.reports.kinds import written

MADE = "This page is made by `python -m archspec.manual`."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table. A bar in a cell is escaped, in code as an entity, which all that read Markdown take; the end of
    a line there is a space."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def _cell(text: str) -> str:
    text = re.sub(r"`([^`]*\|[^`]*)`", lambda own: f"<code>{escape(own[1]).replace('|', '&#124;')}</code>", text)
    return re.sub(r"\s*\n\s*", " ", re.sub(r"(?<!\\)\|", r"\|", text))


def code(text: str) -> str:
    """Text as code in a line."""
    mark = "``" if "`" in text else "`"
    return f"{mark}{text}{mark}" if text else ""


def default_of(facts: Mapping[str, Any]) -> str:
    """A field's default, as the language writes it."""
    return "required" if facts["required"] else code(written(facts["default"]))


def paragraphs(owner: object) -> str:
    """A docstring as text of a page: what it sets off by indentation stays code."""
    return plain(inspect.getdoc(owner) or "")


def plain(text: str) -> str:
    """Text whose stars, and what looks like a tag or a link, mean themselves; code in it stays as it is."""
    parts = re.split(r"(`[^`]*`)", text)
    escaped = [re.sub(r"([*<\[\]])", r"\\\1", part) if index % 2 == 0 else part for index, part in enumerate(parts)]
    return "".join(escaped)


def said(schema: Mapping[str, Any]) -> str:
    """What a value may be, by its JSON Schema: `whole number, 1 or more`, `floor, ceil or exact`."""
    if "const" in schema:
        return code(written(schema["const"]))
    if "enum" in schema:
        return ", ".join(code(written(item)) for item in schema["enum"])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "" if name == "expression" else name.replace("_", " ").removesuffix(" laid over")
    if "anyOf" in schema:
        found = [said(item) for item in schema["anyOf"] if item.get("type") != "null"]
        return " or ".join(dict.fromkeys(text for text in found if text))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _number(schema, "whole number" if kind == "integer" else "number")
    if kind == "boolean":
        return "`true`, `false`"
    if kind == "array":
        return _list(schema)
    if kind == "object":
        return "mapping"
    return "text" if kind == "string" else ""


LARGEST = 2**31 - 1
"""A bound that is only there so that numbers fit; it is not worth saying."""


def _number(schema: Mapping[str, Any], word: str) -> str:
    if schema.get("maximum") == LARGEST:
        schema = {key: value for key, value in schema.items() if key != "maximum"}
    if word == "whole number" and schema.get("exclusiveMinimum") == 0:
        schema = {"minimum": 1, **{key: value for key, value in schema.items() if key != "exclusiveMinimum"}}
    bounds = [
        f"{words} {schema[key]:g}"
        for key, words in (
            ("exclusiveMinimum", "above"),
            ("minimum", "from"),
            ("exclusiveMaximum", "below"),
            ("maximum", "up to"),
        )
        if key in schema
    ]
    return f"{word} {' '.join(bounds)}" if bounds else word


def _list(schema: Mapping[str, Any]) -> str:
    items = schema.get("prefixItems")
    if items:
        return f"[{', '.join(said(item) or 'value' for item in items)}]"
    inner = said(schema["items"]) if isinstance(schema.get("items"), dict) else ""
    for word in ("number", "mapping"):
        if inner == word or inner.startswith((f"{word} ", f"whole {word}")):
            inner = inner.replace(word, f"{word}s", 1)
    return f"list of {inner}" if inner else "list"
