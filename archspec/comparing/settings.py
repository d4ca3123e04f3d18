"""What two specs say beside their layers: sections as flat paths, in groups, with what is at its default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel

from archspec.diagnostics import count
from archspec.kinds import Kind
from archspec.runs.changes import LACKING, Change, different, leaves, shown
from archspec.spec.writing import sections_of

if TYPE_CHECKING:
    from archspec.loading import Spec

Group = Literal["data", "settings", "weights", "texts"]

DATA = ("input", "inputs", "train.dataset", "train.validation", "train.augment", "train.stream", "train.workers")
"""What is said of data: where they are, and how they become numbers."""

TEXTS = ("name", "title", "paper", "notes", "lineage", "published", "train.source")
"""What is said for people, and changes nothing of what is computed."""

LONGEST = 60
"""Characters of a value that are shown."""


class Setting(NamedTuple):
    """A setting that differs, by its path. `LACKING` stands where one spec does not have it; `defaults` say whether
    each value is the one that there is where nothing is said."""

    path: str
    old: Any
    new: Any
    defaults: tuple[bool, bool] = (False, False)

    @property
    def group(self) -> Group:
        if _is_in(self.path, DATA):
            return "data"
        if _is_in(self.path, ("weights",)):
            return "weights"
        return "texts" if _is_in(self.path, TEXTS) else "settings"

    @property
    def shown(self) -> tuple[str, str]:
        """Both values in a line each, from where they differ where they are long."""
        one, other = _whole(self.old), _whole(self.new)
        if max(len(one), len(other)) > LONGEST:
            start = 0
            while start < min(len(one), len(other)) and one[start] == other[start]:
                start += 1
            start = max(0, start - 10) if start > LONGEST // 2 else 0
            one, other = (_cut(text, start) for text in (one, other))
        marks = [" (default)" if default else "" for default in self.defaults]
        return one + marks[0], other + marks[1]

    def to_dict(self) -> dict[str, Any]:
        """The setting as plain data; a value that one spec does not have is left out."""
        values = {"before": self.old, "after": self.new}
        said = {name: value for name, value in values.items() if value is not LACKING}
        return {"path": self.path, "group": self.group, **said, "defaults": list(self.defaults)}


def _is_in(path: str, names: Iterable[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _whole(value: Any) -> str:
    if value is LACKING:
        return "–"
    if isinstance(value, str):
        return " ".join(value.split()) or '""'
    return shown(value) if not isinstance(value, list) else f"[{', '.join(map(_whole, value))}]"


def _cut(text: str, start: int) -> str:
    cut = ("…" if start else "") + text[start : start + LONGEST]
    return cut + "…" if len(text) > start + LONGEST else cut


class Settings(NamedTuple):
    """What differs, and how many defaults only one of the specs has, which are not listed."""

    changed: list[Setting]
    unsaid: int = 0

    def of(self, group: Group) -> list[Setting]:
        return [setting for setting in self.changed if setting.group == group]


def settings(before: Spec, after: Spec, *, named: bool = True, arguments: bool = True) -> Settings:
    """The settings that differ between two specs without a fault. Raises `SpecError` otherwise.

    Defaults are filled in on both sides. Where a section or a kind is on one side only, those of its fields that are
    as they would be anyway are counted and not listed. `named` compares names too, `arguments` what `args` have.
    """
    trees = []
    for spec in (before, after):
        tree = sections_of(spec, kept=True)
        tree.pop("archspec")
        if not named:
            tree.pop("name")
        if arguments:
            tree["args"] = dict(spec.args)
        trees.append(_kinds(spec) | dict(leaves("", tree)))
    usual = [defaults_of(spec) for spec in (before, after)]
    changed: list[Setting] = []
    unsaid = 0
    for change in different(*trees):
        marks = tuple(
            value is not LACKING and _is_in(change.path, known)
            for value, known in zip((change.old, change.new), usual, strict=True)
        )
        if LACKING in (change.old, change.new) and any(marks):
            unsaid += 1
        else:
            changed.append(Setting(change.path, change.old, change.new, (marks[0], marks[1])))
    return Settings(_together(changed, *trees), unsaid)


def _kinds(spec: Spec) -> dict[str, str]:
    """The kinds that a recipe and the task are of, under their own paths, so that another kind is one change."""
    found = {"task": spec.header.task.kind}
    for name in type(spec.train).model_fields if spec.train is not None else ():
        value = getattr(spec.train, name)
        if isinstance(value, Kind):
            found[f"train.{name}"] = value.kind
    return found


def _together(changed: list[Setting], before: dict[str, Any], after: dict[str, Any]) -> list[Setting]:
    """The settings, those of a set of weights that only one spec has as one."""
    made: dict[str, Setting] = {}
    counts: dict[str, int] = {}
    for setting in changed:
        parts = setting.path.split(".")
        whole = ".".join(parts[:2]) if parts[0] == "weights" else ""
        lacks = [not any(_is_in(path, (whole,)) for path in tree) for tree in (before, after)] if whole else []
        if not any(lacks):
            made[setting.path] = setting
            continue
        counts[whole] = counts.get(whole, 0) + 1
        values = [LACKING if lack else Several(counts[whole]) for lack in lacks]
        made[whole] = Setting(whole, values[0], values[1])
    return list(made.values())


class Several(int):
    """Stands for so many values of a section that only one spec has."""

    def __str__(self) -> str:
        return count(int(self), "value")


def of_texts(found: list[Change] | None) -> Settings:
    """The settings that differ between two elaborated specs that cannot be read as specs; layers are left out."""
    return Settings(
        [Setting(*change) for change in found or () if not _is_in(change.path, ("layers", "archspec", "name"))]
    )


def defaults_of(spec: Spec) -> set[str]:
    """The paths of the fields that are at their defaults, of `input`, `train`, `weights` and the task."""
    found: set[str] = set()
    inputs = spec.inputs
    for name, input in inputs.items():
        found.update(_usual(input, "input" if list(inputs) == ["input"] else f"inputs.{name}"))
    found.update(_usual(spec.header, ""))
    if spec.train is not None:
        found.update(_usual(spec.train, "train"))
    for name, weights in spec.weights.items():
        found.update(_usual(weights, f"weights.{name}"))
    return found


def _usual(model: BaseModel, path: str) -> Iterator[str]:
    for name, info in type(model).model_fields.items():
        value, at = getattr(model, name), f"{path}.{name}" if path else name
        if not info.is_required() and value == info.get_default(call_default_factory=True):
            yield at
            continue
        several = value if isinstance(value, tuple | list) else [value]
        for number, item in enumerate(several):
            inner = at if item is value else f"{at}.{number + 1}"
            if isinstance(item, Kind):
                yield from _usual(item, f"{inner}.{item.kind}")
            elif isinstance(item, BaseModel):
                yield from _usual(item, inner)
