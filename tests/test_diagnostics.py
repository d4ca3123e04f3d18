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
from archspec.diagnostics import Diagnostic, Findings, Label, Source, Span, did_you_mean, render_json, render_text

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


def test_every_code_is_documented() -> None:
    source = "".join(path.read_text("utf-8") for path in (FOLDER.parents[1] / "archspec").rglob("*.py"))
    codes = set(re.findall(r'"([EW]\d{3})"', source))
    documented = set(
        re.findall(r"^\| ([EW]\d{3}) \|", (FOLDER.parents[1] / "docs" / "diagnostics.md").read_text(), re.MULTILINE)
    )
    assert codes == documented


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
        findings.error("E301", f"layer {index} does not fit", span)
    assert len(findings.items) == 3
    assert json.loads(render_json(findings.items))[0]["message"] == "layer 0 does not fit"


def test_did_you_mean() -> None:
    assert did_you_mean("kernal", ["kernel", "stride"]) == "did you mean `kernel`?"
    assert did_you_mean("zzz", ["kernel", "stride"]) is None
    assert did_you_mean("x99", [f"x{i}" for i in range(100_000)]) is not None
