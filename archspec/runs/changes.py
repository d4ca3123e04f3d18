"""What differs between the spec of a run and the one it is to go on with, setting by setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from archspec.diagnostics import Findings
from archspec.source import read_text

EPOCHS = "train.epochs"
FREE = (
    *(
        f"train.{name}"
        for name in ("evaluate_every", "early_stopping", "best", "keep", "save_minutes", "log", "source", "export")
    ),
    *(f"train.{name}" for name in ("workers", "stream")),
    *(f"train.mesh.{name}" for name in ("data", "fsdp", "spatial", "shard")),
    *("title", "paper", "notes", "lineage", "published"),
)
"""What may change in the course of a run, besides more epochs: none of it changes what a step computes."""
WITHOUT = {"train.mesh.per_device": False}
"""What settings are where the section that they are in is not there."""

LONGEST = 60
"""A value that is longer is cut when it is said."""
SAID = 12
"""So many changes are said before the rest is only counted."""


class _Lacking:
    def __repr__(self) -> str:
        return "nothing"


LACKING = _Lacking()
"""The value of what one of two specs does not have."""


class Change(NamedTuple):
    """A setting, by its path, with its value in the run and in the spec given; `LACKING` where one has it not."""

    path: str
    old: Any
    new: Any

    @property
    def free(self) -> bool:
        """Whether a run may go on with it."""
        if self.path == EPOCHS:
            whole = type(self.old) is int and type(self.new) is int
            return whole and self.new > self.old
        return any(self.path == name or self.path.startswith(f"{name}.") for name in FREE)

    @property
    def said(self) -> str:
        return f"{self.path}: {shown(self.old)} → {shown(self.new)}"


def changes(held: str, text: str) -> list[Change] | None:
    """What differs between two elaborated specs, in the order of the second; None where one of them is no YAML."""
    if held == text:
        return []
    trees = [read_text(content, name, Findings()) for content, name in ((held, "held"), (text, "given"))]
    if trees[0] is None or trees[1] is None:
        return None
    old, new = (dict(leaves("", tree.plain)) for tree in trees if tree is not None)
    return different(old, new)


def different(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs between settings by their paths, in the order of the second."""
    paths = [*new, *(path for path in old if path not in new)]
    found = [Change(path, *(tree.get(path, WITHOUT.get(path, LACKING)) for tree in (old, new))) for path in paths]
    return [change for change in found if _other(change.old, change.new)]


def free(found: Sequence[Change] | None) -> bool:
    """Whether a run may go on with these changes."""
    return found is not None and all(change.free for change in found)


def lines(found: Sequence[Change]) -> list[str]:
    """The changes, a line each; of many the first."""
    more = len(found) - SAID
    return [*(change.said for change in found[:SAID]), *([f"and {more} more"] if more > 0 else [])]


def epochs_of(found: Sequence[Change]) -> tuple[int, int] | None:
    """The epochs before and now, where they changed."""
    return next(((change.old, change.new) for change in found if change.path == EPOCHS), None)


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values of a spec by their paths; entries of lists go by their names where they have such."""
    if isinstance(value, dict) and value:
        for name, own in value.items():
            yield from leaves(f"{path}.{name}" if path else str(name), own)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _entry(path, number, item)
    else:
        yield path, value


def _entry(path: str, number: int, item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """A layer by its name, its kind as a value of its own, so that another kind is one change; others by number."""
    fields = next(iter(item.values()), None)
    if len(item) == 1 and isinstance(fields, dict) and isinstance(fields.get("name"), str):
        (kind,) = item
        at = f"{path}.{fields['name']}"
        yield at, kind
        for name, own in fields.items():
            if name != "name":
                yield from leaves(f"{at}.{name}", own)
    else:
        yield from leaves(f"{path}.{number + 1}", item)


def _other(old: Any, new: Any) -> bool:
    if old != old and new != new:  # no number twice
        return False
    # True is not 1, and 1 is 1.0.
    return old != new or isinstance(old, bool) != isinstance(new, bool)


def shown(value: Any) -> str:
    """A setting's value in one line, cut where it is long."""
    if value is LACKING or value is None:
        text = "nothing"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, list):
        text = f"[{', '.join(map(shown, value))}]"
    else:
        text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
