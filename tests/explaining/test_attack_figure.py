"""The figures of docs/explain.md under attack are those of LeNet-5, trained and attacked as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.inference.run import Run
from archspec.loading import open_spec
from archspec.spec.overrides import python_override
from archspec.training.run import train

DOCS = Path(__file__).parents[2] / "docs" / "explain.md"


@pytest.mark.minutes
def test_one_step_takes_lenet5_under_30_percent(tmp_path: Path) -> None:
    """≥ 97.5 % before and < 30 % after; processors round otherwise, so a run elsewhere ends at other weights."""
    spec = open_spec("lenet5", [python_override(("train", "seed"), 1)])
    run = Run(train(spec, tmp_path / "run", progress=False).folder)
    found = run.evaluate(attack="fgsm", epsilon=0.25)
    clean, under = found["top1"], found["attack"]["top1"]
    assert clean >= 0.975 and under < 0.30
    said = re.search(r"held out, under FGSM, ε 0\.25: loss \S+  top-1 (\S+) %", DOCS.read_text("utf-8"))
    assert said is not None and abs(float(said[1]) / 100 - under) < 0.1
