"""What is written into a home, and what stays as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.shell_completion.scripts import SHELLS, script


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


WRITTEN = {
    "bash": (".bash_completions/archspec.sh", ".bashrc"),
    "zsh": (".zfunc/_archspec", ".zshrc"),
    "fish": (".config/fish/completions/archspec.fish", None),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_installed_once(
    home: Path, shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, read_by = WRITTEN[shell]
    before = b"# my own\nalias l=ls \xff"  # neither a last line that ends, nor UTF-8
    if read_by is not None:
        (home / read_by).write_bytes(before)
    monkeypatch.setenv("SHELL", f"/usr/local/bin/{shell}")
    assert main(["--install-completion"]) == 0
    said = capsys.readouterr().out
    assert f"wrote {home / own}" in said and f"to undo it: delete {home / own}" in said
    assert (home / own).read_text() == script(shell)
    if read_by is not None:
        assert f"added a line to {home / read_by}" in said
        changed = (home / read_by).read_bytes()
        assert changed.startswith(before + b"\n") and changed.count(b"# completion of archspec\n") == 1
    times = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    assert main(["--install-completion", shell]) == 0
    assert "is as it should be already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()} == times
    # An older script is replaced.
    (home / own).write_text("old")
    assert main(["--install-completion", shell]) == 0
    assert (home / own).read_text() == script(shell)


def test_where_users_say(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "zsh").mkdir()
    monkeypatch.setenv("ZDOTDIR", str(tmp_path / "zsh"))
    assert main(["--install-completion", "fish"]) == main(["--install-completion", "zsh"]) == 0
    assert (tmp_path / "config" / "fish" / "completions" / "archspec.fish").is_file()
    assert (tmp_path / "zsh" / ".zshrc").is_file()


def test_refused(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for shell, reason in (("/bin/dash", "SHELL is dash"), ("", "SHELL does not say")):
        monkeypatch.setenv("SHELL", shell)
        for option in ("--install-completion", "--show-completion"):
            assert main([option]) == 1
            assert f"error[E113]: {reason}" in capsys.readouterr().err
    assert main(["--install-completion", "tcsh"]) == 2
    assert not list(home.iterdir())
    (home / ".bashrc").mkdir()
    assert main(["--install-completion", "bash"]) == 1
    assert "E534" in capsys.readouterr().err
    assert not os.path.exists(home / ".bash_completions"), "nothing is written where the shell's file cannot be read"


@pytest.mark.parametrize("shell", SHELLS)
def test_shown(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show-completion", shell]) == 0
    assert capsys.readouterr().out == script(shell)
