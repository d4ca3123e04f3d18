"""`minimum.txt` has the least version of each dependency that pyproject.toml declares; CI runs the tests with these."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_minimum_versions_are_the_declared_ones() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    least = [re.fullmatch(r"([\w-]+)>=([\d.]+)(,<[\d.]+)?", item) for item in declared]
    assert None not in least, "a dependency without a least version"
    lines = [f"{found[1]}=={found[2]}" for found in least if found]
    assert (ROOT / "tests" / "minimum.txt").read_text("utf-8").splitlines() == lines
