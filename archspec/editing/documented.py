"""What kinds and words of the language are for, as Markdown: for who points at one, and for who may choose it."""

from __future__ import annotations

from functools import lru_cache

from archspec.kinds import find_kind, kind_names
from archspec.located import describe
from archspec.reports.kinds import kind_to_dict, written
from archspec.reports.words import WORDS


def word_text(name: str, field: str = "") -> str:
    """What a word of the language means, or one of its fields; empty where nothing is said of it."""
    word = WORDS.get(name)
    if word is None or not field:
        return word.about if word is not None else ""
    return next((about for fields, _, about in word.fields if field in fields.split(", ")), "")


@lru_cache(1024)
def kind_text(name: str, family: str | None = "layers") -> str:
    """A kind or a word of structure: what it does, its fields with defaults, an example."""
    if name in WORDS and (family is None or name not in kind_names(family)):
        word = WORDS[name]
        rows = [(field, default, about) for field, default, about in word.fields]
        return _documented(name, word.about, rows, list(word.examples))
    if family is None or find_kind(family, name) is None:
        return ""
    facts = kind_to_dict(name, family)
    rows = [
        (field, "required" if info["required"] else written(info["default"]), info["description"] or "")
        for field, info in facts["fields"].items()
    ]
    return _documented(name, facts["summary"], rows, facts["examples"])


def _documented(name: str, about: str, rows: list[tuple[str, str, str]], examples: list[str]) -> str:
    """A list of the fields and not a table: a terminal shows Markdown as it stands."""
    lines = [f"**{name}**: {about}"]
    if rows:
        lines += ["", *(_field(*row) for row in rows)]
    if examples:
        lines += ["", "```yaml", *examples[:2], "```"]
    return "\n".join(lines)


def _field(field: str, default: str, text: str) -> str:
    value = describe(default)[1:-1] if "\n" in default else default
    amount = ", required" if value == "required" else f" = `{value}`" if value else ""
    return f"- `{field}`{amount}{f': {text}' if text else ''}"
