"""What the language has at a path of keys, by its JSON Schema: the words for sections, kinds and fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from archspec.spec.schema import Schema, json_schema


@cache
def _schema() -> Schema:
    return json_schema()


def described(words: Sequence[str | int]) -> str:
    """What the last of the keys that lead to a place says; empty where nothing is said of it."""
    found = next((text for text in (item.get("description") for item in at(words)) if text), "")
    return str(found)


def at(words: Sequence[str | int]) -> list[Schema]:
    """The schemas that a value may follow which stands behind these keys and numbers."""
    schemas = [_schema()]
    for word in words:
        schemas = [inner for schema in schemas for plain in _plain(schema) for inner in _step(plain, word)]
    return schemas


def _step(schema: Schema, word: str | int) -> Iterator[Schema]:
    if isinstance(word, int):
        if isinstance(schema.get("items"), dict):
            yield schema["items"]
        return
    properties: dict[str, Any] = schema.get("properties", {})
    if word in properties:
        yield properties[word]
    elif isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]


def _plain(schema: Schema, depth: int = 0) -> Iterator[Schema]:
    """The schema, and those that it says a value may follow instead, without references."""
    if depth > 8:
        return
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        yield from _plain(_schema()["$defs"][reference.removeprefix("#/$defs/")], depth + 1)
    yield schema
    for word in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(word, ()):
            yield from _plain(inner, depth + 1)
