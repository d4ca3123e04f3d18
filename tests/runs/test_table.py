"""Runs side by side: what their files say, in whatever state they are."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec import table_of_runs
from archspec.cli import main
from archspec.diagnostics import Findings, SpecError
from archspec.runs import rows
from archspec.runs.changes import leaves
from archspec.source import read_text
from tests.effort import growth
from tests.runs.folders import make_run


def printed(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    assert main(["runs", *words]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_settings_that_differ_stand_beside_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "a", rate="0.1")
    make_run(tmp_path / "b", [0.6, 0.7, 0.95], rate="0.03", filters=16)
    make_run(tmp_path / "deep" / "er" / "c", [0.2, 0.3], rate="0.03", finished=False)
    out, _ = printed(capsys, str(tmp_path), "--format", "csv")
    found = list(csv.DictReader(io.StringIO(out)))
    assert [row["run"] for row in found] == ["a", "b", "deep/er/c"]
    assert [row["train.optimiser.sgd.learning_rate"] for row in found] == ["0.1", "0.03", "0.03"]
    assert [row["layers.conv1.filters"] for row in found] == ["8", "16", "8"]
    assert [row["state"] for row in found] == ["finished", "finished", "stopped"]
    assert [row["best"] for row in found] == ["0.9", "0.95", "0.3"]
    assert [row["best_epoch"] for row in found] == ["2", "3", "2"]
    assert [(row["epochs"], row["planned"]) for row in found] == [("3", "3"), ("3", "3"), ("2", "3")]
    # Figures are those of the state that the run ends with, the last: 2 − 0.8.
    assert [row["validation.loss"] for row in found] == ["1.2", "1.05", "1.7"]
    assert [row["seconds"] for row in found] == ["4.5", "4.5", "3.0"]
    size = sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    assert found[0]["size"] == str(size)
    assert "train.seed" not in found[0] and "train.epochs" not in found[0]


def test_runs_are_sorted_best_first_and_filtered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index, (rate, value) in enumerate([("0.1", 0.7), ("0.03", 0.9), ("0.01", 0.8), ("0.003", 0.6)]):
        make_run(tmp_path / f"run-{index + 8}", [value], rate=rate, finished=index != 3)

    def names(*words: str) -> list[str]:
        out, _ = printed(capsys, str(tmp_path), "--format", "csv", "--columns", "run", *words)
        return out.split()[1:]

    assert names() == ["run-8", "run-9", "run-10", "run-11"]  # as people count
    assert names("--sort", "best") == ["run-9", "run-10", "run-8", "run-11"]
    assert names("--sort", "best:asc") == ["run-11", "run-8", "run-10", "run-9"]
    assert names("--sort", "validation.loss") == ["run-9", "run-10", "run-8", "run-11"]
    assert names("--sort", "learning_rate") == ["run-11", "run-10", "run-9", "run-8"]
    assert names("--filter", "learning_rate<0.1", "--filter", "state=finished") == ["run-9", "run-10"]
    assert names("--filter", "learning_rate=0.030") == ["run-9"]
    assert names("--filter", "run=run-1?") == ["run-10", "run-11"]
    assert names("--filter", "seed=0", "--filter", "state!=finished") == ["run-11"]  # the same in all runs
    _, said = printed(capsys, str(tmp_path), "--filter", "learning_rate>5", status=1)
    assert "no run below" in said and "--filter" in said
    _, said = printed(capsys, str(tmp_path), "--sort", "learning_rat", status=1)
    assert "error[E113]: there is no column 'learning_rat'" in said and "learning_rate" in said
    _, said = printed(capsys, str(tmp_path), "--filter", "batch_siz=8", status=1)  # the same in all runs
    assert "did you mean `batch_size`" in said
    _, said = printed(capsys, str(tmp_path), "--columns", "run,loss", status=1)
    assert "train.loss and validation.loss" in said
    _, said = printed(capsys, str(tmp_path), "--filter", "state>finished", status=1)
    assert "compares numbers" in said


def test_several_kinds_of_optimisers_share_columns(tmp_path: Path) -> None:
    make_run(tmp_path / "a", optimiser="sgd", rate="0.1")
    make_run(tmp_path / "b", optimiser="adam", rate="0.001")
    table = table_of_runs(tmp_path)
    assert [column.head for column in table.columns[1:3]] == ["optimiser", "learning_rate"]
    assert [[column.value(row) for column in table.columns[1:3]] for row in table.rows] == [
        ["sgd", 0.1],
        ["adam", 0.001],
    ]


def test_states_follow_from_files_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here, now = socket.gethostname(), time.strftime("%Y-%m-%d %H:%M:%S")
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    alive = {"process": os.getpid(), "host": here, "since": now}
    make_run(tmp_path / "running", finished=False, marker=alive)
    make_run(tmp_path / "killed", finished=False, marker={**alive, "process": process.pid})
    # The number of the process is another one's by now, which began later.
    make_run(tmp_path / "reused", finished=False, marker={**alive, "since": "2020-01-01 00:00:00"})
    make_run(tmp_path / "copied", finished=False, marker={**alive, "host": f"{here}-2"})
    make_run(tmp_path / "done", marker=alive)
    failed = make_run(tmp_path / "failed", finished=False, marker={**alive, "process": process.pid})
    about = json.loads((failed / "run.json").read_text())
    (failed / "run.json").write_text(json.dumps({**about, "failed": {"code": "E520", "message": "the loss is NaN"}}))
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    table = table_of_runs(tmp_path)
    assert {row.name: row.state for row in table.rows} == {
        "running": "running",
        "killed": "stopped",
        "reused": "stopped",
        "copied": "elsewhere",
        "done": "finished",
        "failed": "failed",
    }
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before  # no lock, no probe
    out, _ = printed(capsys, str(tmp_path))
    assert (
        "1 run: written last on another host, where it may still run" in out and "failed failed: the loss is NaN" in out
    )


def test_folders_that_are_written_copied_or_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = make_run(tmp_path / "half", finished=False)
    with (half / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "step": 40, "trai')
    (half / "run.json").write_text('{"archspec": "0.1')
    (half / "times.jsonl").unlink()
    no_spec = make_run(tmp_path / "nospec")
    (no_spec / "spec.yaml").write_bytes(b"\xff\xfe\x00 {")
    for name in ("metrics.jsonl", "result.json", "run.json"):
        (no_spec / name).write_bytes(b"\x00\x01{{{")
    mid = make_run(tmp_path / "middle")
    lines = (mid / "metrics.jsonl").read_text().splitlines()
    (mid / "metrics.jsonl").write_text("\n".join([lines[0], "###", lines[2]]) + "\n")
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / ".archspec").write_text(json.dumps({"purpose": "run", "process": os.getpid(), "host": "elsewhere"}))
    (begun / "spec.yaml").write_text("archspec: [unclosed")
    (tmp_path / "old" / "spec.yaml").parent.mkdir()
    old = make_run(tmp_path / "older", figure=False)  # of before run.json said the figure
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "spec.yaml").write_text("not: a run")
    (tmp_path / "link").symlink_to(old)
    out, err = printed(capsys, str(tmp_path))
    lines = out.splitlines()
    shown = {
        line.split()[0]: line for line in lines[2:] if line.split()[:1] and line.split()[0] in os.listdir(tmp_path)
    }
    assert set(shown) == {"half", "nospec", "middle", "begun", "older"} and not err
    assert "stopped" in shown["half"] and " 0.9 " in shown["half"]  # top1 is known to be better where it is higher
    assert "damaged" in shown["nospec"] and "damaged" in shown["begun"] and " 0.9 " in shown["older"]
    assert "1 of 3 lines cannot be read and are left out" in out
    assert "result.json cannot be read" in out
    assert "2 runs: without a spec that can be read" in out
    for format in ("json", "csv", "markdown", "latex"):
        printed(capsys, str(tmp_path), "--format", format)
    (no_spec / "result.json").unlink()
    shutil.rmtree(half)
    assert len(table_of_runs(tmp_path)) == 4


def test_where_there_are_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = printed(capsys, str(tmp_path), status=1)
    assert "error[E512]: there is no run below" in said
    _, said = printed(capsys, str(tmp_path / "no"), status=1)
    assert "error[E512]" in said and "is not there" in said
    with pytest.raises(SpecError):
        table_of_runs(tmp_path / "no")
    run = make_run(tmp_path / "one")
    assert [row.name for row in table_of_runs(run).rows] == ["one"]  # a run itself
    assert [row.name for row in table_of_runs(run, tmp_path).rows] == [str(run)]  # once
    _, said = printed(capsys, str(tmp_path), "--plot", str(tmp_path / "x.gif"), status=1)
    assert "names no format for a picture" in said
    _, said = printed(capsys, str(tmp_path), "--plot", str(tmp_path / "x.png"), "--metric", "top5", status=1)
    assert "no run has records of 'top5'" in said
    _, said = printed(capsys, str(tmp_path), "--metric", "top1", status=1)
    assert "give --plot FILE too" in said


def test_a_notebook_shows_the_table(tmp_path: Path) -> None:
    make_run(tmp_path / "<b>", rate="0.1")
    make_run(tmp_path / "b", rate="0.2")
    table = table_of_runs(tmp_path, sort="best", columns=["run", "learning_rate"])
    shown = table._repr_html_()
    assert "&lt;b&gt;" in shown and "<b>" not in shown and "0.2" in shown
    assert str(table).split()[:2] == ["run", "learning_rate"]


ODD = """archspec: 1
name: odd
notes: |
  two lines
  conv: 3
title: 'of 3, 4 and "5"'
layers:
  - conv: {name: c1, kernel: [3, -1.5e-3], text: 'a 1, [2, 3]'}
  - dense: {name: d 1, units: 007}
train:
  augment: [{random_crop: {pad: 4}}, {horizontal_flip: {probability: 0.5}}]
  rates: {'1, 2': 3}
  optimiser: {sgd: {learning_rate: 1.0e-02}}
"""
BY_NUMBER = """layers:
    - relu
    - conv: {filters: 6}
    - conv: {filters: 7, name: x}
"""


@pytest.mark.parametrize(
    "text", [ODD, BY_NUMBER, ODD.replace("\n", "\n\n"), "a: {b: 1}", "a:\n  b:\n    c: 1\n  d: 2\n"]
)
def test_lines_that_are_parsed_once_say_what_the_whole_says(text: str) -> None:
    """Specs that differ in numbers share what was parsed, and are still what YAML says."""
    texts = [text, text.replace("3", "8"), text.replace("1", "9"), text.replace("e-", "e+")]
    found = rows.flattened({Path(str(number)): own for number, own in enumerate(texts)})
    for number, own in enumerate(texts):
        value = read_text(own, "spec", Findings())
        assert value is not None
        assert found[Path(str(number))] == dict(leaves("", value.plain))


def test_work_grows_with_the_number_of_runs_and_no_faster(tmp_path: Path) -> None:
    """benchmarks/start.py times the command over 1,000 runs."""

    def made(count: int) -> Callable[[], object]:
        folder = tmp_path / str(count)
        for number in range(count):
            rate = f"{0.1 / (number + 1):.4g}"
            make_run(folder / f"run-{number}", rate=rate, seed=number % 5, filters=8 + number % 3)

        def run() -> None:
            table = table_of_runs(folder, sort="best")
            assert len(table) == count and len(str(table).splitlines()) >= count

        return run

    assert growth(made, 50, 400) < 10


@pytest.mark.parametrize("number", [3, 12, 60])
def test_curves_are_drawn_in_the_colours_of_a_setting(tmp_path: Path, number: int) -> None:
    from archspec.runs.plotting import colours_of, figure

    for index in range(number):
        values = [0.5, 0.6, 0.7 + index / 1000]
        make_run(
            tmp_path / f"a-long-name-of-a-run-{index}", values, rate=f"{0.1 * (index + 1):.3g}", filters=8 + index % 3
        )
    table = table_of_runs(tmp_path)
    made, said = figure(table)
    assert not said
    axes, *bar = made.axes
    assert len([line for line in axes.lines if len(line.get_xdata()) == 3]) == number  # type: ignore[arg-type]
    legend = made.legends[0]
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ([row.name for row in table.rows] if number == 3 else ["8", "9", "10"]) and not bar
    box, inner = legend.get_window_extent(), axes.get_window_extent()
    assert box.x0 >= inner.x1 and box.x1 <= made.bbox.x1 and box.y0 >= made.bbox.y0  # over no curve, and not cut off
    if number == 60:
        by_rate = colours_of(table, list(table.rows), "learning_rate")
        assert by_rate.bounds == (0.1, 6.0) and by_rate.logarithmic
        _, coloured = figure(table, colour="learning_rate")[0].axes
        tight = coloured.get_tightbbox()
        assert tight is not None and tight.x1 <= made.bbox.x1
