"""One thing that is offered at a cursor, and what all files that offer something share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.diagnostics import Findings
from archspec.editing.grammar import kind_or_none
from archspec.kinds import STRUCTURE, Kind
from archspec.located import Located, Mapping, Scalar, is_null
from archspec.positions import Lines, Position
from archspec.spec.reading import evaluate, read_model
from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.editing.analysis import Analysis
    from archspec.editing.grammar import Slot
    from archspec.editing.marking import Marked
    from archspec.editing.probing import Probe
    from archspec.spec.arguments import Argument
    from archspec.spec.document import Block

What = Literal[
    "kind", "block", "structure", "field", "value", "name", "argument", "variant", "section", "file", "function"
]


@dataclass(frozen=True)
class Completion:
    """One thing that may be put at a cursor.

    `text` takes the place of what stands from `start` to `end`, in one line, and can be put there as it is: of several
    lines, those after the first have all their indentation. `snippet`, where there is one, is the same with
    places to fill in, as LSP writes them (`${1:64}`), and its lines are indented in relation to the line that it is put
    in, for clients that `adjustIndentation`. What stands from `start` to `end` is what `label` is to be held against.
    """

    label: str
    what: What
    start: Position
    end: Position
    text: str
    snippet: str | None = None
    detail: str = ""
    """One line: shapes, a type, a default, a value."""
    documentation: str = ""
    """Markdown."""
    rank: int = 0
    """What is likelier comes first, and then what comes first in the alphabet or was offered first."""
    sort: str = ""
    """What clients sort by."""


class Fit(NamedTuple):
    """That something fits, and the shapes before and after it, where it is an entry or in one: `28×28 → 14×14`."""

    arrow: str


class Asked:
    """What was asked: a cursor, what may stand there, and what is known of it."""

    def __init__(self, analysis: Analysis, cursor: Marked, slot: Slot, probe: Probe) -> None:
        self.analysis = analysis
        self.cursor = cursor
        self.slot = slot
        self.probe = probe
        self.fill: Mapping | None = None
        """Fields that the entry needs and lacks, with values, so that what else is wrong with it comes to light."""
        self.refused: set[str] = set()
        """The codes of what was wrong with what last did not fit."""
        self._codes: dict[int, set[str]] = {}

    @cached_property
    def lines(self) -> Lines:
        return self.analysis.now.lines

    # Whether something fits.

    @cached_property
    def model(self) -> type[Kind] | None:
        """The kind of the layer that the cursor is in; None where it is in none, or in a block or structure."""
        name = self.kind_here
        return None if name is None or name in STRUCTURE or name in self.blocks else kind_or_none("layers", name)

    @cached_property
    def kind_here(self) -> str | None:
        """What the entry that the cursor is in is of: a kind, a block, a structure."""
        at = self.probe.entry_at
        if at is None or len(self.cursor.steps) <= at:
            return None
        step = self.cursor.steps[at]
        if not isinstance(step.node, Mapping):
            return None
        key = step.node.key(str(step.key))
        if key is None or not key.dynamic or not self.probe.places:
            return str(step.key)
        words = [evaluate(key, place.env, Findings()) for place in self.probe.places]
        known = [word for word in words if word in self.blocks or word in STRUCTURE or _is_kind(word)]
        return next((word for word in (*known, *words) if isinstance(word, str)), None)

    @property
    def blocks(self) -> dict[str, Block]:
        """The blocks that an entry here may call."""
        if self.probe.places:
            return self.probe.places[0].context.document.blocks
        return self.probe.document.blocks if self.probe.document is not None else {}

    def renamed(self, name: str) -> Mapping:
        """What stands at the cursor under another key, of a key whose value is there."""
        step = self.cursor.steps[-1]
        assert isinstance(step.node, Mapping)
        key, value = step.node.entries[str(step.key)]
        return with_entries(key, {name: (Scalar(key.source, key.place, name), value)})

    @cached_property
    def given(self) -> dict[str, tuple[Scalar, Located]]:
        """The fields that are written beside the one at the cursor; those that `<<` brings may be given once more."""
        last = self.cursor.steps[-1]
        entries = last.node.entries if isinstance(last.node, Mapping) else {}
        first, end = last.node.place[:2], last.node.place[2:]
        return {
            name: (key, value)
            for name, (key, value) in entries.items()
            if name != last.key and first <= key.place[:2] <= end
        }

    @property
    def x(self) -> TensorType | None:
        """The type of the one value that comes in, where that is known."""
        types = self.probe.places[0].types if self.probe.places else ()
        return types[0] if len(types) == 1 else None

    @cached_property
    def env(self) -> dict[str, Any]:
        """Arguments and loop variables, and their values at the call that is shown."""
        if self.probe.places:
            env = self.probe.places[0].context.env
            return {name: env[name] for name in env}
        spec = self.probe.spec
        return dict(spec.document.env) if spec is not None else {}

    @property
    def arguments(self) -> dict[str, Argument]:
        """The network's arguments, with those of what its variant extends."""
        spec, document = self.probe.spec, self.probe.document
        if spec is not None:
            return spec.document.arguments
        return document.arguments if document is not None else {}

    def fits(self, new: Located | None) -> Fit | None:
        """Whether nothing is wrong with something in place of the marker that is right without; None where it is.

        Where nothing is known of the place, it is not held against what is offered.
        """
        if self.slot.word == "defaults" or self.cursor.steps[0].key == "defaults":
            return Fit("") if self._is_default(new) else None
        if self.probe.entry_at is None:
            if self.probe.spec is None:
                return Fit("")
            return None if self.probe.found_with(new) - self._found_without else Fit("")
        arrow, sure = "", True
        for number, place in enumerate(self.probe.places):
            entry = self.filled(new)
            # What comes in at later calls is what elaboration went on with, which this may not give.
            if entry is None or not sure:
                break
            tried = place.tried(entry)
            if tried.codes - self._codes_without(number):
                self.refused = tried.codes
                return None
            arrow = tried.arrow if number == 0 else arrow
            sure = tried.result == place.made
        return Fit(arrow)

    def complete(self) -> None:
        """Gives the entry what it needs and lacks, so that what else is wrong with it comes to light."""
        from archspec.editing.offers.entries import needs

        self.fill = needs(self) if self.probe.places and not self.is_entry else None

    def fits_network(self, new: Located | None) -> bool:
        """Whether nothing is wrong with the whole network with something in place of the marker."""
        if self.probe.spec is None:
            return True
        before = {code for code, _ in self._found_in_all}
        return {code for code, _ in self.probe.found_in_all(new, layers=True)} <= before

    @cached_property
    def _found_in_all(self) -> set[tuple[str, str]]:
        return self.probe.found_in_all(None, layers=True)

    def _is_default(self, new: Located | None) -> bool:
        """Whether a field of `defaults` may have a value, by the kind alone."""
        kind = kind_or_none("layers", str(self.cursor.steps[1].key)) if len(self.cursor.steps) > 2 else None
        if kind is None or new is None:
            return True
        given = new if isinstance(new, Mapping) and self.cursor.is_key else None
        if given is None:
            key = Scalar(new.source, new.place, self.cursor.steps[2].key)
            given = with_entries(new, {key.value: (key, new)})
        if not self.cursor.is_key and len(self.cursor.steps) > 3:
            return True
        findings = Findings()
        read_model(kind, given, self.env, findings, kind.kind, new.span)
        return all(item.code in ("E203", "E202") for item in findings.items)

    @cached_property
    def _found_without(self) -> set[tuple[str, str]]:
        return self.probe.found_with(None)

    def _codes_without(self, number: int) -> set[str]:
        if number not in self._codes:
            entry = None if self.is_entry else self.filled(None)
            self._codes[number] = self.probe.places[number].tried(entry).codes if entry is not None else set()
        return self._codes[number]

    @property
    def is_entry(self) -> bool:
        """Whether the whole entry is what is being written."""
        return self.slot.what == "entry"

    def filled(self, new: Located | None) -> Located | None:
        """The entry with something in place of the marker, and the fields that it needs besides."""
        entry = self.probe.entry_with(new)
        if self.fill is None or not isinstance(entry, Mapping) or len(entry.entries) != 1:
            return entry
        name, (key, content) = next(iter(entry.entries.items()))
        own = content.entries if isinstance(content, Mapping) else {}
        if not isinstance(content, Mapping) and content is not None and not is_null(content):
            return entry
        lacking = {field: value for field, value in self.fill.entries.items() if field not in own}
        return with_entries(entry, {name: (key, with_entries(entry, {**own, **lacking}))})

    @property
    def lead(self) -> str:
        """What has to come before the word: a blank, or the dash of an entry."""
        return (" " if self.cursor.needs_space else "") + self.cursor.dashed

    @property
    def column(self) -> int:
        """The column, from 0, at which what is put at the cursor begins."""
        place = self.lines.position(self.cursor.start)
        return place.column - 1 + len(self.lead)

    def item(
        self,
        label: str,
        what: What,
        text: str,
        *,
        snippet: str | None = None,
        detail: str = "",
        documentation: str = "",
        rank: int = 0,
        whole: bool = False,
    ) -> Completion:
        """Something in place of the word at the cursor, or of the `whole` value that the word is in."""
        start, end = self.cursor.whole if whole else (self.cursor.start, self.cursor.end)
        return Completion(
            label,
            what,
            self.lines.position(start),
            self.lines.position(end),
            self.lead + text,
            None if snippet is None else escaped(self.lead) + snippet,
            detail,
            documentation,
            rank,
        )


def _is_kind(word: object) -> bool:
    return isinstance(word, str) and kind_or_none("layers", word) is not None


def with_entries(at: Located, entries: dict[str, tuple[Scalar, Located]]) -> Mapping:
    """A mapping of these entries."""
    made = Mapping(at.source, at.place, entries)
    made.dynamic = any(key.dynamic or value.dynamic for key, value in entries.values())
    return made


def sorted_items(items: list[Completion]) -> list[Completion]:
    """What is offered in its order, each label once."""
    kept: dict[str, Completion] = {}
    for item in items:
        kept.setdefault(item.label, item)
    ordered = sorted(kept.values(), key=lambda item: item.rank)
    return [replace(item, sort=f"{number:05}") for number, item in enumerate(ordered)]


def escaped(text: str) -> str:
    """A text as it stands in a snippet."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("}", "\\}")


def hole(number: int, text: str) -> str:
    """A place to fill in, with what stands there until then."""
    return f"${{{number}:{escaped(text)}}}"


def first_line(text: str) -> str:
    """The first sentence or line of a docstring."""
    return " ".join(text.split("\n\n")[0].split())
