"""Diagnostics: their text, lines and columns are fixed by tests/diagnostics/*.yaml and the .txt beside each.

After a wanted change: `UPDATE_DIAGNOSTICS=1 python -m pytest tests/test_diagnostics.py`, and read the difference.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.codes import CODES, Code, complete
from archspec.diagnostics import Diagnostic, Findings, Label, Source, Span, did_you_mean
from archspec.manual.codes import page
from archspec.output import as_json
from archspec.rendering import render_text

FOLDER = Path(__file__).parent / "diagnostics"
CASES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_text(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    status = main(["validate", path.name])
    found = capsys.readouterr().err
    record = path.with_suffix(".txt")
    if os.environ.get("UPDATE_DIAGNOSTICS"):
        record.write_text(found, "utf-8")
    assert found == record.read_text("utf-8")
    assert status == (1 if "error[" in found else 0)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_json_has_the_same_places(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    main(["validate", path.name, "--format", "json"])
    items = json.loads(capsys.readouterr().out)
    text = path.with_suffix(".txt").read_text("utf-8")
    headings = re.findall(r"^(error|warning)\[(\w+)\]: (.*)$", text, re.MULTILINE)
    assert [(item["severity"], item["code"], item["message"]) for item in items] == headings
    for item in items:
        if item["primary"]:
            place = item["primary"]
            assert f"┌─ {place['file']}:{place['line']}:{place['column']}" in text
            line = Path(place["file"]).read_text("utf-8").splitlines()[place["line"] - 1]
            assert place["column"] <= len(line) + 1
        assert all(f"help: {text_help}" in text for text_help in item["help"])


ROOT = FOLDER.parents[1]


def test_every_code_is_declared_and_used() -> None:
    files = [path for path in (ROOT / "archspec").rglob("*.py") if path.parent.name != "codes"]
    used = {code for path in files for code in re.findall(r'"([EW]\d{3})"', path.read_text("utf-8"))}
    assert used == set(CODES)
    assert list(CODES) == sorted(CODES)
    assert all(code.what and code.why and code.mend.strip() for code in CODES.values())


def test_severities_are_those_of_the_codes(write: Callable[..., Path]) -> None:
    for path in (ROOT / "archspec").rglob("*.py"):
        for call, code in re.findall(r'\b(error|warning)\(\s*"([EW]\d{3})"', path.read_text("utf-8")):
            assert CODES[code].severity == call, f"{path}: {code}"


def test_the_page_is_made_from_the_codes() -> None:
    assert (ROOT / "docs" / "diagnostics.md").read_text("utf-8") == page(), "run: python -m archspec.codes"


EXAMPLES = [code for code in CODES.values() if code.example]


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.code)
def test_examples_have_their_codes(code: Code, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["validate", str(write(complete(code.example), whole=True)), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert {item["code"] for item in found} == {code.code}
    assert {item["severity"] for item in found} == {code.severity}
    assert status == (1 if code.severity == "error" else 0)


def test_codes_that_a_spec_can_show_have_examples() -> None:
    """E1 to E4 and warnings are found by `validate`, but for those that need other files or packages."""
    without = {code.code for code in CODES.values() if not code.example and not code.code.startswith(("E5", "E9"))}
    assert without == {"E102", "E111", "E113", "E114", "E115", "E212", "E217", "E218", "E228", "E229", "W401"}


def test_strict_makes_warnings_errors(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = write("args: {unused: 1}\ninput: {height: 4, width: 4, channels: 1}\nlayers: [relu]\n")
    assert main(["validate", str(path)]) == 0
    assert main(["validate", str(path), "--strict"]) == 1
    assert "W201" in capsys.readouterr().err


def test_colour_only_where_it_is_asked_for(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(write("layers: [relu]"))]) == 1
    assert "\x1b" not in capsys.readouterr().err
    item = Diagnostic("E999", "wrong", Label(Span(Source("a", "b: c"), 1, 1, 1, 2), "here"))
    assert "\x1b[1;31m" in render_text([item], colour=True)


def test_a_spec_cannot_drive_the_terminal() -> None:
    span = Span(Source("a", "b: \x1b[31mred"), 1, 4, 1, 9)
    assert "\x1b" not in render_text([Diagnostic("E999", "bad \x1b]0;x\x07", Label(span, "\x1b[2J"))])


def test_long_lines_are_cut_around_the_place() -> None:
    source = Source("a", "x" * 3000 + "HERE" + "y" * 3000)
    text = render_text([Diagnostic("E999", "wrong", Label(Span(source, 1, 3001, 1, 3005)))])
    frame = next(line for line in text.splitlines() if "HERE" in line)
    marks = next(line for line in text.splitlines() if "^^^^" in line)
    assert len(frame) < 200
    assert frame.index("HERE") == marks.index("^^^^")


def test_findings_of_one_place_are_kept_a_few_times() -> None:
    findings = Findings()
    span = Span(Source("a", "b"), 1, 1, 1, 2)
    for index in range(1000):
        findings.error("E301", f"layer {'abcdefgh'[index % 8]} does not fit", span)
    assert len(findings.items) == 3
    assert json.loads(as_json([item.to_json() for item in findings.items]))[0]["message"] == "layer a does not fit"


def test_did_you_mean() -> None:
    assert did_you_mean("kernal", ["kernel", "stride"]) == "did you mean `kernel`?"
    assert did_you_mean("zzz", ["kernel", "stride"]) is None
    assert did_you_mean("x99", [f"x{i}" for i in range(100_000)]) is not None


@pytest.mark.parametrize(
    ("value", "marked"),
    [
        ("a $(missing) b", "missing"),
        ("'it''s $(missing)'", "missing"),
        ('"a\\tb\\x41\\u00e9 \\"$(missing)\\""', "missing"),
        ('"\\\\ \\U0001F642 $(1 + missing)"', "missing"),
        ('"$(\\x6dissing)"', "\\x6dissing"),
        ("$(missing)", "missing"),
        ("größe 中文 $('é' + missing)", "missing"),
        ("$(len('🙂中') + missing)", "missing"),
        ('"a\\', None),
    ],
)
def test_carets_are_under_what_is_wrong(
    value: str, marked: str | None, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns are counted by a rule of their own here: what a terminal shows."""
    tail = "\nlayers: [relu]" if marked else '\n  b $(missing)"\nlayers: [relu]'
    text = f"input: {{height: 8, width: 8, channels: 1}}\nargs:\n  \t\n  a: {value}{tail}"
    assert main(["validate", str(write(text.replace("  \t\n", "")))]) == 1
    lines = capsys.readouterr().err.splitlines()
    frame = next(i for i, line in enumerate(lines) if re.match(r"\d+ │ ", line))
    wide = set("中文🙂")

    def cells(line: str) -> list[str]:
        return [cell for char in line for cell in ([char, ""] if char in wide else [char])]

    shown, marks = cells(lines[frame]), lines[frame + 1].ljust(200)
    found = "".join(cell for cell, mark in zip(shown, marks, strict=False) if mark == "^")
    assert found == (marked or '"a\\')


def test_carets_after_tabs_accents_and_emoji() -> None:
    line = "\tx: e\u0301中🙂 HERE"
    start = line.index("HERE") + 1
    text = render_text([Diagnostic("E999", "wrong", Label(Span(Source("a", line), 1, start, 1, start + 4)))])
    shown, marks = text.splitlines()[3:5]
    assert shown == "1 │  x: e\u0301中🙂 HERE"
    # A tab is shown as a blank; é is one column, the other two are two columns each.
    assert marks == "  │ " + " " * (1 + 3 + 1 + 2 + 2 + 1) + "^^^^"
