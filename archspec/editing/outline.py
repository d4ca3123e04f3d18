"""What a text has, as a tree: sections, arguments, variants, blocks, and layers with their kinds and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from archspec.diagnostics import Span
from archspec.editing.analysis import Analysis, Reading
from archspec.editing.ranges import children, extent, is_inside
from archspec.editing.workspace import Workspace
from archspec.elaborate.scope import UNKNOWN
from archspec.kinds import STRUCTURE
from archspec.located import Located, Mapping, Scalar, Sequence
from archspec.positions import Lines

Kind = Literal["section", "argument", "input", "output", "variant", "block", "layer", "call", "structure", "field"]


LONGEST = 60
"""Characters of a detail."""


@dataclass
class Item:
    """One thing of a text. `span` is all of it, `name_span` what it is called, within that."""

    name: str
    kind: Kind
    span: Span
    name_span: Span
    detail: str = ""
    items: list[Item] = field(default_factory=list)

    def walk(self) -> Iterator[Item]:
        """It and all that is in it."""
        yield self
        for item in self.items:
            yield from item.walk()


def outline(analysis: Analysis) -> list[Item]:
    """The things of a text; while it is half written those that it had, where they still stand."""
    reading = analysis.parsed
    if reading is None or reading.root is None:
        return []
    items = _Outliner(reading).mapping(reading.root, ())
    if reading is analysis.now:
        return items
    return _moved(items, analysis, reading)


def _moved(items: Iterable[Item], analysis: Analysis, reading: Reading) -> list[Item]:
    """Things of an older text, in those of their lines that there still are."""
    moved = analysis.moved(reading)
    found: list[Item] = []
    for item in items:
        name = moved.line(item.name_span.line)
        first, last = moved.line(item.span.line), moved.line(item.span.end_line)
        inner = _moved(item.items, analysis, reading)
        if name is None or first is None:
            found += inner
            continue
        if last is None:
            last = max([name, first, *(below.span.end_line for below in inner)])
        lines = analysis.now.lines
        end = item.span.end_column if moved.line(item.span.end_line) is not None else len(lines.line(last)) + 1
        span = Span(item.span.source, first, item.span.column, last, end)
        of_name = item.name_span._replace(line=name, end_line=name)
        found.append(Item(item.name, item.kind, span, of_name, item.detail, inner))
    return found


class _Outliner:
    """Goes through one tree."""

    def __init__(self, reading: Reading) -> None:
        self.lines: Lines = reading.lines
        self.details: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self._look_at(reading)

    def _look_at(self, reading: Reading) -> None:
        """What elaboration made of each entry: its name, where all calls give it the same, and what it gave first."""
        trace = reading.trace
        for visit in reading.visits_in(reading.source):
            key, entry = id(visit.node), visit.entry
            if trace is None or entry is None or visit.first == visit.last:
                continue
            name = entry.name or (entry.opened or "").rpartition(".")[2]
            if not name and entry.kind not in STRUCTURE:
                name = trace.name_of(visit.last - 1).rpartition(".")[2]
            if self.names.setdefault(key, name) != name:
                self.names[key] = ""
            if key not in self.details and visit.result and UNKNOWN not in visit.result:
                kinds = [trace.type_of(value) for value in visit.result]
                self.details[key] = ", ".join(str(kind) for kind in kinds if kind is not None)

    def mapping(self, node: Mapping, path: tuple[str, ...]) -> list[Item]:
        """The entries of a mapping of sections, of named things, or of fields."""
        items = []
        for key, value in children(node):
            assert key is not None
            items.append(self.entry(key, value, path, node))
        return items

    def entry(self, key: Scalar, value: Located, path: tuple[str, ...], holder: Located) -> Item:
        word = str(key.value)
        kind = self.kind_of(path)
        written = is_inside(value, holder)
        span = extent(self.lines, value, key) if written else key.span
        item = Item(word or "·", kind, span, key.span)
        inner = (*path, word)
        if isinstance(value, Scalar) or kind == "argument":
            item.detail = _short(value)
        if not written:
            return item
        if isinstance(value, Sequence) and self.is_chain(inner):
            item.items = self.chain(value)
        elif isinstance(value, Mapping) and self.opens(inner):
            item.items = self.mapping(value, inner)
        if isinstance(value, Sequence) and kind == "field" and word == "inputs":
            item.items = [
                Item(str(name.value), "input", name.span, name.span)
                for _, name in children(value)
                if isinstance(name, Scalar) and name.value
            ]
        return item

    @staticmethod
    def kind_of(path: tuple[str, ...]) -> Kind:
        if not path:
            return "section"
        named: dict[str, Kind] = {
            "args": "argument", "inputs": "input", "outputs": "output", "variants": "variant", "blocks": "block"
        }  # fmt: skip
        if len(path) == 1 or path[0] in ("variants", "blocks"):
            return named.get(path[-1], "field")
        return "field"

    @staticmethod
    def is_chain(path: tuple[str, ...]) -> bool:
        """Whether a list of layers stands at a path of the spec."""
        return path[-1] == "layers" and (len(path) == 1 or (len(path) == 3 and path[0] in ("variants", "blocks")))

    @staticmethod
    def opens(path: tuple[str, ...]) -> bool:
        """Whether the entries of a mapping at a path are shown."""
        if path[0] in ("variants", "blocks"):
            return len(path) <= 2 or path[-1] in ("args", "outputs", "inputs")
        return len(path) == 1

    # Lists of layers.

    def chain(self, node: Located) -> list[Item]:
        return [item for _, entry in children(node) if (item := self.layer(entry)) is not None]

    def layer(self, node: Located) -> Item | None:
        """One entry of a list of layers."""
        key: Located = node
        content: Located | None = None
        if isinstance(node, Mapping):
            entries = children(node)
            if not entries or entries[0][0] is None:
                return None
            head, content = entries[0]
            assert head is not None
            key = head
            span = extent(self.lines, content, head) if is_inside(content, node) else head.span
        elif isinstance(node, Scalar):
            span = extent(self.lines, node)
        else:
            return None
        assert isinstance(key, Scalar)
        kind = str(key.value)
        name: Located | None = content.get("name") if isinstance(content, Mapping) else None
        shown = str(name.value) if isinstance(name, Scalar) else self.names.get(id(node), "")
        inside = name is not None and content is not None and is_inside(name, content) and is_inside(content, node)
        name_span = name.span if inside and name is not None and name.line == name.end_line else key.span
        details = [kind] if shown and shown != kind else []
        details += [text for text in (self.details.get(id(node), ""),) if text]
        item = Item(shown or kind or "·", self.kind_of_layer(kind, content), span, name_span, " → ".join(details))
        if isinstance(content, Mapping) and kind in STRUCTURE and is_inside(content, node):
            item.items = self.inner(content)
        return item

    @staticmethod
    def kind_of_layer(kind: str, content: Located | None) -> Kind:
        return "structure" if kind in STRUCTURE and isinstance(content, Mapping) else "layer"

    def inner(self, content: Mapping) -> list[Item]:
        """The layers in a structure."""
        items: list[Item] = []
        for key, value in children(content):
            assert key is not None
            if not is_inside(value, content):
                continue
            if key.value in ("layers", "shortcut") and isinstance(value, Sequence):
                found = self.chain(value)
                if key.value == "shortcut":
                    found = [Item("shortcut", "field", extent(self.lines, value, key), key.span, "", found)]
                items += found
            elif key.value == "branches" and isinstance(value, Mapping):
                for name, branch in children(value):
                    assert name is not None
                    span = extent(self.lines, branch, name) if is_inside(branch, value) else name.span
                    inner = self.chain(branch) if is_inside(branch, value) else []
                    items.append(Item(str(name.value) or "·", "field", span, name.span, "branch", inner))
            elif key.value == "branches" and isinstance(value, Sequence):
                for number, (_, branch) in enumerate(children(value)):
                    span = extent(self.lines, branch)
                    first = Span(span.source, span.line, span.column, span.line, span.column)
                    items.append(Item(f"branch {number}", "field", span, first, "", self.chain(branch)))
        return items


def _short(value: Located) -> str:
    text = " ".join(str(value.plain).split()) if not isinstance(value, Scalar) or value.value is not None else "null"
    if isinstance(value, Scalar) and isinstance(value.value, bool):
        text = str(value.value).lower()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def symbols(workspace: Workspace, query: str) -> list[Item]:
    """The named things of all open texts whose names have the letters of a query in this order."""
    found = []
    for path in list(workspace.texts):
        analysis = workspace.analysis(path)
        for top in outline(analysis) if analysis is not None else ():
            found += [item for item in top.walk() if item.kind not in ("section", "field") and _fits(item.name, query)]
    return found


def _fits(name: str, query: str) -> bool:
    letters = iter(name.lower())
    return all(letter in letters for letter in query.lower())
