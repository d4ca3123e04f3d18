"""`archspec format`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from archspec.cli import main

LOOSE = "archspec: 1\nname:   x   # why\nlayers:\n- relu\n\n\n\n-   dense:  {units : 3}"
TIGHT = "archspec: 1\nname: x # why\nlayers:\n  - relu\n\n  - dense: {units: 3}\n"


def test_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / ".hidden").mkdir()
    loose, done = tmp_path / "inner" / "loose.yml", tmp_path / "done.yaml"
    loose.write_text(LOOSE)
    done.write_text(TIGHT)
    (tmp_path / "other.yaml").write_text("on:   push\n")
    (tmp_path / ".hidden" / "a.yaml").write_text(LOOSE)

    assert main(["format", str(tmp_path), "--check"]) == 1
    out = capsys.readouterr()
    assert out.out == f"would format {loose}\n"
    assert out.err == "1 file would be formatted, 1 left as they were, 1 without `archspec:` passed over\n"
    assert loose.read_text() == LOOSE

    assert main(["format", str(loose), "--diff"]) == 1
    shown = capsys.readouterr().out
    assert "-name:   x   # why\n+name: x # why\n" in shown
    assert loose.read_text() == LOOSE

    assert main(["format", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"formatted {loose}\n"
    assert loose.read_text() == TIGHT
    assert (tmp_path / "other.yaml").read_text() == "on:   push\n"
    assert (tmp_path / ".hidden" / "a.yaml").read_text() == LOOSE
    assert main(["format", str(tmp_path), "--check"]) == 0


def test_ends_of_lines_and_marks_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + LOOSE.replace("\n", "\r\n").encode())
    assert main(["format", str(path)]) == 0
    assert path.read_bytes() == b"\xef\xbb\xbf" + TIGHT.replace("\n", "\r\n").encode()


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))

    give(LOOSE)
    assert main(["format", "-"]) == 0
    assert capsys.readouterr() == (TIGHT, "")
    give(LOOSE)
    assert main(["format", "-", "--check"]) == 1
    assert capsys.readouterr().out == "would format standard input\n"
    give("a: [1")
    assert main(["format", "-"]) == 1
    out = capsys.readouterr()
    assert out.out == ""
    assert "error[E104]: standard input is not formatted: the text is not YAML: line" in out.err


def test_what_cannot_be_formatted_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, fine, latin = tmp_path / "broken.yaml", tmp_path / "fine.yaml", tmp_path / "latin.yaml"
    broken.write_text("archspec: 1\nlayers: [a\nname: x\n")
    latin.write_bytes(b"archspec: 1 # \xe9\n")
    fine.write_text(LOOSE)
    assert main(["format", str(broken), str(latin), str(fine), str(tmp_path / "none.yaml")]) == 1
    err = capsys.readouterr().err
    assert "E104" in err
    assert "E102" in err
    assert "E101" in err
    assert broken.read_text() == "archspec: 1\nlayers: [a\nname: x\n"
    assert fine.read_text() == TIGHT
