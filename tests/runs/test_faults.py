"""Kills and full disks at operations on files; `python -m tests.runs.faults` has the long round."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SHORT = """
import sys, tempfile
from pathlib import Path
from tests.runs.faults import at_operations, ground, kill, no_space, preload
preload()
with tempfile.TemporaryDirectory() as place:
    made = ground(Path(place), 1)
    for name in sys.argv[1].split():
        for fault in (kill, no_space):
            for at in sys.argv[2].split():
                print("\\n".join(at_operations(made, name, [int(at)], fault)), end="")
"""


def rounds(names: str, points: str) -> str:
    """What went wrong. In a process of its own, which forks before JAX has started anything."""
    command = [sys.executable, "-c", SHORT, names, points]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.mark.slow
def test_an_import_that_is_cut_off_is_made_again() -> None:
    assert rounds("import", "0 3 9 17 25") == ""


@pytest.mark.slow
def test_a_run_that_is_cut_off_goes_on() -> None:
    assert rounds("train", "2 30 70 120") == ""
