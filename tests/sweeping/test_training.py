"""Sweeps whose trials are real runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.cli import main
from archspec.training.run import train
from tests.sweeping.test_sweep import best_of, kill, names

SPEC = """archspec: 1
name: stripes
input: {height: 8, width: 8, channels: 1}
args: {width: 4}
layers:
  - conv: {filters: $(width), kernel: 3, stride: 2, pad: same}
  - relu
  - flatten
  - dense: 3
train:
  dataset: {npz: stripes.npz}
  validation: 0.3
  batch_size: 16
  epochs: 4
  optimiser: {sgd: 0.1}
  save_minutes: 0.001
"""
RATES = "train.optimiser.sgd.learning_rate=0.3,0.1,0.01"
SIX = ("--set", "args.width=2,4", "--set", RATES)


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec whose samples are told apart by the row of a stripe, in much noise."""
    folder = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 240)
    images = rng.normal(0.3, 0.15, (240, 8, 8, 1))
    images[np.arange(240), labels * 2] += 0.2
    images = np.clip(images, 0, 1).astype(np.float32)
    data = {"x_train": images[:160], "y_train": labels[:160], "x_test": images[160:], "y_test": labels[160:]}
    np.savez(folder / "stripes.npz", **data)  # type: ignore[arg-type]
    (folder / "stripes.yaml").write_text(SPEC)
    return folder / "stripes.yaml"


def started(spec: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "archspec.cli", "sweep", str(spec), "--workdir", str(folder), *SIX],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_run_that_stops_within_its_schedule_goes_on_to_the_same_end(stripes: Path, tmp_path: Path) -> None:
    """Bit by bit, and with the learning rates of the whole schedule."""
    spec = archspec.load(stripes)
    whole = train(spec, tmp_path / "whole", progress=False)
    for until, epochs in ((3, 3), (2, 3)):
        part = train(spec, tmp_path / "parts", progress=False, until=until)
        assert [record["epoch"] for record in part.metrics] == [*range(1, epochs + 1)] and part.test is None
        assert not (tmp_path / "parts" / "result.json").exists()
        assert (tmp_path / "parts" / "checkpoints" / str(epochs * 7)).is_dir()
    parts = train(spec, tmp_path / "parts", progress=False)
    assert parts.test == whole.test and parts.metrics == whole.metrics
    assert all(np.array_equal(parts.params[name], value) for name, value in whole.params.items())


@pytest.mark.slow
@pytest.mark.usefixtures("plugins_forgotten")
def test_a_loss_that_is_not_finite_and_a_plugin_that_fails(stripes: Path, tmp_path: Path) -> None:
    folder, plugin = tmp_path / "s", tmp_path / "odd.py"
    plugin.write_text(
        "import archspec\n\n\nclass Odd(archspec.Layer):\n    def infer(self, x):\n        return x\n\n"
        "    def build(self, inputs, rngs):\n        raise RuntimeError('odd by design')\n"
    )
    base = stripes.read_text().replace("  - relu\n", "  - $(act)\n").replace("{width: 4}", "{width: 4, act: relu}")
    spec = stripes.with_name("odd.yaml")
    spec.write_text(base)
    rates = "train.optimiser.sgd.learning_rate=0.1,1e30"
    words = ["sweep", str(spec), "--set", "args.act=relu,odd", "--set", rates, "--workdir", str(folder)]
    assert main([*words, "--plugin", str(plugin)]) == 1
    found = [json.loads(path.read_text()) for path in sorted((folder / "trials").glob("*.trial.json"))]
    assert [own.get("failed", {}).get("code") for own in found][:2] == [None, "E520"]
    assert "odd by design" in found[2]["failed"]["message"] and "odd by design" in found[3]["failed"]["message"]
    assert main(["runs", str(folder)]) == 0


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint(stripes: Path, tmp_path: Path) -> None:
    process = started(stripes, tmp_path / "s")
    while not list(tmp_path.glob("s/trials/*/checkpoints/[0-9]*")):
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in out and "Traceback" not in out
    said = "".join(path.read_text() for path in (tmp_path / "s" / "trials").glob("*.txt"))
    assert "Traceback" not in said and not list((tmp_path / "s" / "claims").iterdir())


@pytest.mark.minutes
@pytest.mark.parametrize("at_once", [1, 2])
def test_trials_that_are_killed_with_their_sweep_end_with_the_same_bits(
    stripes: Path, tmp_path: Path, at_once: int
) -> None:
    """Killed twice, by one process or by two at once: six finished trials, and the best is the same."""
    whole = started(stripes, tmp_path / "whole")
    out, _ = whole.communicate()
    assert whole.returncode == 0, out
    folder = tmp_path / "killed"
    for kills in range(2):
        processes = [started(stripes, folder) for _ in range(at_once)]
        wanted = 2 * kills + 2  # in the middle of a trial, further on each time
        while len(list(folder.glob("trials/*/checkpoints"))) < wanted:
            time.sleep(0.05)
            assert all(process.poll() is None for process in processes)
        time.sleep(0.3 * kills)
        kill(processes)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/result.json")}
    processes = [started(stripes, folder) for _ in range(at_once)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * at_once, said
    assert {best_of(text) for text in said} == {best_of(out)}
    assert names(folder) == names(tmp_path / "whole") and len(names(folder)) == 6
    assert len(list(folder.glob("trials/*/result.json"))) == 6
    assert before and all(path.stat().st_mtime_ns == at for path, at in before.items())  # none was done again
    for name in names(folder):
        pair = [(at / "trials" / name / "metrics.jsonl").read_bytes() for at in (folder, tmp_path / "whole")]
        assert pair[0] == pair[1]


@pytest.mark.slow
def test_optuna_proposes(stripes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed: pip install 'archspec-jax[optuna]'")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    words = ["sweep", str(stripes), "--set", "train.optimiser.sgd.learning_rate=1e-4..1.0", "--set", "args.width=2..6"]
    words += ["--search", "tpe", "--trials", "2", "--workdir", str(tmp_path / "s"), "--set", "train.epochs=1"]
    assert main(words) == 0
    _, err = capsys.readouterr()
    assert "2 trials: 2 finished, 0 failed" in err
    assert main([*words[:-5], "3", *words[-4:]]) == 0  # one more
    _, err = capsys.readouterr()
    assert "3 trials: 3 finished" in err and len(re.findall(r"^trial \d+ of", err, re.M)) == 1
