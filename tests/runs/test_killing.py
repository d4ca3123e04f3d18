"""The kill test of benchmarks/killing.py, with fewer kills."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "kills"), [pytest.param(0, 3, marks=pytest.mark.minutes), (2, 2)])
def test_a_run_that_is_killed_ends_with_the_same_bits_and_order(workers: int, kills: int) -> None:
    command = [sys.executable, "benchmarks/killing.py", str(kills), "--workers", str(workers), "--epochs", "5"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert ended.stdout.endswith("everything is equal\n")
