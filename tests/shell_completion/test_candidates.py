"""What may come next on a command line."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec.cli import COMMANDS, _parser_of, main
from archspec.kinds import FAMILIES, builtin_kinds
from archspec.shell_completion import values
from archspec.shell_completion.candidates import candidates
from archspec.starting.finding import built_in
from archspec.zoo import zoo_networks, zoo_variants

HELPS = {name: item.help for name, item in COMMANDS.items()}

NOTHING = {
    *("PATH", "PATH=VALUE", "PATH=VALUES", "PATH:CHANNEL[@R,C]", "HxW", "SIZE", "MESH", "AXES", "RATE", "PART", "R,C"),
    *("NAME", "NAME,…", "NAMES", "NAME=VALUE", "NAME[:asc|:desc]", "COLUMN", "SETTING", "SET", "TEXT", "HOST:PORT"),
    *("N", "I", "S", "E", "K", "P", "R", "LOW..HIGH"),
}
"""What nothing is proposed for: numbers, sizes, paths of layers, names that only the user knows."""


def completed(*words: str) -> list[str]:
    """The words that fit in the place of the last one."""
    return [own.value for own in candidates(words[:-1], words[-1], HELPS, _parser_of)]


def test_commands_and_their_options() -> None:
    assert completed("") == sorted(COMMANDS)
    assert completed("re") == ["report"]
    assert completed("--") == ["--help", "--install-completion", "--show-completion", "--version"]
    assert completed("--install-completion", "") == ["bash", "fish", "zsh"]
    assert completed("nothing", "") == []
    assert {"--batch", "--format", "--plugin", "--set"} <= set(completed("report", "lenet5", "--"))
    assert "--format" not in completed("report", "--format", "json", "--")
    assert "--set" in completed("report", "--set", "a=b", "--")  # which may be given again
    assert completed("report", "--format", "j") == ["json"]
    assert completed("report", "--format=j") == ["--format=json"]
    assert completed("report", "--xla=") == []
    assert completed("train", "lenet5", "--no-c") == ["--no-cache"]
    assert completed("train", "lenet5", "") == []  # one spec is all
    assert completed("report", "lenet5", "vgg1")[:2] == ["vgg11", "vgg11_bn"]
    assert completed("report", "--", "--fo") == []


def test_actions_of_a_command() -> None:
    assert completed("data", "") == ["check"]
    assert completed("weights", "") == ["export", "import"]
    assert completed("weights", "import", "resnet18", "--form") == completed("weights", "import", "--form")
    assert "--sheet" in completed("data", "check", "lenet5", "--")
    assert completed("export", "run", "--to", "k") == ["keras"]


def test_networks_kinds_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert completed("report", "") == sorted(zoo_networks())
    assert completed("zoo", "") == sorted({path.stem for path, _ in zoo_variants().values()})
    kinds = {name for family in FAMILIES for name in builtin_kinds(family)}
    assert kinds <= set(completed("layers", ""))
    assert set(values.FAMILIES) == set(FAMILIES)
    assert completed("layers", "con") == ["concat", "constant", "conv"]
    assert completed("report", "lenet5", "--optimiser", "ad") == ["adam", "adamw"]
    assert completed("roofline", "lenet5", "--device", "h1") == ["h100"]
    assert completed("explain", "E30")[:2] == ["E301", "E302"]
    assert completed("new", "--network", "s")[-1] == "squeezenet1_1" and "small" in completed("new", "--network", "s")
    assert set(built_in()) == {own for own in completed("new", "--data", "") if not own.endswith("/")}


def test_an_index_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("archspec: 1\n")
    monkeypatch.setattr(values, "zoo_folder", lambda: tmp_path)
    for text in (None, "", "[]", '{"files": {"a": 3}}'):
        if text is not None:
            (tmp_path / "index.json").write_text(text)
        assert [own.value for own in values.networks("")] == ["mine"]


def test_files_variants_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my specs").mkdir()
    (tmp_path / "my specs" / "ä b.yaml").write_text("archspec: 1\n")
    (tmp_path / "net.yaml").write_text(
        "archspec: 1\nvariants:\n  # one\n  small: {width: 1}\n\n  large:\n    width: 2\ntrain:\n  epochs: 3\n"
    )
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden.yaml").write_text("")
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "run.json").write_text("{}")
    (tmp_path / "runs" / "group" / "two").mkdir(parents=True)
    (tmp_path / "runs" / "group" / "two" / ".archspec").write_text("")
    assert completed("report", "my") == ["my specs/"]
    assert completed("report", "my specs/") == ["my specs/ä b.yaml"]
    assert completed("report", "~/my specs/") == ["~/my specs/ä b.yaml"]
    assert completed("report", "ne") == ["neocognitron", "net.yaml"]
    assert completed("report", "net.yaml") == ["net.yaml", "net.yaml#large", "net.yaml#small"]
    assert completed("report", "net.yaml#s") == ["net.yaml#small"]
    assert completed("report", "none.yaml#") == []
    assert completed("report", ".h") == [".hidden.yaml"]
    assert completed("eval", "") == ["my specs/", "runs/group/", "runs/one"]
    assert completed("eval", "runs/group/") == ["runs/group/two"]
    assert completed("predict", "runs/one", "no") == ["notes.txt"]
    assert completed("train", "net.yaml", "--workdir", "r") == ["runs/"]
    assert completed("bench", "runs/o") == ["runs/one"]
    assert completed("report", "no/such/") == []


def test_variants_are_those_of_the_specs() -> None:
    """What plain text tells of the zoo's files is what reading them does."""
    for path in {path for path, _ in zoo_variants().values()}:
        assert values.variants(str(path)) == [
            name for name, (own, variant) in zoo_variants().items() if own == path and variant
        ]


def arguments() -> Iterator[tuple[str, argparse.Action]]:
    def of(parser: argparse.ArgumentParser, command: str) -> Iterator[tuple[str, argparse.Action]]:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for own in action.choices.values():
                    yield from of(own, command)
            elif action.nargs != 0:
                yield command, action

    for command in COMMANDS:
        yield from of(_parser_of(command), command)


def test_it_is_decided_what_is_proposed_for_every_argument() -> None:
    undecided = set()
    for command, action in arguments():
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        known = action.choices is not None or (command, action.dest) in values.BY_NAME or metavar in values.BY_METAVAR
        if not known and metavar not in NOTHING:
            undecided.add((command, metavar))
    assert not undecided, "values.py has a table of what is proposed, and NOTHING of this test what is not"


def test_nothing_slow_is_imported() -> None:
    """A word is completed while somebody waits for it."""
    words = [[name, "x", "--f"] for name in COMMANDS if name != "export"]
    words += [
        ["layers", ""],
        ["report", ""],
        ["report", "x.yaml#"],
        ["eval", ""],
        ["new", "--data", ""],
        ["explain", "E3"],
    ]
    code = f"""
import sys
from archspec.cli import main
for words in {words!r}:
    assert main(["--complete", "fish", *words]) == 0
slow = {{"pydantic", "yaml", "jax", "numpy", "PIL", "importlib.metadata"}} & set(sys.modules)
assert not slow, slow
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--complete", "fish", "report", "lenet5_"]) == 0
    assert capsys.readouterr().out == "lenet5_1998\tLeNet-5, as the paper has it\n"
    assert main(["--complete", "bash", "23", "archspec report lenet5_ and what follows"]) == 0
    assert capsys.readouterr().out == "lenet5_1998\n"
    for words in ([], ["bash"], ["bash", "3"], ["bash", "x", "archspec"], ["bash", "-5", ""], ["zsh", ""]):
        main(["--complete", *words])
        assert not capsys.readouterr().err
    (tmp_path / "two\nlines.yaml").write_text("")
    assert main(["--complete", "zsh", "report", "two"]) == 0
    assert capsys.readouterr().out == ""
