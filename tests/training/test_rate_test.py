"""The learning-rate range test: what it suggests of known curves, and a short run of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.loading import load
from archspec.training import scaling
from archspec.training.rate_test import rate_test, suggested
from archspec.training.run import train

Write = Callable[..., Path]
RATES = np.geomspace(1e-7, 10, 100)


def losses(noise: float = 0.0) -> list[float]:
    """A fall around 10^-3, which is steepest there, and a rise from 10^-1 on; by a logistic and an exponential."""
    place = np.log10(RATES)
    made = 2.3 - 1.5 / (1 + np.exp(-4 * (place + 3))) + np.exp(3 * (place + 0.5))
    return (made + noise * np.random.default_rng(0).normal(size=100)).tolist()


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_steepest_fall_and_the_least_are_found(noise: float) -> None:
    known = losses(noise)
    found = suggested(RATES.tolist(), known, "")
    assert found.steepest == pytest.approx(1e-3, rel=0.3 if not noise else 0.8)
    assert found.tenth == pytest.approx(RATES[int(np.argmin(losses()))] / 10, rel=0.3 if not noise else 1.5)
    assert len(found.smoothed) == 100


def test_what_falls_nowhere_suggests_nothing() -> None:
    rng = np.random.default_rng(1)
    flat = suggested(RATES.tolist(), (2.3 + 0.01 * rng.normal(size=100)).tolist(), "")
    assert flat.steepest is None and flat.tenth is None
    rising = suggested(RATES.tolist(), np.linspace(1, 9, 100).tolist(), "")
    assert rising.steepest is None
    assert suggested([1e-7] * 3, [1.0, float("nan"), float("nan")], "").steepest is None


NET = """
input: {{features: 6}}
layers: [dense: {{units: 8}}, relu, dense: {{units: 3}}]
train: {{dataset: {{npz: {}}}, batch_size: 16, optimiser: sgd, schedule: cosine, precision: bfloat16}}
"""


def test_the_command_suggests_stops_and_leaves_nothing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 6)).astype(np.float32)
    np.savez("data.npz", x_train=x, y_train=x[:, :3].argmax(1), x_test=x[:9], y_test=x[:9, :3].argmax(1))
    spec = write(NET.format(tmp_path / "data.npz").replace("sgd,", "{sgd: {learning_rate: 0.1}},"))
    before = set(tmp_path.rglob("*"))
    status = main(["lr-find", str(spec), "--from", "1e-5", "--to", "1e4", "--steps", "60", "--json", "--plot", "l.png"])
    found = json.loads(capsys.readouterr().out)
    assert status == 0 and set(tmp_path.rglob("*")) - before == {tmp_path / "l.png"}
    assert Image.open("l.png").size[0] > 500
    # 120 samples are not enough for 60 steps: epochs follow one another.
    assert found["rates"] == pytest.approx(np.geomspace(1e-5, 1e4, 60)[: len(found["rates"])], rel=1e-4)
    assert 20 < len(found["losses"]) < 60 and "ran away" in found["ended"]
    assert 1e-3 < found["steepest"] < 10 and found["learning_rate"] == 0.1
    assert main(["lr-find", str(spec), "--from", "1", "--to", "0.1"]) == 2
    assert "rates rise from --from to --to" in capsys.readouterr().err


@pytest.mark.slow
def test_rates_are_those_of_the_steps_that_were_made(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of float16 that is skipped has no place in the schedule; here the scale begins far too high."""
    monkeypatch.setattr(scaling, "FIRST", 2.0**22)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 6)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=x[:, :3].argmax(1), x_test=x[:9], y_test=x[:9, :3].argmax(1))
    text = NET.format(tmp_path / "data.npz").replace("bfloat16", "float16, epochs: 4").replace("cosine", "linear")
    spec = load(write(text.replace("sgd,", "{sgd: {learning_rate: 0.1}},")))
    found = rate_test(spec, lowest=1e-4, highest=1e-2, steps=12, progress=False)
    assert found.ended == "all rates were tried"
    np.testing.assert_allclose(found.rates, np.geomspace(1e-4, 1e-2, 12), rtol=1e-4)
    records = train(spec, tmp_path / "run", progress=False).metrics
    assert records[0]["skipped_steps"] == 3 and records[-1]["skipped_steps"] > 3
    for record in records:
        made = record["step"] - record["skipped_steps"]
        assert record["learning_rate"] == pytest.approx(0.1 * (1 - max(0, made - 1) / 11), rel=1e-5)
