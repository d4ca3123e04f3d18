"""A text with a cursor in it, read: what comes in where the cursor is, and what is wrong with something put there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from archspec.diagnostics import Diagnostic, Findings, SpecError
from archspec.editing.analysis import shown_of
from archspec.editing.cursor import nearness
from archspec.editing.marking import Marked, Step
from archspec.editing.trying import Place
from archspec.elaborate.entries import Expander
from archspec.elaborate.placing import Placer
from archspec.elaborate.scope import UNKNOWN, Context, Values
from archspec.elaborate.trace import Trace, Visit
from archspec.loading import Spec, spec_of
from archspec.located import Located, Mapping, Sequence
from archspec.source import read_text
from archspec.spec.document import Document, laid_over, open_document
from archspec.spec.files import is_library
from archspec.spec.reading import evaluate
from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.editing.analysis import Analysis

MAX_PLACES = 24
"""Calls of a block with other shapes or arguments at which it is tried whether something fits."""

MAX_VARIANTS = 3
"""Other variants that are looked at where the shown one does not call the block that the cursor is in."""

APART = (
    *("archspec", "name", "title", "paper", "notes", "lineage", "input", "inputs", "published", "weights", "defaults"),
)
"""Sections for which nothing of the layers has to be known."""

OF_THE_SAME_GRAPH = ("task", "train")
"""Sections that change nothing of what the layers are, and which a graph is held against."""


class _Watch(Trace):
    """Writes down where the entry with the cursor is expanded. `without` is the entry without what is being written."""

    def __init__(self, target: Located | None, without: Located | None, focus: str) -> None:
        super().__init__()
        self.target, self.without, self.focus = target, without, focus
        self.places: list[Place] = []
        self.known: set[object] = set()
        self.prefixes: list[str] = []
        self.near = 0
        self.first: Place | None = None
        """The place that is shown; None where it is the first one."""
        self.top: Context | None = None
        self.made: Expander | None = None

    def expander(self, document: Document, placer: Placer, findings: Findings) -> Expander:
        # No other size of the input is looked for, and no receptive fields.
        placer.searches = 0
        self.placer = placer
        self.made = _Watched(document, placer, findings, self)
        return self.made


class _Watched(Expander):
    def __init__(self, document: Document, placer: Placer, findings: Findings, watch: _Watch) -> None:
        super().__init__(document, placer, findings)
        self.watch = watch

    def entry(self, node: Located, context: Context, values: Values, *, name: str | None = None) -> Values:
        watch = self.watch
        if watch.top is None:
            watch.top = context
        if node is not watch.target:
            return super().entry(node, context, values, name=name)
        prefix = context.scope.prefix
        watch.prefixes.append(prefix)
        near = nearness(prefix[:-1], watch.focus) if watch.focus else 0
        env = tuple(sorted((word, repr(context.env[word])) for word in context.env))
        key = (self.placer.types_if_known(values), env)
        place: Place | None = None
        if near > watch.near or (key not in watch.known and len(watch.places) < MAX_PLACES):
            watch.known.add(key)
            place = Place(self, context, values, name)
            watch.places.append(place)
            if near > watch.near:
                watch.near, watch.first = near, place
        made = values
        if watch.without is not None:
            made = super().entry(watch.without, context, values, name=name)
        if UNKNOWN in made or watch.without is None:
            made = values
            self._name(node, context, made)
        if place is not None:
            place.made = self.placer.types_if_known(made)
        return made

    def _name(self, node: Located, context: Context, values: Values) -> None:
        """Gives the name of an entry that cannot be expanded to what stands in for what it would give."""
        content = next(iter(node.entries.values()))[1] if isinstance(node, Mapping) and node.entries else None
        written = content.get("name") if isinstance(content, Mapping) else None
        if written is not None:
            name = evaluate(written, context.env, Findings())
            if isinstance(name, str):
                context.scope.names[name] = (values, written.span)


class Probe:
    """The text with a cursor, read: the document, the network as far as it could be made, and where the entry is."""

    def __init__(
        self, cursor: Marked, document: Document | None, spec: Spec | None, watch: _Watch, entry_at: int | None
    ) -> None:
        self.cursor = cursor
        self.document = document
        self.spec = spec
        self.watch = watch
        self.entry_at = entry_at
        """Which of the cursor's steps lead to the entry that it is in; None where it is in none."""

    @property
    def places(self) -> list[Place]:
        """Where the entry is expanded, first the call that is shown, and then others with other shapes or arguments."""
        first = self.watch.first
        others = [place for place in self.watch.places if place is not first]
        return others if first is None else [first, *others]

    @property
    def repeated(self) -> bool:
        """Whether it is expanded twice in one scope, so that it may have no name of its own."""
        return len(set(self.watch.prefixes)) < len(self.watch.prefixes)

    def entry_with(self, new: Located | None) -> Located | None:
        """The entry with something else in place of the marker: a field or more, or a value; None for nothing."""
        assert self.entry_at is not None
        steps = self.cursor.steps
        entry = _end(self.cursor.root, steps[: self.entry_at])
        return substituted(entry, steps[self.entry_at :], new, is_key=self.cursor.is_key)

    def found_with(self, new: Located | None) -> set[tuple[str, str]]:
        """What is wrong with the sections beside the layers with something in place of the marker, by code and words.

        A network that cannot be trained is among it.
        """
        if self.spec is None or self.document is None:
            return set()
        if self.cursor.has_value and self.cursor.is_key and self.entry_at is None and len(self.cursor.steps) in (1, 3):
            return self.found_in_all(new)
        own = substituted(self.cursor.root, self.cursor.steps, new, is_key=self.cursor.is_key)
        steps = self.cursor.steps
        if self.spec.variant is not None and steps[0].key == "variants" and isinstance(own, Mapping):
            own = own.get("variants")
            own = own.get(self.spec.variant) if isinstance(own, Mapping) else None
            steps = steps[2:]
        if not isinstance(own, Mapping) or not steps:
            return set()
        over = own.only(str(steps[0].key)) if not (len(steps) == 1 and self.cursor.is_key) else own
        changed = self.spec.document.changed(laid_over(self.spec.document.root, over))
        spec = Spec(changed)
        graph = None
        if steps[0].key in OF_THE_SAME_GRAPH:
            with suppress(SpecError):
                graph = self.spec.graph()
        found = spec.diagnostics_with(graph)
        return {(item.code, item.message) for item in found if item.severity == "error" or item.code == "W307"}

    def found_in_all(self, new: Located | None, *, layers: bool = False) -> set[tuple[str, str]]:
        """What is wrong with all of the spec, with its `layers` or without, with something in place of the marker."""
        root = substituted(self.cursor.root, self.cursor.steps, new, is_key=self.cursor.is_key)
        path = self.document.path if self.document is not None else None
        if path is None or not isinstance(root, Mapping):
            return set()
        findings = Findings()
        document = open_document(path, findings, known={path: root})
        found: Iterable[Diagnostic] = findings.items
        if document is not None:
            with suppress(SpecError):
                variant = self.spec.variant if self.spec is not None else None
                spec = spec_of(document, shown_of(document, variant), (), findings)
                found = spec.diagnostics if layers else spec.diagnostics_with(None)
        return {(item.code, item.message) for item in found if item.severity == "error"}


def _end(root: Located, steps: Iterable[Step]) -> Located:
    for step in steps:
        inner = root.get(str(step.key)) if isinstance(root, Mapping) else None
        if isinstance(root, Sequence) and isinstance(step.key, int):
            inner = root.items[step.key]
        assert inner is not None
        root = inner
    return root


def substituted(node: Located, steps: tuple[Step, ...], new: Located | None, *, is_key: bool) -> Located | None:
    """A tree with something else at the end of a way: in place of a key and its value the fields of a mapping, in
    place of a value another one; without it where that is None."""
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    result: Located
    if isinstance(node, Mapping):
        entries = {}
        for name, (key, value) in node.entries.items():
            if name != step.key:
                entries[name] = (key, value)
            elif is_key and not rest:
                entries.update(new.entries if isinstance(new, Mapping) else {})
            elif (inner := substituted(value, rest, new, is_key=is_key)) is not None:
                entries[name] = (key, inner)
        result = Mapping(node.source, node.place, entries)
        result.dynamic = any(key.dynamic or value.dynamic for key, value in entries.values())
        return result
    assert isinstance(node, Sequence)
    items = []
    for index, item in enumerate(node.items):
        kept = substituted(item, rest, new, is_key=is_key) if index == step.key else item
        if kept is not None:
            items.append(kept)
    result = Sequence(node.source, node.place, items)
    result.dynamic = any(item.dynamic for item in items)
    return result


def parsed(text: str) -> Located | None:
    """A piece of YAML as a tree; None where it is none."""
    return read_text(text, "", Findings())


def probed(
    analysis: Analysis, cursor: Marked, entry_at: int | None, focus: str, instead: Located | None = None
) -> Probe:
    """The text with a cursor, read. `entry_at` says which of its steps lead to the entry that the cursor is in.

    `instead` stands at the cursor meanwhile; nothing if it is None.
    """
    now = analysis.now
    steps = cursor.steps
    root: Located | None = cursor.root
    target = without = None
    if entry_at is not None:
        target = _end(cursor.root, steps[:entry_at])
        if len(steps) > entry_at and not (len(steps) == entry_at + 1 and cursor.is_key):
            without = substituted(target, steps[entry_at:], None, is_key=cursor.is_key)
    else:
        root = substituted(cursor.root, steps, instead, is_key=cursor.is_key)
    assert isinstance(root, Mapping)
    library = is_library(now.text)
    findings = Findings()
    document = open_document(now.path, findings, library=library, known={now.path: root})
    watch, spec = _Watch(target, without, focus), None
    if document is None or library:
        return Probe(cursor, document, None, watch, entry_at)
    shown = shown_of(document, _asked(analysis, steps))
    for variant in (shown, *(_callers(document, steps, shown) if entry_at is not None else ())):
        watch = _Watch(target, without, focus)
        try:
            spec = spec_of(document, variant, (), findings)
        except SpecError:
            break
        if entry_at is None and _is_apart(steps):
            break
        spec.traced(watch)
        if entry_at is None or watch.places:
            break
    if any(None in place.types for place in watch.places) and entry_at is not None:
        types = _remembered(analysis, steps[entry_at - 1])
        for place in watch.places:
            if types is not None and None in place.types:
                place.remember(types)
    return Probe(cursor, document, spec, watch, entry_at)


def _remembered(analysis: Analysis, step: Step) -> tuple[TensorType, ...] | None:
    """What came in to an entry of a list when the text last was a whole network; None where that is not known."""
    whole = analysis.whole
    if whole is None or whole is analysis.now or whole.trace is None or whole.trace.placer is None:
        return None
    if not isinstance(step.node, Sequence) or not isinstance(step.key, int):
        return None
    moved = analysis.moved(whole)
    visits: dict[tuple[int, int], Visit] = {}
    for visit in whole.visits_in(whole.source):
        line = moved.line(visit.node.line)
        if line is not None:
            visits.setdefault((line, visit.node.column), visit)
    items, at = step.node.items, step.key
    before = [(item, True) for item in reversed(items[:at])]
    # What the next one took is what the one before this gave, which may be what is wrong now.
    for item, gave in [*before[:1], *((item, False) for item in items[at + 1 : at + 2]), *before[1:]]:
        known_visit = visits.get((item.line, item.column))
        if known_visit is None:
            continue
        types = whole.trace.placer.types_if_known(known_visit.result if gave else known_visit.given)
        known = tuple(kind for kind in types if kind is not None)
        if known and len(known) == len(types):
            return known
    return None


def _asked(analysis: Analysis, steps: tuple[Step, ...]) -> str | None:
    """The variant that is shown: the one that the cursor is in, or that which the text was last read with."""
    if len(steps) > 1 and steps[0].key == "variants":
        return str(steps[1].key)
    for reading in (analysis.now, analysis.whole):
        if reading is not None and reading.spec is not None:
            return reading.spec.variant
    return analysis.now.variant


def _callers(document: Document, steps: tuple[Step, ...], shown: str | None) -> list[str]:
    """Variants whose network may call the block that the cursor is in, where the shown one does not: those that name it
    and then others, a few of them."""
    if steps[0].key != "blocks" or len(steps) < 2:
        return []
    others = [name for name in document.variants if name != shown]
    others.sort(key=lambda name: str(steps[1].key) not in str(document.variants[name].plain))
    return others[:MAX_VARIANTS]


def _is_apart(steps: tuple[Step, ...]) -> bool:
    """Whether what is written there has nothing to do with layers."""
    within = steps[2:] if steps[0].key == "variants" else steps
    return not within or within[0].key in APART or (steps[0].key == "variants" and len(steps) == 3)
