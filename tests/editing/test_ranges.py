"""Folding, selections, and where values end."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import Findings
from archspec.editing.ranges import Fold, extent, folds, selections
from archspec.located import Mapping
from archspec.positions import Lines, Position, end_of, start_of
from archspec.source import read_text

TEXT = """\
# one
# two
archspec: 1
args: {a: 1,
  b: 2}
blocks:
  unit: # a block

    layers:
    - conv:
        filters: 3

    # comment
    - relu
notes: >-
  text
  more

layers: [
  relu,
  # why
  relu
]
# end
# of it
"""


def read(text: str) -> Mapping:
    found = read_text(text, "text", Findings())
    assert isinstance(found, Mapping)
    return found


def test_what_can_be_folded() -> None:
    assert folds(TEXT) == [
        Fold(1, 2, "comment"),
        Fold(4, 5),
        Fold(6, 14),
        Fold(7, 14),
        Fold(9, 14),
        Fold(10, 11),
        Fold(15, 17),
        Fold(19, 23),
        Fold(24, 25, "comment"),
    ]


def test_a_half_written_text_is_folded_too() -> None:
    text = "layers:\n  - conv: {filters: [3\n      , 4\n  - relu\n  - block:\n      a: 1\n    "
    assert folds(text) == [Fold(1, 6), Fold(2, 3), Fold(5, 6)]


@pytest.mark.parametrize("path", sorted(Path("specs/zoo").glob("*.yaml"))[::3], ids=lambda path: path.stem)
def test_folds_of_the_zoo_lie_within_each_other(path: Path) -> None:
    text = path.read_text()
    found = folds(text)
    lines = text.split("\n")
    assert all(1 <= fold.first < fold.last <= len(lines) for fold in found)
    for one in found:
        for other in found:
            apart = one.last < other.first or other.last < one.first
            within = one.first <= other.first and other.last <= one.last
            assert apart or within or (other.first <= one.first and one.last <= other.last)
    # Whatever stands further in than the line before it can be folded into that.
    for number in range(1, len(lines)):
        before, line = lines[number - 1], lines[number]
        if before.strip() and line.strip() and "#" not in (before.strip()[0], line.strip()[0]):
            deeper = len(line) - len(line.lstrip()) > len(before) - len(before.lstrip())
            assert any(fold.first == number for fold in found) == deeper


@given(st.text("ab:-#{}[] \n\r\u2028😀", max_size=60))
def test_folding_never_fails(text: str) -> None:
    count = Lines(text).count
    assert all(1 <= fold.first < fold.last <= count for fold in folds(text))


def words(root: Mapping, text: str, line: int, column: int) -> list[str]:
    lines = Lines(text)
    return [lines.slice(span) for span in selections(root, lines, Position(line, column))]


def test_a_selection_grows_from_a_value_to_all() -> None:
    text = "a: 1\nb:\n  - conv: {name: x, filters: [3, 4]} # c\n  - relu\n\n# end\n"
    root = read(text)
    assert words(root, text, 3, 19) == [
        "x",
        "name: x",
        "{name: x, filters: [3, 4]}",
        "conv: {name: x, filters: [3, 4]}",
        "- conv: {name: x, filters: [3, 4]} # c\n  - relu",
        "b:\n  - conv: {name: x, filters: [3, 4]} # c\n  - relu",
        text[: text.index("\n\n#")],
    ]
    assert words(root, text, 3, 14)[:2] == ["name", "name: x"]
    assert words(root, text, 3, 34)[:2] == ["4", "[3, 4]"]


def test_values_end_where_they_are_written() -> None:
    text = "a: &x {b: 1}\nc: *x\nd: |\n  text\n\n\ne:\n  - 1 # one\n\n# of f\nf: 'x\n  y'\n"
    root, lines = read(text), Lines(text)
    found = {}
    for name, (key, value) in root.entries.items():
        span = extent(lines, value, key) if value.line >= key.line else key.span
        found[name] = lines.slice(span)
    assert found == {
        "a": "a: &x {b: 1}",
        "c": "c",
        "d": "d: |\n  text",
        "e": "e:\n  - 1",
        "f": "f: 'x\n  y'",
    }


@pytest.mark.parametrize("path", sorted(Path("specs/zoo").glob("*.yaml"))[::4], ids=lambda path: path.stem)
def test_selections_grow_at_every_word_of_the_zoo(path: Path) -> None:
    text = path.read_text()
    root, lines = read(text), Lines(text)
    for offset in range(0, len(text), 61):
        position = lines.position(offset)
        found = selections(root, lines, position)
        for inner, outer in pairwise(found):
            assert start_of(outer) <= start_of(inner) <= end_of(inner) <= end_of(outer)
            assert inner != outer
        assert all(start_of(span) <= position <= end_of(span) for span in found)
