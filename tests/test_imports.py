"""What runs without JAX, and how fast it starts is measured in benchmarks/."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("jax", "jaxlib", "numpy", "flax", "optax", "orbax", "grain", "matplotlib", "PIL", "rich", "tensorboardX")
ZOO = Path(__file__).parent.parent / "specs" / "zoo" / "lenet.yaml"


def loaded_by(code: str) -> set[str]:
    """The heavy modules that a fresh process has after running the code."""
    script = f"import sys, json\n{code}\nprint('\\n' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "command",
    [
        ["validate", str(ZOO)],
        ["report", "lenet5"],
        ["show", "lenet5"],
        ["report", "lenet5", "--format", "json"],
        ["report", "lenet5", "--html", "/dev/null"],
        ["schema"],
        ["layers"],
        ["layers", "conv"],
        ["zoo"],
    ],
)
def test_commands_that_only_read_load_nothing_heavy(command: list[str]) -> None:
    code = f"from archspec.cli import main\nassert main({command!r}) == 0"
    assert loaded_by(code) == set()


def test_the_python_api_loads_nothing_heavy_before_build() -> None:
    assert loaded_by("import archspec\nstr(archspec.report(archspec.load('lenet5').graph()))") == set()


def test_serving_loads_nothing_heavy() -> None:
    made = "spec_served('lenet5', [], mode='eval', batch=1, strict=False)"
    code = f"from archspec.serving import Server, spec_served\nserved = {made}\nassert served.refresh()\nServer(served)"
    assert loaded_by(code) == set()


def test_this_check_can_fail() -> None:
    assert "numpy" in loaded_by("import numpy")
