"""The page of the language's sections, with every field, and of the words of its entries."""

from __future__ import annotations

from typing import Any

from archspec.kinds import FAMILIES
from archspec.kinds import plain as as_plain
from archspec.manual.markdown import MADE, code, plain, said, table
from archspec.reports.kinds import written
from archspec.reports.words import WORDS
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS
from archspec.spec.schema import json_schema

HEAD = f"""# Sections and words

Every section of a spec with every field, and the words that stand in `layers:` beside the kinds of layers.
[The language](../language.md) says how they go together. `archspec schema` prints the same as JSON Schema, for editors.
In the place of a value, an expression `$(…)` may compute it.

{MADE}
"""

FIELDS = {
    "input": ("an image", "a signal", "a vector"),
}
"""What the choices of a section are, where it has several forms."""

LINKS = {
    "dataset": "../datasets.md",
    "augmentation": "../augmentation.md",
    **{word: f"{family}.md" for family, word in FAMILIES.items() if family not in ("data", "augmentations", "layers")},
}


def page() -> str:
    """docs/reference/language.md."""
    schema = json_schema()
    sections: dict[str, Any] = schema["properties"]
    lines = [HEAD, *table(("section", ""), [(f"[`{name}`](#{name})", text) for name, text in SECTIONS.items()])]
    for name, about in SECTIONS.items():
        lines += ["", f"## {name}", "", plain(about[:1].upper() + about[1:]) + "."]
        lines += _section(name, sections[name])
        if name in VARIANT_SECTIONS:
            lines += ["", "A variant may lay it over the file's."]
    lines += ["", "## Words of layers", "", *_words()]
    return "\n".join(lines) + "\n"


def _section(name: str, schema: dict[str, Any]) -> list[str]:
    if name == "inputs":
        return ["", "A mapping from names to inputs, each with the fields of [`input`](#input)."]
    if name == "defaults":
        return ["", "A mapping from kinds of [layers](layers.md) to fields of theirs."]
    if name == "variants":
        own = ", ".join(code(word) for word in VARIANT_SECTIONS)
        return ["", f"A mapping from names to arguments' values. A variant may have `extends` too, and {own}."]
    forms = [(form, fields) for form, fields in _forms(schema) if fields]
    if not forms:
        values, about = _linked(said(schema)), schema.get("description", "")
        values = {"mapping": f"a mapping from names to {about}"}.get(said(schema), values)
        article = "a " if values.startswith("[") else ""
        return ["", f"It is {article}{values}."] if values else []
    lines = []
    heads = FIELDS.get(name, ("",) * len(forms))
    for head, (form, fields) in zip(heads, forms, strict=True):
        lines += ["", f"{head[:1].upper()}{head[1:]}:" if head else form, ""]
        lines += _table(fields["properties"], fields.get("required", []))
        for field, own in fields["properties"].items():
            for inner in _objects(own):
                lines += ["", f"`{field}` as a mapping:", "", *_table(inner["properties"], inner.get("required", []))]
    return lines


def _forms(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The mappings with known fields that a section may be, or that its names lead to."""
    direct = _objects(schema)
    if direct:
        return [("It has these fields." if index == 0 else "", own) for index, own in enumerate(direct)]
    for choice in (schema, *schema.get("anyOf", [])):
        inner = choice.get("additionalProperties")
        if isinstance(inner, dict) and _objects(inner):
            return [("It is a mapping from names, each to these fields.", own) for own in _objects(inner)]
    return []


def _objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    choices = [schema, *schema.get("anyOf", [])]
    return [own for own in choices if own.get("type") == "object" and own.get("properties")]


def _table(fields: dict[str, Any], required: list[str]) -> list[str]:
    rows = []
    for name, own in fields.items():
        default = (
            "required" if name in required else code(written(as_plain(own["default"]))) if "default" in own else ""
        )
        rows.append((code(name), _linked(said(own)), default, plain(own.get("description", ""))))
    return table(("field", "values", "default", ""), rows)


def _linked(values: str) -> str:
    """Families of kinds with links to their pages."""
    return " ".join(f"[{word}]({LINKS[word]})" if word in LINKS else word for word in values.split(" "))


def _words() -> list[str]:
    lines = [
        "`archspec layers repeat` prints what is here of one.",
        "",
        *table(
            ("word", "", ""),
            [(f"[`{name}`](#{anchor(name)})", word.family, plain(word.about)) for name, word in WORDS.items()],
        ),
    ]
    for name, word in WORDS.items():
        lines += ["", f"### The word {name}", "", f"*{word.family}.* {plain(word.about)}", ""]
        if word.fields:
            rows = [
                (code(field), default if default == "required" else code(default), plain(about))
                for field, default, about in word.fields
            ]
            lines += [*table(("field", "default", ""), rows), ""]
        lines += ["```yaml", *word.examples, "```"]
    return lines


def anchor(name: str) -> str:
    """The anchor of a word."""
    return f"the-word-{name}"
