"""The promise of completion, held by the specs that are there: what stood at a place is offered once it is deleted, and
nothing that is offered makes anything wrong in the entry or section that it is put in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from archspec.diagnostics import Diagnostic, Findings, Span
from archspec.editing.completing import Completion
from archspec.editing.grammar import Slot, slot_at
from archspec.editing.marking import Step
from archspec.editing.offers.guesses import literals
from archspec.editing.workspace import Workspace
from archspec.located import Located, Mapping, Scalar
from archspec.located import Sequence as LocatedSequence
from archspec.positions import Lines, Position, end_of
from archspec.source import read_text
from tests.editing.cursors import EXAMPLES, ZOO, applied, errors, offered_in, opened

SPECS = [*sorted(EXAMPLES.glob("*.yaml")), *sorted(ZOO.glob("*.yaml"))]
LARGE = ("resnet1001_preact", "resnet1202", "nasnet_a_large", "densenet_bc_190_40", "efficientnet_v2_xl")

GUESSED = {("schedules", "sgdr_schedule")}
"""Kinds whose settings nobody can guess."""


class Cut(NamedTuple):
    """A text of which one word is deleted."""

    text: str
    offset: int
    word: str
    steps: tuple[Step, ...]
    slot: Slot
    is_key: bool
    before: str
    """The text without the whole field or entry that the word is of."""

    @property
    def entry(self) -> Located | None:
        """The innermost entry of a list of layers that it is in."""
        found = None
        for number, step in enumerate(self.steps):
            slot = slot_at(self.steps[: number + 1], into_value=True)
            if slot.what == "entry" and isinstance(step.node, LocatedSequence) and isinstance(step.key, int):
                found = step.node.items[step.key]
        return found

    @property
    def is_listed(self) -> bool:
        """Whether all that may stand there can be listed, so that what stood there has to be among it."""
        what = self.slot.what
        if self.is_key:
            return what in ("fields", "content", "sections", "kind", "kinds", "entry", "variant", "defaults")
        if what == "value" and self.slot.info is not None:
            return self.word in literals(self.slot.info.annotation)
        return what in ("entry", "kind", "kinds", "names", "base", "files")


def scalars(node: Located, steps: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Scalar, bool]]:
    """Every key and value of a tree, with the way to it."""
    if isinstance(node, Mapping):
        for name, key, value in node.items():
            yield (*steps, Step(node, name)), key, True
            yield from scalars(value, (*steps, Step(node, name)))
    elif isinstance(node, LocatedSequence):
        for number, item in enumerate(node.items):
            yield from scalars(item, (*steps, Step(node, number)))
    elif isinstance(node, Scalar):
        yield steps, node, False


def cuts(path: Path, text: str) -> Iterator[Cut]:
    """Texts of which one plain word is deleted."""
    root = read_text(text, str(path), Findings(), folder=path.parent)
    assert root is not None
    lines = Lines(text)
    for steps, scalar, is_key in scalars(root):
        slot = slot_at(steps, into_value=not is_key)
        start, end = lines.offset(Position(scalar.line, scalar.column)), lines.offset(end_of(scalar.span))
        word = text[start:end]
        plain = word and scalar.line == scalar.end_line and not set("$\"'&*#") & set(word)
        if slot.what == "nothing" or not plain or text[:start].endswith("*"):
            continue
        first, last = start, end
        holder = steps[-1].node
        if isinstance(holder, Mapping):
            key, value = holder.entries[str(steps[-1].key)]
            first, last = lines.offset(Position(key.line, key.column)), lines.offset(end_of(value.span))
        without = text[:first] + text[last:].lstrip(" ").removeprefix(",")
        yield Cut(text[:start] + text[end:], start, word, steps, slot, is_key, without)


def inside(cut: Cut, own: Completion, span: Span, path: Path) -> bool:
    """Whether a span is in the entry that an item was put in."""
    entry = cut.entry
    assert entry is not None
    if span.source.name != str(path):
        return False
    lines = Lines(cut.text)
    end = lines.offset(end_of(entry.span)) if entry.end_line > entry.line else 0
    # The end of a mapping in lines of its own is where the next thing begins.
    stop = lines.position(len(cut.text[:end].rstrip())) if end else Position(entry.line, entry.end_column)
    more = own.text.count("\n")
    at = Position(span.line, span.column)
    return Position(entry.line, entry.column) <= at < Position(stop.line + more, stop.column + len(own.text) + 1)


def fresh(cut: Cut, own: Completion, workspace: Workspace, path: Path, known: set[str]) -> list[Diagnostic]:
    """What an item makes wrong in its entry or section."""
    workspace.put(path, applied(cut.text, own))
    found = [error for error in errors(workspace, path) if error.code not in known]
    if cut.slot.what == "base":
        # Whether the rest of the spec goes with what it extends is for the rest to say.
        line = Lines(cut.text).position(cut.offset).line
        return [error for error in found if error.primary and error.primary.span.line == line]
    if cut.entry is None:
        return found
    wrong = []
    for error in found:
        calls = [label for label in error.secondary if label.text.endswith("called here")]
        if any(inside(cut, own, label.span, path) for label in (error.primary, *calls) if label is not None):
            wrong.append(error)
    return wrong


def keeps_shapes(own: Completion) -> bool:
    """Whether what comes out is as what comes in, so that it is no other at later calls."""
    given, arrow, result = own.detail.partition(" → ")
    return not arrow or given == result


def check(path: Path, chosen: Sequence[Cut], text: str, variants: Sequence[str | None], items: int, seed: int) -> int:
    """Holds the promise at some places of a spec; the number of items that were put in."""
    rnd, tried = random.Random(seed), 0
    for cut in chosen:
        variant = rnd.choice(variants)
        workspace = opened(text, path, variant)
        workspace.analysis(path)
        known: set[str] = set()
        for broken in (cut.before, cut.text):
            workspace.put(path, broken)
            known |= {error.code for error in errors(workspace, path)}
        found = offered_in(workspace, path, cut.offset)
        assert len({own.label for own in found}) == len(found)
        where = f"{path.name}#{variant}: {[step.key for step in cut.steps]}"
        if cut.is_listed and (cut.slot.family, cut.word) not in GUESSED:
            assert cut.word in [own.label for own in found], f"{where}: {cut.word} is not offered"
        repeated = cut.entry is not None and any(step.key in ("blocks", "repeat") for step in cut.steps)
        for own in rnd.sample(found, min(items, len(found))):
            if repeated and not keeps_shapes(own):
                continue
            tried += 1
            wrong = fresh(cut, own, workspace, path, known)
            assert not wrong, f"{where}: {own.text!r} in place of {cut.word!r}: {[item.message for item in wrong]}"
    return tried


def held(path: Path, places: int, items: int, seed: int) -> int:
    """Holds the promise at some places of a spec, chosen by a seed; the number of items that were put in."""
    rnd = random.Random(f"{path.name} {seed}")
    text = path.read_text()
    all_cuts = list(cuts(path, text))
    analysis = opened(text, path).analysis(path)
    assert analysis is not None
    variants: list[str | None] = [name for name in analysis.now.variants if name not in LARGE]
    large = {step.key for cut in all_cuts for step in cut.steps} & set(LARGE)
    all_cuts = [cut for cut in all_cuts if not large & {step.key for step in cut.steps}]
    return check(path, rnd.sample(all_cuts, min(places, len(all_cuts))), text, variants or [None], items, seed)


@pytest.mark.parametrize("path", [path for path in SPECS if len(path.read_text()) < 2_500], ids=lambda path: path.stem)
def test_what_stood_there_is_offered_and_nothing_that_is_wrong(path: Path) -> None:
    held(path, places=3, items=2, seed=0)


@pytest.mark.slow
def test_at_many_places_of_all_specs() -> None:
    assert sum(held(path, places=2, items=3, seed=1) for path in SPECS) > 60
