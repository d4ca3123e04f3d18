"""A draft as a spec: one flat list of layers, with what is not at its default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.importing.draft import NOT_IMPORTED, Draft, Entry
from archspec.kinds import plain
from archspec.spec.network import LANGUAGE_VERSION
from archspec.spec.writing import dump


def flow(value: Any) -> str:
    """A value on one line."""
    return dump(value, flow=True)


def compact(value: Any) -> Any:
    """`[3, 3]` as 3, `[[1, 1], [1, 1]]` as 1 and `[[1, 1], [2, 2]]` as [1, 2]."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(side, list) for side in value):
        value = [side[0] if len(side) == 2 and side[0] == side[1] else side for side in value]
        if any(isinstance(side, list) for side in value):
            return [side if isinstance(side, list) else [side, side] for side in value]
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1] and isinstance(value[0], (int, float)):
        return int(value[0]) if value[0] == int(value[0]) else value[0]
    return value


PAIRS = ("kernel", "window", "stride", "dilation", "pad", "sides", "size", "factor", "output_pad", "block", "offset")
"""Fields of height and width, of which one number stands for both."""


FIRST = ("filters", "units", "window", "kernel", "stride", "pad", "rounding")
"""Fields in the order in which one writes them; a kind's own field comes first, and others behind these."""


def fields_of(entry: Entry) -> dict[str, Any]:
    """The fields that are not at their defaults, as one writes them."""
    if entry.layer is None:
        return dict(entry.fields)
    model = type(entry.layer)
    order = dict.fromkeys([*([model.main] if model.main else []), *FIRST, *model.model_fields])
    found = {}
    for name in order:
        if name not in model.model_fields or name in entry.references:
            continue
        info, value = model.model_fields[name], getattr(entry.layer, name)
        usual = not info.is_required() and value == info.get_default(call_default_factory=True)
        if usual or (name == "stride" and value == getattr(entry.layer, "window", None)):
            continue
        written = plain(value)
        if entry.kind == "slice" and isinstance(written, list) and written[2:] == [1]:
            written = written[:2]
        found[name] = compact(written) if name in PAIRS else written
    return found


def lines_of(draft: Draft, numbers: Sequence[int], paths: Sequence[str], names: Sequence[str]) -> list[str]:
    """The entries of `layers:`; `names` are those of the network's inputs."""
    path_of = dict(zip(numbers, paths, strict=True))
    lines = []
    before = -1 if len(names) == 1 else None

    def said(source: int) -> str:
        return path_of[source] if source >= 0 else names[-1 - source]

    for number, path in zip(numbers, paths, strict=True):
        entry = draft.entries[number]
        fields: dict[str, Any] = {"name": path}
        if entry.sources != [before]:
            sources = [said(source) for source in entry.sources]
            fields["from"] = sources[0] if len(sources) == 1 else sources
        fields |= fields_of(entry)
        fields |= {name: said(source) for name, source in entry.references.items()}
        if entry.shares is not None:
            fields["weights"] = path_of[entry.shares]
        kind = NOT_IMPORTED if entry.missing else entry.kind
        if entry.missing:
            lines.append(f"  # not imported: {_comment(entry)}")
        lines.append(f"  - {kind}: {flow(fields)}")
        before = number
    return lines


def _comment(entry: Entry) -> str:
    words = f"{entry.operation.said or entry.operation.kind} {entry.why}".split()
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(words))
    place = entry.operation.place
    return f"{text[:300]}{f' ({place[:100]})' if place else ''}"


def head_of(about: Mapping[str, Any], name: str) -> list[str]:
    """The lines before `input`."""
    lines = [f"archspec: {LANGUAGE_VERSION}", f"name: {flow(name)}"]
    lines += [f"{key}: {flow(str(about[key]))}" for key in ("title", "paper", "notes") if about.get(key)]
    if about.get("task"):
        lines.append(f"task: {flow(about['task'])}")
    return lines


def section(name: str, value: Mapping[str, Any]) -> list[str]:
    """A section on one line, or with a line each where it holds mappings."""
    if all(isinstance(inner, dict) for inner in value.values()):
        return [f"{name}:", *(f"  {key}: {flow(inner)}" for key, inner in value.items())]
    return [f"{name}: {flow(value)}"]
