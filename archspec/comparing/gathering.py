"""The networks that differ between two states of a repository."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.comparing.networks import NetworkDifference, Side
from archspec.comparing.repository import Changed, Repository
from archspec.comparing.revisions import Revision
from archspec.comparing.sides import family
from archspec.comparing.things import Thing
from archspec.diagnostics import DataError
from archspec.source import is_file, is_readable, laid, real, text_of
from archspec.spec.files import ENDINGS, is_library, is_ours

if TYPE_CHECKING:
    from archspec.spec.overrides import Override


class Gatherer:
    """Gathers the networks that differ between two states of a repository."""

    def __init__(
        self,
        repository: Repository,
        before: Revision,
        after: Revision | None,
        changed: Sequence[Changed],
        overrides: Sequence[Override],
        batch: int | None,
    ) -> None:
        self.repository = repository
        self.before = before
        self.after = after
        self.changed = changed
        self.overrides = overrides
        self.batch = batch
        self.networks: list[NetworkDifference] = []
        self.libraries: list[Changed] = []
        self.others = 0
        self.notes: list[str] = []

    def add_named(self, thing: Thing) -> None:
        """A file that was named, changed or not; where it was renamed, with what it was. Raises `DataError`."""
        base, behind = thing.path, thing.behind
        old = base
        path = self.repository.relative(Path(base))
        with laid(self.before):
            there = is_file(Path(base))
        if not there:
            renamed = next((item for item in self.changed if item.after == path and item.before), None)
            if renamed is not None and renamed.before is not None:
                old = self._from_here(renamed.before)
                there = True
                self.notes.append(f"{base} was {old} before")
        with laid(self.after):
            here = is_readable(Path(base))
        if not there and not here:
            after = "the working tree" if self.after is None else self.after.name
            raise DataError("E101", f"there is no file {base[:200]}, neither in {self.before.name} nor in {after}")
        self._add(old + behind if there else None, base + behind if here else None, (path or base) + behind)

    def _from_here(self, path: str) -> str:
        """A path from the top as one from the current folder."""
        return os.path.relpath(self.repository.top / path)

    def add_changed(self, within: Callable[[str], bool]) -> None:
        """The specs that changed, and those that have changed files in them."""
        files = [item for item in self.changed if any(path and path.endswith(ENDINGS) for path in item[:2])]
        specs: list[Changed] = []
        for item in files:
            ends = [
                path if path is not None and self._is_spec(path, side) else None
                for path, side in ((item.before, self.before), (item.after, self.after))
            ]
            if ends == [None, None]:
                self.others += any(path is not None and within(path) for path in item[:2])
                continue
            specs.append(item)
        for item in specs:
            if not any(path is not None and within(path) for path in item[:2]):
                continue
            sides = ((item.before, self.before), (item.after, self.after))
            if all(path is None or self._is_library(path, side) for path, side in sides):
                self.libraries.append(item)
                continue
            targets = [None if path is None else self._from_here(path) for path, _ in sides]
            self._add(targets[0], targets[1], item.after or item.before or "", item)
        if specs:
            self._add_dependents(specs, within)

    def _text(self, path: str, side: Revision | None) -> str | None:
        """A file's text; None where there is none that can be read."""
        try:
            with laid(side):
                return text_of(self.repository.top / path)
        except (OSError, ValueError):
            return None

    def _is_spec(self, path: str, side: Revision | None) -> bool:
        text = self._text(path, side)
        return text is not None and is_ours(text)

    def _is_library(self, path: str, side: Revision | None) -> bool:
        """Whether a file has blocks alone, for others to import."""
        text = self._text(path, side)
        return text is not None and is_library(text)

    def _add(self, old: str | None, new: str | None, name: str, item: Changed | None = None) -> None:
        """The networks of a file, by their variants; None where a side has no such file."""
        sides = [
            {} if target is None else family(target, side, self.overrides, name)
            for target, side in ((old, self.before), (new, self.after))
        ]
        self.networks += self._paired(sides[0], sides[1], name)
        if item is not None and item.before and item.after and item.before != item.after:
            self.notes.append(f"{item.after} was {item.before} before")

    def _paired(self, one: dict[str | None, Side], other: dict[str | None, Side], name: str) -> list[NetworkDifference]:
        """Networks of two states of a file, by variants; beside one that cannot be opened stands the first of them."""

        def made(variant: str | None, before: Side | None, after: Side | None) -> NetworkDifference:
            label = name if variant is None else f"{name}#{variant}"
            return NetworkDifference(label, before, after, same_file=True, batch=self.batch)

        for own, beside in ((one, other), (other, one)):
            lost = len(own) == 1 and None in own and own[None].spec is None
            if lost and len(beside) > 1:
                variant, first = next(iter(beside.items()))
                shown = f"of the other's {len(beside)} networks {variant or 'the first'} is shown"
                self.notes.append(f"{name} cannot be opened on one side; {shown}")
                return [made(variant, *((own[None], first) if own is one else (first, own[None])))]
        if len(one) == 1 and len(other) == 1:
            return [made(None, *one.values(), *other.values())]
        return [made(variant, one.get(variant), other.get(variant)) for variant in dict.fromkeys([*other, *one])]

    def _add_dependents(self, specs: Sequence[Changed], within: Callable[[str], bool]) -> None:
        """Specs that did not change by themselves, but are made of files that did."""
        done = {path for item in specs for path in item[:2] if path is not None}
        changed = {os.path.abspath(self.repository.top / path) for path in done}
        listed = self.repository.specs_on_disk() if self.after is None else self.after.specs()
        texts = {
            path: text
            for path in listed
            if path not in done and (text := self._text(path, self.after)) and is_ours(text)
        }
        stems = {Path(path).stem for path in done}
        candidates: dict[str, None] = {}
        while stems:
            pattern = re.compile("|".join(map(re.escape, sorted(stems))))
            more = [path for path, text in texts.items() if path not in candidates and pattern.search(text)]
            candidates.update(dict.fromkeys(more))
            stems = {Path(path).stem for path in more}
        with laid(self.after):
            reals = {str(real(Path(path))) for path in changed}
        for path in candidates:
            if not within(path) or self._is_library(path, self.after):
                continue
            target = self._from_here(path)
            new = family(target, self.after, self.overrides, path)
            with laid(self.after):
                made_of = {str(real(Path(file))) for side in new.values() for file in side.files}
            if not made_of & reals:
                continue
            old = family(target, self.before, self.overrides, path)
            self.networks += self._paired(old, new, path)
