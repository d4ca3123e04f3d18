"""Codes of diagnostics: each has an example that comes to it, and `archspec explain` says all about it."""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.cli import COMMANDS, _options, main
from archspec.codes import CODES, Code
from archspec.commands._common import show
from archspec.diagnostics import Diagnostic
from archspec.manual.examples import said_of

ROOT = Path(__file__).parents[1]

UNRUN = {
    "E114": "needs a second server",
    "E217": "needs a package that is installed; tests/test_third_party.py has one",
    "E229": "needs weights of a network that only the example has",
    "E517": "needs a process beside it",
    "E518": "needs a run that is stopped, and other images",
    "E522": "needs a machine without the device",
    "E523": "needs a process that is killed",
    "E538": "needs a run of a network that only the example has",
    "E551": "would draw 3.6 GiB of weights",
    "E555": "needs a machine without the converter",
    "E556": "needs a converter that fails",
    "E557": "needs the converter",
    "E566": "needs a file of Caffe's that is wrong in itself",
    "E572": "needs two hosts",
    "E573": "needs two hosts",
    "E901": "nobody foresees it",
    "E902": "would fill the memory",
    "E903": "depends on the system's limits",
    "E904": "needs an environment without a package",
}
"""Examples that no test runs, and why; their codes are tested elsewhere."""

RUN = [code for code in CODES.values() if code.commands and code.code not in UNRUN]
NEED_A_RUN = ("archspec train", "runs/digits", "archspec weights", "archspec export")


def test_every_code_has_an_example() -> None:
    assert all(bool(code.example) != bool(code.commands) for code in CODES.values())
    assert {code for code in UNRUN if not CODES[code].commands} == set()
    assert len(UNRUN) == 19 and len(RUN) == 50, "19 examples are not run"


@pytest.mark.parametrize("code", [code for code in CODES.values() if code.commands], ids=lambda code: code.code)
def test_commands_of_examples_parse(code: Code) -> None:
    found = [line for line in code.commands if line.startswith("archspec ") and "COMMAND" not in line]
    assert found or code.code in ("E522", "E901", "E903")
    for line in found:
        words = [word for word in shlex.split(line, comments=True)[1:] if word != "&"]
        assert words[0] in COMMANDS and _options(words, words[0]).parser is not None


def comes_to(code: Code, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the last of an example's commands says, in a folder that has what they need."""
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "specs" / "examples" / "digits.yaml", folder)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in code.commands:
        capsys.readouterr()
        if line.startswith("archspec "):
            main(shlex.split(line, comments=True)[1:])
        else:
            subprocess.run(["bash", "-c", line], check=True, env={**os.environ, "PATH": path})
    return capsys.readouterr().err


@pytest.mark.usefixtures("plugins_forgotten")
@pytest.mark.parametrize(
    "code",
    [own for own in RUN if not any(word in line for line in own.commands for word in NEED_A_RUN)],
    ids=lambda code: code.code,
)
def test_commands_come_to_their_codes(
    code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"[{code.code}]" in comes_to(code, tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the example."""
    folder = tmp_path_factory.mktemp("trained")
    text = (ROOT / "specs" / "examples" / "digits.yaml").read_text("utf-8")
    (folder / "digits.yaml").write_text(text)
    words = ["train", str(folder / "digits.yaml"), "--set", "train.epochs=1", "--workdir", str(folder / "runs/digits")]
    assert main(words) == 0
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("plugins_forgotten")
@pytest.mark.parametrize(
    "code",
    [own for own in RUN if any(word in line for line in own.commands for word in NEED_A_RUN)],
    ids=lambda code: code.code,
)
def test_commands_with_a_run_come_to_their_codes(
    code: Code,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    assert f"[{code.code}]" in comes_to(code, tmp_path, monkeypatch, capsys)


def test_what_is_said_of_an_example_is_what_validate_says(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from archspec.codes import complete

    monkeypatch.chdir(write(complete(CODES["E301"].example), whole=True).parent)
    assert main(["validate", "net.yaml"]) == 1
    assert said_of(CODES["E301"]) == capsys.readouterr().err.rstrip()


def test_explain_says_all_about_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "e301", "W301", "E301"]) == 0
    text = capsys.readouterr().out
    for name in ("E301", "W301"):
        code = CODES[name]
        assert text.count(f"{code.severity} {name}: {code.what}") == 1
        assert code.why in text and f"way out: {code.mend}" in text and code.example.splitlines()[-1] in text
    assert "error[E301]: conv1 does not fit" in text and "warning[W301]" in text
    assert main(["explain", "E228", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["example"].endswith("$ archspec validate lenet5 --plugin odd.py") and found["said"] is None
    assert "docs/plugins.md" in found["mend"] and "](" not in found["mend"]


def test_explain_knows_what_is_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "E301", "E310"]) == 1
    ended = capsys.readouterr()
    assert "there is no code E310" in ended.err and "E306, E307 and E308" in ended.err and ended.out == ""
    assert main(["explain", "E301", "--layer", "c1"]) == 1
    assert "--layer is for a run" in capsys.readouterr().err
    assert main(["explain", "runs/none"]) == 1
    assert "runs/none is no folder" in capsys.readouterr().err
    for mistyped in ("E301x", "e31", "E3011"):
        assert main(["explain", mistyped]) == 1
        assert f"there is no code {mistyped.upper()}" in capsys.readouterr().err


@pytest.mark.slow
def test_explain_of_a_run_needs_images(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(trained / "runs" / "digits")]) == 2
    assert "required: FILE" in capsys.readouterr().err


def test_a_run_may_be_called_as_a_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("E301").mkdir()
    for images in (["seven.png"], ["E302"]):
        Path(images[0]).touch()
        assert main(["explain", "E301", *images]) == 1
        assert "error[E512]" in capsys.readouterr().err  # the folder is asked for its run
    assert main(["explain", "E301"]) == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminals_are_told_where_more_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [Diagnostic(code, "wrong") for code in ("E301", "E301", "E201", "E204", "E305")]
    show(items, argparse.Namespace())
    assert "archspec explain" not in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    show(items, argparse.Namespace())
    assert terminal.getvalue().endswith("5 errors\n`archspec explain E301 E201 E204` says more\n")
