"""Formatting changes spaces alone: the tree of values and the comments stay, and the zoo's own specs nearly do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.diagnostics import Findings, Source
from archspec.editing.formatting import CannotFormat, edits, formatted
from archspec.positions import Lines, end_of, start_of
from archspec.source import read_text

SPECS = sorted(Path("specs").glob("*/*.yaml"))


def applied(text: str, changes: list[Any]) -> str:
    """A text with edits of it made, the last first."""
    lines = Lines(text)
    for edit in sorted(changes, key=lambda edit: start_of(edit.span), reverse=True):
        start, end = lines.offset(start_of(edit.span)), lines.offset(end_of(edit.span))
        text = text[:start] + edit.text + text[end:]
    return text


def values(text: str) -> Any:
    findings = Findings()
    read = read_text(text, "text", findings)
    return None if read is None else read.plain


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_projects_specs_are_formatted(path: Path) -> None:
    text = path.read_text()
    assert formatted(text) == text
    assert edits(Source(str(path), text)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:   1\nb :  [ 1,2 , {c: 3} ]\n", "a: 1\nb: [1, 2, {c: 3}]\n"),
        ("layers:\n- conv: {a : 1}   # x\n\n\n\n-   relu\n", "layers:\n  - conv: {a: 1} # x\n\n  - relu\n"),
        ("a:\n    b:\n        - c\n        -   d: 1\n            e: 2", "a:\n  b:\n    - c\n    - d: 1\n      e: 2\n"),
        # Comments stay at what they stand at, in brackets too.
        ("a: {b: 1, # one\n  c: 2}  # two\n", "a: {b: 1, # one\n  c: 2} # two\n"),
        ("d: [\n 1, # first\n # second\n  2\n ]\n", "d: [\n  1, # first\n  # second\n  2\n]\n"),
        ("a:\n    # above\n    b: 1\n    # below\nc: 2\n", "a:\n  # above\n  b: 1\n  # below\nc: 2\n"),
        ("a:\n    b:\n        c: 1\n    # of a\n# of all\nd: 2\n", "a:\n  b:\n    c: 1\n  # of a\n# of all\nd: 2\n"),
        ("layers:\n- a\n# between\n- b\n# end\nc: 1\n", "layers:\n  - a\n  # between\n  - b\n# end\nc: 1\n"),
        # Texts in several lines: what is in them stays.
        ("z: |\n     lit\n       more  \n\n   # c\ny: 1\n", "z: |\n  lit\n    more  \n\n# c\ny: 1\n"),
        ("z: |+   # keep\n   lit\n\n\ny: 1\n", "z: |+ # keep\n  lit\n\n\ny: 1\n"),
        ("a:\n    - |2\n        x\n    - 3\n", "a:\n  - |2\n      x\n  - 3\n"),
        ("q: 'l\n     m  \n\n\n     n'\n", "q: 'l\n  m\n\n\n  n'\n"),
        ('q: "l\\ \n  m \\\n     n"\n', 'q: "l\\ \n  m \\\n  n"\n'),
        # Brackets that begin a line, and that close in one of their own.
        ("a:\n    {b: 1,\n    c: 2}\n", "a:\n  {b: 1,\n   c: 2}\n"),
        ("a:\n- [1,\n  2]\n- [\n  1\n  ]\n", "a:\n  - [1,\n     2]\n  - [\n      1\n    ]\n"),
        # Anchors, aliases, tags, keys with `?`.
        ("a: &x   1\nb:   *x\n*x : 2\n'q' : !!str   3\n", "a: &x 1\nb: *x\n*x : 2\n'q': !!str 3\n"),
        ("?   k\n:   v\n", "? k\n: v\n"),
        # Ends of lines, marks, ends of the text.
        ("\ufeffa:  1\r\n\r\n\r\nb:\r\n    - 1", "\ufeffa: 1\r\n\r\nb:\r\n  - 1\r\n"),
        ("\n\n# a\n\n\nb: 1   \n\n\n", "# a\n\nb: 1\n"),
        ("%YAML 1.2\n---\na:  1\n...\n# x\n---\nb:   2\n", "%YAML 1.2\n---\na: 1\n...\n# x\n---\nb: 2\n"),
        ("a: 1 #😀   \nb:   2 # \u2028# c\n", "a: 1 #😀\nb: 2 #\u2028# c\n"),
        ("", ""),
        ("# only\n", "# only\n"),
    ],
)
def test_what_is_changed(before: str, after: str) -> None:
    assert formatted(before) == after
    assert formatted(after) == after
    assert applied(before, edits(Source("text", before))) == after


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1, 2", "line "),
        ("a:\n\tb: 1\n", "line 2: "),
        ("a: 1\n b: 2\n", "line 2: "),
        ("a: \0", "unacceptable character"),
    ],
)
def test_what_is_not_yaml_stays(text: str, reason: str) -> None:
    with pytest.raises(CannotFormat) as caught:
        formatted(text)
    assert str(caught.value).startswith(f"the text is not YAML: {reason}")


def test_a_range_changes_its_lines_alone() -> None:
    text = "a:   1\nb:   2\nc:   3\n\n\n\nd: 4\n"
    assert applied(text, edits(Source("text", text), 2, 2)) == "a:   1\nb: 2\nc:   3\n\n\n\nd: 4\n"
    assert applied(text, edits(Source("text", text), 5, 6)) == "a:   1\nb:   2\nc:   3\n\nd: 4\n"
    # One line of a level cannot move without the others.
    nested = "a:\n    b: 1\n    c: 2\n"
    with pytest.raises(CannotFormat, match="without others"):
        edits(Source("text", nested), 2, 2)
    assert applied(nested, edits(Source("text", nested), 2, 3)) == "a:\n  b: 1\n  c: 2\n"


TREES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.none(), st.text("ab :#-'\"\n é😀", max_size=20), st.just("$(a + 1)")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc: ", max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(
    TREES,
    st.sampled_from([True, False, None]),
    st.integers(2, 7),
    st.integers(20, 200),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_pyyaml_writes_keeps_its_values(
    tree: Any, flow: bool | None, indent: int, width: int, ends: str, unicode: bool
) -> None:
    text = yaml.dump(tree, default_flow_style=flow, indent=indent, width=width, line_break=ends, allow_unicode=unicode)
    after = formatted(text)
    assert yaml.safe_load(after) == tree
    assert formatted(after) == after
    assert applied(text, edits(Source("text", text))) == after


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.sampled_from(SPECS), st.randoms(use_true_random=False))
def test_spaces_put_anywhere_are_taken_away_or_the_text_stays(path: Path, chance: random.Random) -> None:
    """A spec with spaces, comments and ends of lines at random places: what comes of it says the same, or none does."""
    lines = path.read_text().split("\n")
    begin = chance.randrange(len(lines))
    piece = lines[begin : begin + 30]
    for _ in range(chance.randrange(6)):
        number = chance.randrange(len(piece))
        line = piece[number]
        at = chance.choice([place for place, char in enumerate(line + " ") if char == " "])
        piece[number] = line[:at] + chance.choice([" ", "   ", "\n", " # note\n", "\t", "# x", "\u2028"]) + line[at:]
    text = "\n".join(piece)
    before = values(text)
    try:
        after = formatted(text)
    except CannotFormat:
        return
    assert values(after) == before
    assert formatted(after) == after
    assert not any(line != line.rstrip(" ") for line in after.split("\n") if "#" in line)
    first = chance.randrange(1, len(piece) + 1)
    try:
        part = applied(text, edits(Source("text", text), first, first + 5))
    except CannotFormat:
        return
    assert values(part) == before
