"""Measured training steps beside what is predicted of them: benchmarks/predicted.json, made by the script beside it."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "predicted.py"
KEPT = json.loads(SCRIPT.with_suffix(".json").read_text())


def test_what_is_kept_is_what_is_predicted_now() -> None:
    """`python benchmarks/predicted.py --again` predicts anew."""
    now = runpy.run_path(str(SCRIPT))["again"](KEPT)
    for then, own in zip(KEPT["results"], now["results"], strict=True):
        assert own.pop("predicted_seconds") == pytest.approx(then["predicted_seconds"], rel=1e-9)
        assert own.items() <= then.items()


def test_no_step_is_faster_than_the_least_time() -> None:
    for row in KEPT["results"]:
        assert row["predicted_seconds"] < row["seconds"], (row["network"], row["precision"])


def test_the_page_has_the_table() -> None:
    made = runpy.run_path(str(SCRIPT))["table"](KEPT)
    assert made in (ROOT / "docs" / "speed.md").read_text()
