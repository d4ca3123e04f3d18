"""Sweeps from the command line: checked before the first trial, killed and gone on with, alone and by several."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import archspec
from archspec.cli import main
from archspec.diagnostics import SpecError
from archspec.sweeping import trials, working
from tests.sweeping.acting import EPOCHS, figure

TINY = """archspec: 1
name: tiny
input: {height: 8, width: 8, channels: 1}
args: {width: 2}
layers:
  - conv: {filters: $(width), kernel: 3, stride: 2, pad: same}
  - relu
  - flatten
  - dense: 10
train: {dataset: mnist5k, epochs: %d}
"""
ACTING = [sys.executable, "-m", "tests.sweeping.acting"]
TWELVE = ("--set", "args.width=2,3,4,5", "--set", "train.seed=1,2,3")


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY % EPOCHS)
    return str(path)


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials are run by the stand-in."""
    monkeypatch.setattr(trials, "CHILD", ACTING)
    monkeypatch.setattr(working, "PAUSE", 0.02)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "trials").iterdir() if path.is_dir())


def best_of(out: str) -> str:
    found = re.search(r"^best +\S*/(\S+),", out, re.M)
    assert found is not None
    return found[1]


def started(spec: str, folder: Path, *words: str, seconds: float = 0.01) -> subprocess.Popen[str]:
    code = (
        "import sys\nfrom archspec.sweeping import trials, working\n"
        f"trials.CHILD, working.PAUSE = {ACTING!r}, 0.02\nfrom archspec.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "sweep", spec, "--workdir", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "SECONDS": str(seconds)},
    )


def kill(processes: Sequence[subprocess.Popen[str]]) -> None:
    """SIGKILL for all of them at once, with the trials that they run."""
    children = []
    for process in processes:
        tasks = Path(f"/proc/{process.pid}/task")
        for task in tasks.iterdir() if tasks.is_dir() else []:
            children += [int(own) for own in (task / "children").read_text().split()]
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for process in processes:
        process.communicate()


@pytest.mark.slow
def test_a_grid_is_tried_and_the_best_is_chosen(
    tmp_path: Path, tiny: str, acted: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, page = tmp_path / "sweep", tmp_path / "page.html"
    assert main(["sweep", tiny, *TWELVE, "--workdir", str(folder), "--html", str(page), "--jobs", "2"]) == 0
    out, err = capsys.readouterr()
    texts = {name: (folder / "trials" / f"{name}.yaml").read_text() for name in names(folder)}
    assert len(texts) == 12
    values = {name: figure(text, EPOCHS) for name, text in texts.items()}
    order = sorted(values, key=lambda name: -values[name])
    assert [line.split()[0] for line in out.splitlines()[2:14]] == order  # the best first
    assert best_of(err) == order[0] and f"{values[order[0]]:.4g}" in err
    assert (folder / "effects.png").read_bytes()[:4] == b"\x89PNG" and "data:image/png" in page.read_text()
    assert "held out" in out  # mnist5k without a validation part
    assert not list((folder / "claims").iterdir())
    log = (folder / "log").read_text()
    # Once more: nothing is trained, and the result is the same.
    assert main(["sweep", tiny, *TWELVE, "--workdir", str(folder)]) == 0
    assert best_of(capsys.readouterr().err) == order[0] and (folder / "log").read_text() == log
    # Somebody goes on with the worst one, and it gets better: what it was in the sweep counts.
    worst = folder / "trials" / order[-1]
    (worst / "spec.yaml").write_text(texts[order[-1]].replace("epochs: 6", "epochs: 7"))
    with (worst / "metrics.jsonl").open("a") as file:
        record = {"epoch": 7, "step": 7, "train": {"loss": 0}, "validation": {"loss": 0, "top1": 1.0}}
        file.write(json.dumps(record) + "\n")
    (worst / "result.json").write_text(json.dumps({"part": "validation", "step": 7, "epochs": 7}))
    assert main(["sweep", tiny, *TWELVE, "--workdir", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert best_of(err) == order[0] and "1 run went on after the sweep" in out
    assert [line.split()[0] for line in out.splitlines()[2:14]] == order
    # One value more: only what is new is trained.
    assert main(["sweep", tiny, *TWELVE[:3], "train.seed=1,2,3,4", "--workdir", str(folder)]) == 0
    assert len(names(folder)) == 16 and (folder / "log").read_text().count("finished") == 16
    found = archspec.sweep(tiny, {"args.width": [2, 3, 4, 5], "train.seed": [1, 2, 3]}, workdir=folder, progress=False)
    assert found.best is not None and found.best.name == order[0] and found.value == values[order[0]]
    assert order[0] in found._repr_html_() and [row.path.name for row in found.table.rows] == order


@pytest.mark.parametrize("at_once", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_sweep_that_is_killed_three_times_goes_on(tmp_path: Path, tiny: str, at_once: int) -> None:
    """It ends with twelve finished trials, none of which was finished twice, and with the best run of an undisturbed
    one."""
    whole = started(tiny, tmp_path / "whole", *TWELVE)
    out, _ = whole.communicate()
    assert whole.returncode == 0, out
    folder, rng = tmp_path / "killed", random.Random(at_once)
    for _ in range(3):
        processes = [started(tiny, folder, *TWELVE, seconds=0.03) for _ in range(at_once)]
        before = time.monotonic()
        begun = (folder / "log").read_text().count("\n") if (folder / "log").exists() else 0
        # Not before a trial has begun, else a kill tells nothing.
        while time.monotonic() - before < 120:
            if (folder / "log").exists() and (folder / "log").read_text().count("\n") > begun:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        kill(processes)
    finished = (folder / "log").read_text().count("finished")
    assert finished < 12
    processes = [started(tiny, folder, *TWELVE, seconds=0.03) for _ in range(at_once)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * at_once, said
    log = Counter(re.findall(r"(\S+) finished", (folder / "log").read_text()))
    assert len(names(folder)) == 12 == len(log) and set(log.values()) == {1}
    assert names(folder) == names(tmp_path / "whole")
    assert {best_of(text) for text in said} == {best_of(out)}
    for name in names(folder):
        pair = [(at / "trials" / name / "metrics.jsonl").read_bytes() for at in (folder, tmp_path / "whole")]
        assert pair[0] == pair[1]


@pytest.mark.slow
def test_several_processes_share_the_work(tmp_path: Path, tiny: str) -> None:
    processes = [started(tiny, tmp_path / "both", *TWELVE, seconds=0.1) for _ in range(2)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    log = (tmp_path / "both" / "log").read_text()
    assert log.count("finished") == 12 and log.count("from 0") == 12  # each begun once
    each = [text.count("after 6 epochs") for text in said]
    assert sum(each) == 12 and min(each) >= 2


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(tmp_path: Path, tiny: str) -> None:
    process = started(tiny, tmp_path / "s", *TWELVE, seconds=0.2)
    while not (tmp_path / "s" / "log").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and "the same command goes on" in out and "Traceback" not in out
    assert not list((tmp_path / "s" / "claims").iterdir())
    process = started(tiny, tmp_path / "s", *TWELVE)
    out, _ = process.communicate()
    assert process.returncode == 0 and len(names(tmp_path / "s")) == 12


@pytest.mark.parametrize("method", ["__init__", "poll"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_falls_into_nothing_that_it_would_break(
    tmp_path: Path,
    tiny: str,
    acted: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    number: signal.Signals,
) -> None:
    calls: list[str] = []
    before: Callable[..., object] = getattr(subprocess.Popen, method)

    def signalled(self: subprocess.Popen[bytes], *words: object, **names: object) -> object:
        answer = before(self, *words, **names)
        if not calls:
            calls.append("signalled")
            signal.raise_signal(number)
            calls.append("went on")
        return answer

    monkeypatch.setattr(subprocess.Popen, method, signalled)
    monkeypatch.setenv("SECONDS", "0.1")
    assert main(["sweep", tiny, *TWELVE, "--workdir", str(tmp_path / "s")]) == 128 + number
    assert calls == ["signalled", "went on"]
    assert "the same command goes on" in capsys.readouterr().err
    assert not list((tmp_path / "s" / "claims").iterdir())


def test_trials_that_fail_are_recorded_rank_last_and_are_not_tried_again(
    tmp_path: Path, tiny: str, acted: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", tiny, "--set", "train.seed=12,13,14,15", "--workdir", str(tmp_path / "s")]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert "4 trials: 2 finished, 2 failed" in err and "failed: the loss is not finite" in err
    assert "ended by SIGKILL, as the system does where memory runs out" in err
    assert [line.split()[0][:3] for line in out.splitlines()[2:6]][2:] == ["002", "003"]  # last, by their numbers
    assert main(words) == 1
    assert "trial 2" not in capsys.readouterr().err
    assert main([*words, "--retry"]) == 1
    assert "2 failed trials are tried again" in capsys.readouterr().err
    assert main(["runs", str(tmp_path / "s"), "--format", "json"]) == 0
    found = {row["run"]: row for row in json.loads(capsys.readouterr().out)["runs"]}
    assert sorted(row["state"] for row in found.values()) == ["failed", "failed", "finished", "finished"]
    assert sorted(row["settings"]["train.seed"] for row in found.values()) == [12, 13, 14, 15]


def test_halving_stops_the_worse_ones_early(
    tmp_path: Path, tiny: str, acted: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    words = ["sweep", tiny, "--set", "train.seed=20..99", "--search", "halving", "--trials", "9"]
    words += ["--workdir", str(folder)]
    assert main(words) == 0
    _, err = capsys.readouterr()
    texts = {name: (folder / "trials" / f"{name}.yaml").read_text() for name in names(folder)}
    assert len(texts) == 9
    epochs = {name: (folder / "trials" / name / "metrics.jsonl").read_text().count("\n") for name in texts}
    order = sorted(texts, key=lambda name: -figure(texts[name], 2))
    # ⌊log₃ min(9, 6)⌋ = 1: two rungs, of 2 and of 6 epochs, and a third goes on.
    assert [epochs[name] for name in order] == [6, 6, 6, *[2] * 6]
    assert best_of(err) == order[0] and "9 trials: 3 finished, 6 stopped early, 0 failed" in err
    assert main(words) == 0 and best_of(capsys.readouterr().err) == order[0]
    assert main([*words, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "9 trials to epoch 2, then 3 trials to the end"


def test_an_argument_without_a_default_may_be_tried(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(tiny).write_text((TINY % 1).replace("{width: 2}", "{width: }"))
    assert main(["sweep", tiny, "--set", "args.width=2,3", "--dry-run"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_is_wrong_is_told_before_the_first_trial(
    tmp_path: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"

    def refused(*words: str) -> str:
        assert main(["sweep", tiny, "--workdir", str(folder), *words]) == 1
        assert not folder.exists()
        return capsys.readouterr().err

    said = refused("--set", "args.width=2,0,3", "--set", "train.batch_size=8,-1")
    assert "so in 2 of 6 combinations: width=0 batch_size=8; width=0 batch_size=-1" in said
    assert "so in 3 of 6 combinations: width=2 batch_size=-1" in said and "--skip-invalid" in said
    assert "has no field `learning_rat`" in refused("--set", "train.optimiser.sgd.learning_rat=1,2")
    assert "is undone by" in refused("--set", "train.optimiser=sgd,adam", "--set", "train.optimiser.sgd.momentum=0,1")
    assert "nothing to try" in refused("--set", "train.epochs=3")
    assert "is a range" in refused("--set", "args.width=2..5")
    assert "does not end by itself" in refused("--set", "args.width=2..5", "--search", "random")
    assert "evaluate_every" in refused(
        "--set", "args.width=2,3,4", "--search", "halving", "--set", "train.evaluate_every=7"
    )
    assert main(["sweep", tiny, "--set", "args.width=2,0,3", "--skip-invalid", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "1 combination left out: E206" in err
    with pytest.raises(SpecError, match="E504"):
        archspec.sweep(archspec.load("lenet5"), {"train": [None, None]}, workdir=folder)


def test_combinations_that_come_to_the_same_spec_are_tried_once(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--set", "train.optimiser={sgd: 0.1},{sgd: {learning_rate: 0.1}}", "--set", "train.epochs=2,2"]
    assert main(["sweep", tiny, *words, "--set", "args.width=2,4", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "2 combinations come to the spec of another one" in err
    assert "train.epochs=2 is given twice" in err


def test_without_optuna_tpe_says_how_to_have_it(
    tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from archspec.sweeping import tpe

    monkeypatch.setattr(tpe, "find_spec", lambda name: None)
    assert main(["sweep", tiny, "--set", "args.width=2,3", "--search", "tpe", "--trials", "2"]) == 1
    assert "pip install 'archspec-jax[optuna]'" in capsys.readouterr().err
