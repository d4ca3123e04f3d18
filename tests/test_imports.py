"""What runs without JAX, and how fast it starts is measured in benchmarks/."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.folders import make_run

HEAVY = ("jax", "jaxlib", "numpy", "flax", "optax", "orbax", "grain", "matplotlib", "PIL", "rich", "tensorboardX")
RUNS = "{runs}"
"""Stands for a folder with runs."""
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
        ["report", "resnet152", "--memory", "16GiB", "--depth", "2", "--columns", "all"],
        ["report", "resnet50", "--convention", "timm", "--format", "latex"],
        ["schema"],
        ["layers"],
        ["layers", "conv"],
        ["zoo"],
        ["zoo", "--sort", "top1", "--format", "csv"],
        ["compare", "lenet5", "lenet1"],
        ["compare", "lenet5", "lenet1", "alexnet", "--format", "latex"],
        ["diff", "lenet5", "lenet1"],
        ["diff", "lenet5", "lenet1", "--format", "markdown"],
        ["diff", "HEAD", str(ZOO), "--format", "json"],
        ["roofline", "lenet5", "--device", "a100", "--mode", "train", "--devices", "8", "--batch", "64"],
        ["roofline", "--list"],
        ["runs", RUNS],
        ["runs", RUNS, "--sort", "best", "--format", "json"],
        ["runs", RUNS, "--html", "/dev/null"],
        ["plan", "resnet50", "--device", "h200", "--devices", "64", "--batch", "8192"],
        ["explain", "E301", "w301", "E505"],
    ],
)
def test_commands_that_only_read_load_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    if RUNS in command:
        make_run(tmp_path / "a")
        make_run(tmp_path / "b", rate="0.2", figure=False)
        command = [str(tmp_path) if word == RUNS else word for word in command]
    code = f"from archspec.cli import main\nassert main({command!r}) == 0"
    assert loaded_by(code) == set()


def test_a_plain_spec_does_not_pay_for_faults_nor_for_what_it_has_not() -> None:
    unused = [
        f"archspec.spec.{name}" for name in ("defining", "extending", "importing", "inputs", "overrides", "setting")
    ]
    unused += [f"archspec.spec.{name}" for name in ("hints", "other_names", "refusals", "unknown")]
    unused += ["archspec.spec.mending", "archspec.spec.rewriting", "archspec.elaborate.ways", "archspec.edits"]
    unused += ["archspec.mending", "archspec.rendering", "archspec.spelling"]
    code = f"from archspec.cli import main\nassert main(['validate', {str(ZOO)!r}]) == 0"
    loaded_by(code + f"\nassert not [name for name in {unused!r} if name in sys.modules]")


def test_a_report_loads_nothing_of_what_loads_data_nor_of_other_formats() -> None:
    unused = [f"archspec.data.{name}" for name in ("_class_folders", "_columns", "_index", "_reading", "_split")]
    unused += ["archspec.images.files", "archspec.reports.json", "csv", "html", "json", "shutil", "importlib.metadata"]
    code = "from archspec.cli import main\nassert main(['report', 'resnet152']) == 0"
    # The recipe's dataset is one that reads image files.
    code += "\nassert 'archspec.data.image_folder' in sys.modules"
    loaded_by(
        code.replace("from", "before = set(sys.modules)\nfrom", 1)
        + f"""
known = sorted(set({unused!r}) & (set(sys.modules) - before))
assert not known, known"""
    )


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "/no/run", "a.png"],
        ["explain", "/no/run", "a.png"],
        ["eval", "/no/run"],
        ["train", "lenet5", "--set", "train.dataset.npz=/no/x.npz"],
        ["train", "lenet5", "--set", "train.dataset.image_folder=/no/folder"],
    ],
)
def test_paths_that_lead_nowhere_are_told_of_before_anything_heavy_is_loaded(command: list[str]) -> None:
    code = f"from archspec.cli import main\nassert main({command!r}) == 1"
    assert loaded_by(code) == set()


def test_a_report_of_a_large_network_needs_little_memory() -> None:
    """torchinfo takes 588 MB for the same network."""
    # The process is started by one without memory of its own: a fork's peak counts as the child's.
    code = "from archspec.cli import main\nmain(['report', 'resnet152'])"
    script = f"""import os, subprocess, sys
process = subprocess.Popen([sys.executable, "-c", {code!r}], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(status, usage.ru_maxrss)"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    status, peak = map(int, run.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024
    assert status == 0 and peak * unit < 80 * 2**20


def test_the_python_api_loads_nothing_heavy_before_build() -> None:
    assert loaded_by("import archspec\nstr(archspec.report(archspec.load('lenet5').graph()))") == set()


def test_serving_loads_nothing_heavy() -> None:
    made = "spec_served('lenet5', [], mode='eval', batch=1, strict=False)"
    code = f"from archspec.serving import Server, spec_served\nserved = {made}\nassert served.refresh()\nServer(served)"
    assert loaded_by(code) == set()


def test_this_check_can_fail() -> None:
    assert "numpy" in loaded_by("import numpy")
