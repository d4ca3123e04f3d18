"""The scripts in the shells themselves: asked as programs can, and with a key pressed in a terminal."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archspec.cli import main

pty = pytest.importorskip("pty")

BASH, ZSH, FISH = (shutil.which(name) for name in ("bash", "zsh", "fish"))
needs_zsh = pytest.mark.skipif(ZSH is None, reason="there is no zsh")
needs_fish = pytest.mark.skipif(FISH is None, reason="there is no fish")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a spec in it, and archspec as a command."""
    for folder in ("bin", "my specs"):
        (tmp_path / folder).mkdir()
    command = tmp_path / "bin" / "archspec"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archspec.cli "$@"\n')
    command.chmod(0o755)
    (tmp_path / "my specs" / "own net.yaml").write_text("archspec: 1\nvariants:\n  small: {}\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(command: list[str], keys: list[tuple[str, str]]) -> None:
    """What a shell shows in a terminal where keys are pressed; before the next ones, a text has to be seen."""
    terminal, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    shell = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment
    )
    os.close(theirs)
    said, end = "", time.monotonic() + 60
    try:
        for wanted, key in keys:
            while wanted not in said:
                assert time.monotonic() < end, said
                if select.select([terminal], [], [], 1)[0]:
                    said += os.read(terminal, 65536).decode(errors="replace")
            said = said.rpartition(wanted)[2]
            os.write(terminal, key.encode())
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)


def test_bash_is_there() -> None:
    assert BASH is not None or "CI" not in os.environ, "the tests of completion need bash"


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert BASH is not None
    assert main(["--show-completion", "bash"]) == 0
    (home / "script.sh").write_text(capsys.readouterr().out)
    lines = {
        "archspec rep": ["report"],
        "archspec report lenet5_": ["lenet5_1998"],
        "archspec report my": ["my\\ specs/"],
        "archspec report 'my specs/": ["my specs/own net.yaml"],
        "archspec report my\\ specs/own\\ net.yaml#": ["my\\ specs/own\\ net.yaml#small"],
        "archspec report --format=j": ["json"],
        "archspec nothing ": [],
    }
    script = "source script.sh; complete -p archspec; shopt -u progcomp_alias 2>/dev/null\n"
    for line in lines:
        quoted = "'" + line.replace("'", "'\\''") + "'"
        script += (
            f"COMP_LINE={quoted}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(archspec); _archspec_complete 2>/dev/null\n"
        )
        script += 'for word in "${COMPREPLY[@]}"; do printf \'%s\\n\' "$word"; done; echo ---\n'
    done = subprocess.run([BASH, "--norc", "-c", script], capture_output=True, text=True, check=True)
    first, *rest = done.stdout.splitlines()
    assert first == "complete -F _archspec_complete archspec"
    assert rest == [own for words in lines.values() for own in (*words, "---")]


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_in_a_terminal(home: Path) -> None:
    assert BASH is not None
    (home / ".bashrc").write_text("PS1='ready> '\n")
    assert main(["--install-completion", "bash"]) == 0
    keys = [
        ("ready> ", "archspec report lenet5_19\t"),
        ("lenet5_1998 ", "\x15archspec report my\t"),
        ("my\\ specs/", "\t"),
        ("own\\ net.yaml ", "\x15archspec report --format=j\t"),
        ("--format=json ", ""),
    ]
    typed([BASH, "--rcfile", str(home / ".bashrc"), "-i"], keys)


@needs_zsh
def test_zsh_in_a_terminal(home: Path) -> None:
    assert ZSH is not None
    (home / ".zshrc").write_text("PS1='ready> '\n")
    assert main(["--install-completion", "zsh"]) == 0
    keys = [
        ("ready> ", "archspec report lenet5_19\t"),
        ("98 ", "\x15archspec report my\t"),
        ("\\ specs/", "\t"),
        ("own\\ net.yaml", "\x15archspec report my\\ specs/own\\ net.yaml#\t"),
        ("small", "\x15archspec report --format=j\t"),
        ("son", ""),
    ]
    typed([ZSH, "-i"], keys)


@needs_fish
def test_fish(home: Path) -> None:
    assert FISH is not None
    assert main(["--install-completion", "fish"]) == 0
    asked = {
        "archspec rep": ["report\tparameters, multiply–adds, shapes and receptive fields"],
        "archspec report lenet5_": ["lenet5_1998\tLeNet-5, as the paper has it"],
        "archspec report my\\ sp": ["my specs/"],
        "archspec report --format=j": ["--format=json"],
    }
    for line, wanted in asked.items():
        done = subprocess.run([FISH, "-c", 'complete -C "$argv"', line], capture_output=True, text=True, check=True)
        assert [own.rstrip("\t") for own in done.stdout.splitlines()] == wanted
