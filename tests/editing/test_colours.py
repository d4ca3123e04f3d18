"""What each word of a text is, for colours."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.diagnostics import Diagnostic
from archspec.editing.colours import colours
from archspec.editing.painting import MODIFIERS, TYPES, Token
from archspec.editing.workspace import Workspace

TEXT = """\
archspec: 1
name: small # 😀 one
args: {width: 8, kind: unit}
input: {height: 8, width: 8, channels: 1}
blocks:
  unit:
    args: {filters: int}
    layers:
      - conv: {filters: "$(filters * 2)", kernel: 3, pad: same, bias: false}
layers:
  - unit: {name: a, filters: $(width)}
  - repeat: {times: 2, as: i, layers: [{conv: {name: "c$(max(i, 1))", filters: $(previous.channels), kernel: 1}}]}
  - $(kind): {name: b, filters: $('x' == 'y' and 4 or 8)}
  - add: {from: [a.conv1, previous]}
  - flatten
  - dense: &last {name: fc, units: 10}
outputs: {logits: fc}
train: {dataset: {npz: a.npz}, optimiser: sgd, rates: {a.conv1: 0.5, "*.conv1": 1}}
notes: >-
  some
  text
variants:
  small: {}
  large: {extends: small, width: 16}
"""


def unforeseen(error: Exception) -> Diagnostic:
    raise error


def coloured(*texts: str, path: Path = Path("small.yaml")) -> tuple[list[Token], Workspace]:
    """The words of the last of several texts, which were typed one after the other."""
    workspace = Workspace(unforeseen)
    for text in texts:
        workspace.put(path, text, ours=True)
        analysis = workspace.analysis(path)
    assert analysis is not None
    return colours(workspace, analysis), workspace


def line(tokens: list[Token], text: str, number: int) -> list[str]:
    written = text.split("\n")[number - 1]
    return [
        f"{written[token.span.column - 1 : token.span.end_column - 1]} {' '.join((token.type, *token.modifiers))}"
        for token in tokens
        if token.span.line == number
    ]


# A line's number, and its words: `word type modifiers`.
WORDS = {
    2: "name keyword, small string, # 😀 one comment",
    3: "args keyword, width parameter declaration, 8 number, kind parameter declaration, unit class",
    6: "unit class declaration",
    9: """conv class defaultLibrary, filters property, " string, filters parameter, * operator, 2 number, " string,
        kernel property, 3 number, pad property, same string, bias property, false keyword""",
    11: "unit class, name property, a variable declaration, filters parameter, width parameter",
    12: """repeat keyword, times property, 2 number, as property, i parameter declaration readonly, layers property,
        conv class defaultLibrary, name property, "c variable declaration, max function defaultLibrary,
        i parameter readonly, 1 number, " variable declaration, filters property, previous variable defaultLibrary,
        channels property, kernel property, 1 number""",
    13: """kind parameter, name property, b variable declaration, filters parameter, x string, == operator, y string,
        and keyword, 4 number, or keyword, 8 number""",
    14: "add class defaultLibrary, from property, a variable, conv1 variable, previous variable defaultLibrary",
    15: "flatten class defaultLibrary",
    16: """dense class defaultLibrary, &last label declaration, name property, fc variable declaration, units property,
        10 number""",
    17: "outputs keyword, logits variable declaration, fc variable",
    18: """train keyword, dataset property, npz type, a.npz string, optimiser property, sgd type, rates property,
        a variable, conv1 variable, 0.5 number, * property, conv1 variable, 1 number""",
    20: "some string",
    24: "large enumMember declaration, extends property, small enumMember, width parameter, 16 number",
}


@pytest.mark.parametrize("number", WORDS)
def test_what_the_words_of_a_line_are(number: int) -> None:
    tokens, _ = coloured(TEXT)
    assert [word.strip() for word in line(tokens, TEXT, number)] == [word.strip() for word in WORDS[number].split(",")]


def test_a_line_that_is_being_typed_is_told_by_its_looks() -> None:
    before, _ = coloured(TEXT)
    broken = TEXT.replace("  - flatten\n", "  - conv: {filters: $(width * 2, kernel: [3 # x\n  - flatten\n")
    tokens, _ = coloured(TEXT, broken)
    words = "conv class defaultLibrary, filters property, width parameter, * operator, 2 number, kernel parameter, "
    assert line(tokens, broken, 15) == (words + "3 number, x parameter").split(", ")
    for number in range(1, 15):
        assert line(tokens, broken, number) == line(before, TEXT, number)
    for number in range(16, 25):
        assert line(tokens, broken, number) == line(before, TEXT, number - 1)


def test_some_of_the_lines() -> None:
    tokens, workspace = coloured(TEXT)
    analysis = workspace.analysis(Path("small.yaml"))
    assert analysis is not None
    assert colours(workspace, analysis, 5, 9) == [token for token in tokens if 5 <= token.span.line <= 9]


def check(tokens: list[Token], workspace: Workspace, path: Path) -> None:
    """Words lie in the text in order, one beside the other, each in one line."""
    analysis = workspace.analysis(path)
    assert analysis is not None
    lines = analysis.now.lines
    for token in tokens:
        assert token.type in TYPES
        assert set(token.modifiers) <= set(MODIFIERS)
        assert token.span.line == token.span.end_line <= lines.count
        assert 1 <= token.span.column < token.span.end_column <= len(lines.line(token.span.line)) + 1
    for one, other in pairwise(tokens):
        assert one.span[1:3] < other.span[1:3]
        assert one.span.line < other.span.line or one.span.end_column <= other.span.column


@pytest.mark.parametrize("path", sorted(Path("specs").glob("*/*.yaml"))[::5], ids=lambda path: path.stem)
def test_the_projects_specs(path: Path) -> None:
    text = path.read_text()
    tokens, workspace = coloured(text, path=path)
    check(tokens, workspace, path)
    # Every comment of its own line has its colour, and so has the first word of every other line.
    coloured_lines = {token.span.line for token in tokens}
    assert all(not words.strip() or number in coloured_lines for number, words in enumerate(text.split("\n"), 1))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, len(TEXT)),
    st.integers(0, len(TEXT)),
    st.sampled_from(["", "\n", "{", "- ", "$(", "'", "😀", "\u2028", ": ", "&x ", "*x", "#", "\x00"]),
    st.booleans(),
)
def test_no_text_brings_an_error(at: int, cut: int, put: str, known: bool) -> None:
    text = TEXT[:at] + put + (TEXT[at:] if cut % 2 else TEXT[at:cut])
    tokens, workspace = coloured(*([TEXT] if known else []), text)
    check(tokens, workspace, Path("small.yaml"))
