"""Overrides: `--set` and `--input`, and values given from Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from archspec.diagnostics import Findings, Source, did_you_mean, listed
from archspec.located import CHOICES, Located, Scalar, Sequence, describe
from archspec.located import Mapping as LocatedMapping
from archspec.source import read_text
from archspec.spec.document import Document
from archspec.spec.network import SECTIONS


@dataclass(frozen=True)
class Override:
    """One `--set path=value`, or an argument given from Python. `origin` names it in messages."""

    path: tuple[str, ...]
    value: Located
    key: Scalar


def parse_override(text: str, findings: Findings, option: str = "--set") -> Override | None:
    """`train.epochs=2` as a path and a YAML value."""
    name = f"{option} {text}"
    source = Source(name, text)
    path, equals, value_text = text.partition("=")
    key = Scalar(source, (1, 1, 1, max(2, len(path) + 1)), path)
    if not equals or not all(part.strip() for part in path.split(".")):
        findings.error("E113", f"{option} takes path=value, not {describe(text)}", help=["--set train.epochs=2"])
        return None
    value = read_text(value_text, name, findings) if value_text.strip() else Scalar(source, (1, 1, 1, 1), None)
    return Override(tuple(part.strip() for part in path.split(".")), value, key) if value else None


def python_override(path: tuple[str, ...], value: Any) -> Override:
    """An override from Python: the value is taken as it is."""
    name = f"{'.'.join(path)}={value!r}"
    source = Source(name[:200], name[:200])
    return Override(path, locate(value, source), Scalar(source, (1, 1, 1, 2), path[-1]))


def locate(value: Any, source: Source, place: tuple[int, int, int, int] = (1, 1, 1, 2)) -> Located:
    """A plain Python value as if it stood at a place in a source."""
    if isinstance(value, (list, tuple)):
        return Sequence(source, place, [locate(item, source, place) for item in value])
    if isinstance(value, dict):
        entries = {str(k): (Scalar(source, place, str(k)), locate(v, source, place)) for k, v in value.items()}
        return LocatedMapping(source, place, entries)
    return Scalar(source, place, value)


def apply_override(document: Document, override: Override, findings: Findings) -> Document:
    """The document with one value replaced. A first word that is an argument's name means that argument."""
    path = override.path
    if path[0] not in SECTIONS and path[0] in document.arguments:
        path = ("args", *path)
    if path[0] not in SECTIONS:
        known = [*SECTIONS, *document.arguments]
        findings.error(
            "E201",
            f"there is no section or argument `{path[0][:60]}` to set",
            override.key.span,
            help=[did_you_mean(path[0], known) or f"sections: {listed(SECTIONS, 30)}"],
        )
        return document
    if path[0] in ("import", "extends", "blocks", "variants"):
        findings.error("E113", f"`{path[0]}` cannot be set from outside the file", override.key.span)
        return document
    root = _set(document.root, path, override, findings)
    if root is None:
        return document
    assert isinstance(root, LocatedMapping)
    return replace(document, root=root)


def _set(
    node: Located | None, path: tuple[str, ...], override: Override, findings: Findings, parent: str = ""
) -> Located | None:
    """The tree with the value at this path replaced; None with the reason when the path leads nowhere."""
    if not path:
        return override.value
    head, rest = path[0], path[1:]
    source, place = override.value.source, override.value.place
    if isinstance(node, Sequence):
        index = _index(node, head)
        if index is None:
            findings.error(
                "E113",
                f"`{head[:60]}` is not in the list that --set points into",
                override.key.span,
                help=[f"the list has {len(node.items)} items, counted from 0; layers can be given by name"],
            )
            return None
        value = _set(node.items[index], rest, override, findings, head)
        if value is None:
            return None
        items = [*node.items[:index], value, *node.items[index + 1 :]]
        result = Sequence(node.source, node.place, items)
        result.dynamic = node.dynamic or value.dynamic
        return result
    entries = dict(node.entries) if isinstance(node, LocatedMapping) else {}
    if parent in CHOICES and head not in entries:
        entries = {}  # another kind takes the place of the one that was chosen
    elif isinstance(node, LocatedMapping) and head not in entries and len(entries) == 1:
        # An entry of a list of layers: the kind stands between the entry and its fields.
        only, (_, content) = next(iter(entries.items()))
        if isinstance(content, LocatedMapping) and content.get("name") is not None:
            head, rest = only, path
    value = _set(entries[head][1] if head in entries else None, rest, override, findings, head)
    if value is None:
        return None
    entries[head] = (entries[head][0] if head in entries else Scalar(source, override.key.place, head), value)
    base = node if isinstance(node, LocatedMapping) else None
    mapping = LocatedMapping(base.source if base else source, base.place if base else place, entries)
    mapping.dynamic = value.dynamic or bool(base and base.dynamic)
    return mapping


def _index(node: Sequence, head: str) -> int | None:
    if head.isascii() and head.isdigit() and len(head) < 9:
        return int(head) if int(head) < len(node.items) else None
    for index, item in enumerate(node.items):
        if isinstance(item, LocatedMapping):
            for _, _, content in item.items():
                name = content.get("name") if isinstance(content, LocatedMapping) else None
                if isinstance(name, Scalar) and name.value == head:
                    return index
    return None
