"""Where a cursor is in a text that is being written: the word there, and the text with a marker for it, as a tree.

Texts are mostly no YAML while they are typed. So the word at the cursor becomes a marker, and what is open behind it is
closed, in the way that changes least and can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import Findings
from archspec.editing.scanning import open_at_end
from archspec.located import Located, Mapping, Scalar, Sequence
from archspec.positions import YAML_BREAK, Lines, Position
from archspec.source import read_text

MARK = "cursor_0f3a9c"
"""Stands for the word at the cursor."""

MAX_BROKEN = 4
"""Lines elsewhere that are left out because they cannot be read."""

_BEFORE = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z0-9_]*\Z")  # tried once a word, not at each of its letters
_AFTER = re.compile(r"[A-Za-z0-9_]*")
_KEY_FOLLOWS = re.compile(r"[\"']?[ \t]*:(?=\s|\Z)")
_TOP = re.compile(r"^[A-Za-z_\"'][^\n]*", re.MULTILINE)


class Step(NamedTuple):
    """One step of the way from the root to the cursor: a mapping or list, and the key or number in it."""

    node: Located
    key: str | int


class Marked(NamedTuple):
    """What is known of the place of a cursor from the text alone.

    `steps` lead to the marker, which is the last step's key where `is_key`, and in its value otherwise. `before` and
    `after` are what stands around the marker in that key or value.
    """

    root: Mapping
    steps: tuple[Step, ...]
    marker: Scalar
    is_key: bool
    before: str
    after: str
    start: int
    """Where the word at the cursor begins in the text, and where it ends."""
    end: int
    at: int
    """Where the cursor is."""
    in_flow: bool
    """Whether it is within `{ }` or `[ ]`."""
    quote: str
    has_value: bool
    """Whether a `:` stands after the word already."""
    needs_space: bool
    """Whether a blank is missing before it, after `:` or `-`."""
    dashed: str
    """What has to come before the word to make it an entry of a list: `- `, or nothing."""
    indent: int
    """How far the line is indented."""

    @property
    def whole(self) -> tuple[int, int]:
        """Where the whole value begins and ends that the word is in."""
        return self.start - len(self.before), self.end + len(self.after)


def find_marked(text: str, position: Position, path: Path) -> Iterator[Marked]:
    """Where a cursor is, in the ways in which that can be read, those that change least first.

    None in comments and in texts of several lines, and where nothing can be read. `path` is the text's.
    """
    lines = Lines(text)
    at = lines.offset(position)
    word = _BEFORE.search(text[:at])
    rest = _AFTER.match(text, at)
    assert word is not None and rest is not None
    start, end = word.start(), rest.end()
    opened = open_at_end(text[:start])
    if opened.silent:
        return
    line_start = start - len(lines.line(position.line)[: max(0, position.column - 1 - (at - start))])
    head = text[line_start:start]
    needs_space = not opened.quote and (head.endswith(":") or head.strip() == "-") and not head.endswith(" ")
    follows = _KEY_FOLLOWS.match(text, end)
    if opened.brackets:
        follows = re.compile(r"[\"']?[ \t]*:").match(text, end)
    made = _Probes(text, start, end, opened.closers, opened.quote, opened.brackets, " " if needs_space else "")
    tried = set()
    for dashed, probe in made.probes(head, follows is not None):
        if probe in tried:
            continue
        tried.add(probe)
        root = _tree(probe, path)
        found = _marked(root) if root is not None else None
        if root is None or found is None:
            continue
        steps, marker, is_key = found
        before, _, after = marker.value.partition(MARK)
        if "\n" in before + after or (opened.quote and "\\" in before + after):
            return
        indent = len(head) - len(head.lstrip(" "))
        yield Marked(
            root, steps, marker, is_key, before, after, start, end, at, bool(opened.brackets), opened.quote,
            follows is not None, needs_space, dashed, indent,
        )  # fmt: skip


class _Probes(NamedTuple):
    """The texts with a marker that are tried, those that change least first."""

    text: str
    start: int
    end: int
    closers: str
    quote: str
    brackets: tuple[tuple[str, int], ...]
    space: str

    def probes(self, head: str, has_value: bool) -> Iterator[tuple[str, str]]:
        """Each text with what came before the marker in it to make it an entry."""
        before, after = self.text[: self.start] + self.space, self.text[self.end :]
        ending = YAML_BREAK.search(after)
        line_rest, below = (after[: ending.start()], after[ending.start() :]) if ending else (after, "")
        alone = not head.strip() and not self.brackets
        forms = [("", MARK), ("", f"{MARK}: null")]
        if alone and not has_value:
            # A line of its own: a field, an entry that lacks its dash, and only then the rest of the value above.
            forms = [("", f"{MARK}: null"), ("- ", f"- {MARK}"), ("", MARK)]
        rests = [after] if has_value or not line_rest.strip() else [after, below]
        if has_value:
            forms = [("", MARK)]
        for rest in rests:
            for dashed, form in forms:
                yield dashed, before + form + rest
        kept = self._below(below)
        for closed in dict.fromkeys([kept, self._top(below), ""]):
            for dashed, form in [*forms, ("", f"{MARK}: null")]:
                inner = f"{MARK}{self.quote}: null" if form.endswith("null") and self.quote else form + self.quote
                closers = self.closers[len(self.quote) :]
                yield dashed, before + inner + closers + closed

    def _below(self, below: str) -> str:
        """The lines after the cursor's that do not belong to the brackets which are open there."""
        if not self.brackets:
            return below
        first = self.brackets[0][1]
        begin = max(self.text.rfind("\n", 0, first), self.text.rfind("\r", 0, first)) + 1
        own = self.text[begin:first]
        indent = len(own) - len(own.lstrip(" "))
        for match in YAML_BREAK.finditer(below):
            line = below[match.end() : match.end() + indent + 1]
            stripped = line.lstrip(" ")
            if stripped and stripped[0] not in "\n\r#":
                return below[match.start() :]
        return ""

    def _top(self, below: str) -> str:
        """The sections after the cursor's."""
        match = _TOP.search(below, 1) if below else None
        return "\n" + below[match.start() :] if match else ""


def _tree(text: str, path: Path) -> Mapping | None:
    """The tree of a text, lines that cannot be read left out; None where that does not help."""
    for _ in range(MAX_BROKEN):
        findings = Findings()
        value = read_text(text, str(path), findings, folder=path.parent)
        if isinstance(value, Mapping):
            return value
        if value is not None or not findings.items or findings.items[0].code != "E104":
            return None
        place = findings.items[0].primary
        if place is None:
            return None
        lines = Lines(text)
        begin = lines.offset(Position(place.span.line, 1))
        line = lines.line(place.span.line)
        if not line.strip() or MARK in line:
            return None
        text = text[:begin] + text[begin + len(line) :]
    return None


def _marked(root: Mapping) -> tuple[tuple[Step, ...], Scalar, bool] | None:
    """The way to the marker, the key or value that it is in, and whether that is a key.

    In the order of the text: what has an anchor stands before the aliases that repeat it.
    """
    stack: list[tuple[Located, tuple[Step, ...]]] = [(root, ())]
    while stack:
        node, steps = stack.pop()
        if isinstance(node, Scalar):
            if isinstance(node.value, str) and MARK in node.value:
                return steps, node, False
        elif isinstance(node, Mapping):
            inner: list[tuple[Located, tuple[Step, ...]]] = []
            for name, key, value in node.items():
                if MARK in name:
                    return (*steps, Step(node, name)), key, True
                inner.append((value, (*steps, Step(node, name))))
            stack.extend(reversed(inner))
        elif isinstance(node, Sequence):
            stack.extend((item, (*steps, Step(node, index))) for index, item in reversed([*enumerate(node.items)]))
    return None
