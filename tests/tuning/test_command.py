"""`archspec tune` on a tiny network, with times that are made up: what is kept, who uses it, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from archspec.bench.clock import Times
from archspec.cli import main
from archspec.loading import load
from archspec.lowerings import choosing, timing, tuned
from archspec.lowerings.case import Case, Direction
from archspec.lowerings.choosing import Choice
from archspec.lowerings.device import this_device
from archspec.lowerings.plain import choices_to_plain
from archspec.lowerings.rules._rule import Rule
from archspec.tuning import step
from archspec.xla import lowered

Write = Callable[..., Path]

TINY = """
input: {height: 6, width: 5, channels: 3}
layers:
  - conv: {name: first, filters: 4, kernel: 3}
  - conv: {name: point, filters: 2, kernel: 1}
  - flatten
  - dense: {name: fc, units: 3}
"""
POINT = Case("conv", 4, (4, 3), 4, 2, (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, "float32")
FIRST = Case("conv", 4, (6, 5), 3, 4, (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, "float32")
SECONDS: dict[tuple[Case, Direction], dict[str, float]] = {
    (POINT, "forward"): {"library": 0.004, "product": 0.001},
    (POINT, "kernel"): {"library": 0.00099, "product": 0.001},
}


def compared(
    case: Case, direction: Direction, names: Iterable[str], options: Mapping[str, Any], *, seconds: float
) -> dict[str, float]:
    return SECONDS.get((case, direction)) or dict.fromkeys(names, 0.002)


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A user's cache of one's own, one rule, and times."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rule = Rule("product", ("kernel",), lambda case: True, "measured elsewhere")
    monkeypatch.setattr("archspec.lowerings.rules.TABLES", ((rule,),))
    monkeypatch.setattr(timing, "compared", compared)
    # It would be for the rest of this process.
    monkeypatch.setattr("archspec.programs.unkept", nullcontext)
    choosing.default.cache_clear()
    yield
    choosing.default.cache_clear()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds of whole programs, which are run once."""
    seconds = {"before": 2.0, "after": 1.0}

    def timed(programs: Mapping[str, Callable[[], Any]]) -> dict[str, Times]:
        for run in programs.values():
            run()
        return {name: Times((seconds[name], 9.0), (0.0, 0.0), 1) for name in programs}

    monkeypatch.setattr(step, "timed", timed)
    return seconds


def chosen(spec: Path) -> dict[Case, Choice]:
    """What the next program of a spec takes, as another process would: from what is kept."""
    choosing.default.cache_clear()
    made = lowered(load(spec), 4, "eval")
    made.function.lower(*made.shapes)
    return made.lowerings.taken


def test_the_next_program_has_what_was_found(
    write: Write, capsys: pytest.CaptureFixture[str], steps: dict[str, float]
) -> None:
    spec = write(TINY)
    before = chosen(spec)
    assert before[POINT] == Choice("library", "library", "product")
    assert main(["tune", str(spec), "--mode", "eval", "--batch", "4", "--format", "json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    rows = {row["paths"][0]: row for row in found["operations"]}
    assert rows["point"]["best"] == "product" and rows["point"]["present"] == rows["point"]["source"] == "library"
    assert rows["point"]["seconds"] == SECONDS[POINT, "forward"] and rows["first"]["best"] == "library"
    assert found["gain"]["eval"] == pytest.approx(0.003)
    assert found["steps"] == {"eval": {"before": 2.0, "after": 1.0, "ratio": 0.5}}
    assert found["kept"] in said.err and Path(found["kept"]) == tuned.file_for(this_device())
    assert chosen(spec) == {**before, POINT: Choice("product", "library", "product")}
    # A second time there is nothing left to time, unless it is asked for.
    assert main(["tune", str(spec), "--mode", "eval", "--batch", "4"]) == 0
    again = capsys.readouterr().out
    assert "0 directions of operations timed\n2 tuned before" in again and "\n\n" not in again
    assert main(["tune", str(spec), "--mode", "eval", "--batch", "4", "--again"]) == 0
    assert "2 directions of operations timed, 0 with" in capsys.readouterr().out


def test_choices_with_which_the_whole_is_slower_are_not_kept(
    write: Write, capsys: pytest.CaptureFixture[str], steps: dict[str, float]
) -> None:
    spec = write(TINY)
    steps["after"] = 2.2
    assert main(["tune", str(spec), "--mode", "eval", "--batch", "4"]) == 0
    said = capsys.readouterr().out
    assert "2 s before, 2.2 s now, 1.1 times" in said and "whole programs are slower" in said
    assert tuned.read(this_device()) == {FIRST: {"forward": tuned.Timed("library", 2.0, 2.0)}}
    assert chosen(spec)[POINT].forward == "library"


def test_ctrl_c_keeps_what_has_been_found(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(case: Case, *given: Any, **settings: Any) -> dict[str, float]:
        if case == POINT:
            raise KeyboardInterrupt
        return compared(case, *given, **settings)

    monkeypatch.setattr(timing, "compared", stopped)
    assert main(["tune", str(write(TINY)), "--mode", "eval", "--batch", "4"]) == 130
    said = capsys.readouterr()
    assert "1 not reached" in said.out and "interrupted" in said.err
    assert tuned.read(this_device()) == {FIRST: {"forward": tuned.Timed("library", 2.0, 2.0)}}


def test_it_is_said_what_computes_each_operation_and_why(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write(TINY)
    tuned.keep(this_device(), {POINT: {"forward": tuned.Timed("product", 1.0, 4.0)}})
    assert main(["tune", str(spec), "--batch", "4", "--explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "5 directions of operations: tuned 1, rule 1, library 3"
    # Below the table it may stand that few samples are predicted without oneDNN.
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in takewhile(bool, lines[5:])]
    first, point = "conv 3×3, 6×5, 3→4, batch 4", "conv 1×1, 4×3, 4→2, batch 4"
    nobody = ["library", "library", "no rule for cpu knows a faster one"]
    assert rows == [
        ["first", first, "forward", "train, eval", *nobody],
        ["first", first, "kernel", "train", *nobody],
        ["point", point, "forward", "train, eval", "product", "tuned", "1 ms, the library 4"],
        ["point", point, "input", "train", *nobody],
        ["point", point, "kernel", "train", "product", "rule", "measured elsewhere"],
    ]


def test_of_a_run_what_its_folder_records(write: Write, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "spec.yaml").write_text(write(f"{TINY}train: {{batch_size: 8, micro_batches: 2}}").read_text())
    device = this_device()
    record = {
        "device": {**device._asdict(), "jaxlib": list(device.jaxlib)},
        "options": device.options,
        "choices": choices_to_plain({POINT: Choice("product", "library", "library")}),
    }
    (run / "run.json").write_text("{}")
    (run / "lowerings.json").write_text(json.dumps(record))
    assert main(["tune", str(run), "--explain", "--mode", "train", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sources"] == {"recorded": 3, "tuned": 0, "rule": 0, "library": 2}
    own = [row for row in found["operations"] if row["path"] == "point"]
    assert [row["candidate"] for row in own] == ["product", "library", "library"]
    assert "batches of 4:" in found["notes"][0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--explain", "--again"], "no use for `--again`"),
        (["--explain", "--seconds", "60"], "no use for `--seconds`"),
        (["--batch", "3"], "a batch of 3 has no 2 equal `micro_batches`"),
        (["--set", "train.batch_size=nine"], "batch_size"),
        (["--input", "2x2", "--batch", "2"], "first"),
    ],
)
def test_wrong_input_is_told(write: Write, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    spec = write(f"{TINY}train: {{batch_size: 8, micro_batches: 2}}")
    assert main(["tune", str(spec), *words]) == 1
    assert said in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_told(
    write: Write, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(timing, "compared", lambda case, direction, names, *_, **__: dict.fromkeys(names, 1.0))
    assert main(["tune", str(write(TINY)), "--mode", "eval"]) == 1
    assert "error[" in capsys.readouterr().err
