"""What was written of a graph as the text of a file: entries on one line where they fit, else one item a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from archspec.rolling.formulas import Formula, Mixed
from archspec.rolling.parts import is_default
from archspec.rolling.templates import Template
from archspec.spec.writing import Written, dump, framed

WIDTH = 120

OPEN = ("parallel", "repeat", "residual")
"""Structures, which are on one line where they are short."""

SHORT = 90
"""The width of a structure that is on one line."""


def text_of(template: Template, sections: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]]) -> str:
    """The file. `sections` are all but what the template has."""
    before, after = framed(sections)
    lines = [*before]
    if template.document.arguments:
        place = next((at for at, line in enumerate(lines) if line.startswith(("input:", "inputs:"))), len(lines))
        given = template.document.arguments
        given = {name: given[name] for name in sorted(given, key="classes".__ne__)}
        line = f"args: {flow(given)}"
        one_each = ["args:", *(f"  {name}: {flow(value)}" for name, value in given.items())]
        lines[place:place] = [line] if len(line) <= WIDTH else one_each
    if defaults:
        line = f"defaults: {flow(dict(defaults))}"
        one_each = ["defaults:", *(f"  {kind}: {flow(fields)}" for kind, fields in defaults.items())]
        lines += [line] if len(line) <= WIDTH else one_each
    if template.written:
        lines.append("blocks:")
        for block in template.written.values():
            lines.append(f"  {block.name}:")
            if block.arguments:
                words = {
                    name: value if is_default(value) else str(value).removeprefix("type ")
                    for name, value in block.arguments.items()
                }
                lines.append(f"    args: {flow(words)}")
            lines.append("    layers:")
            lines.extend(entries(block.layers, 6))
    lines.append("layers:")
    lines.extend(entries(template.layers, 2))
    return "\n".join([*lines, *after]) + "\n"


def plain(value: Any) -> Any:
    """What is written in terms that YAML is made of."""
    if isinstance(value, Formula):
        return Written(f"$({value})")
    if isinstance(value, Mixed):
        return Written(value)
    if isinstance(value, dict):
        return {plain(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def flow(value: Any) -> str:
    """A value on one line; an entry with fields that stands alone in a list does without braces."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(name)}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        if len(value) == 1 and isinstance(value[0], dict) and len(value[0]) == 1:
            return f"[{flow(value[0])[1:-1]}]"
        return "[" + ", ".join(map(flow, value)) + "]"
    return _scalar(type(value).__name__, value)


@cache
def _scalar(kind: str, value: Any) -> str:
    """A text or a number, as it stands within brackets."""
    return dump([plain(value)], flow=True)[1:-1]


def entries(layers: list[Any], indent: int) -> Iterator[str]:
    """The lines of a list of entries."""
    for layer in layers:
        yield from item(layer, indent)


def item(layer: Any, indent: int) -> Iterator[str]:
    """The lines of one entry."""
    lead = " " * indent + "- "
    if not isinstance(layer, dict):
        yield lead + flow(layer)
        return
    ((kind, content),) = layer.items()
    line = f"{lead}{flow(kind)}: {flow(content)}"
    structured = kind in OPEN
    single = kind == "repeat" and isinstance(content, dict) and len(content.get("layers", ())) == 1
    if len(line) <= (SHORT if structured and not single else WIDTH) or not isinstance(content, dict):
        yield line
        return
    yield f"{lead}{flow(kind)}:"
    deeper = " " * (indent + 4)
    if not structured:
        yield from (f"{deeper}{name}: {flow(value)}" for name, value in content.items())
        return
    for name, value in content.items():
        if name in ("layers", "shortcut", "branches") and isinstance(value, list):
            yield f"{deeper}{name}:"
            yield from branches(value, indent + 6) if name == "branches" else entries(value, indent + 6)
        else:
            yield f"{deeper}{name}: {flow(value)}"


def branches(lists: list[list[Any]], indent: int) -> Iterator[str]:
    """The lines of branches: one on one line where it fits."""
    lead = " " * indent + "- "
    for branch in lists:
        line = lead + flow(branch)
        if len(line) <= WIDTH:
            yield line
            continue
        for number, text in enumerate(entries(branch, indent + 2)):
            yield lead + text[indent + 2 :] if number == 0 else text
