"""`archspec bench` on a tiny network: figures that belong together, layers, a profile with node paths."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.bench.clock import quartiles, ratio
from archspec.bench.peaks import known_device
from archspec.cli import main
from archspec.figures.cost import training_flops
from archspec.loading import load

TINY = """
input: {height: 8, width: 8, channels: 3}
layers:
  - conv: {name: first, filters: 4, kernel: 3}
  - batch_norm: {name: bn}
  - relu: {name: act}
  - flatten
  - dense: {name: fc, units: 3}
"""


@pytest.mark.slow
def test_figures_layers_and_a_profile(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec, folder = write(f"{TINY}train: {{ema: 0.9}}\n"), tmp_path / "profile"
    words = ["bench", str(spec), "--mode", "train", "--batch", "4", "--steps", "2", "--layers", "--format", "json"]
    assert main([*words, "--profile", str(folder)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["flops"] == 4 * training_flops(load(spec).graph())
    assert found["samples_per_second"] * found["seconds"] == pytest.approx(4)
    assert found["flops_per_second"] * found["seconds"] == pytest.approx(found["flops"])
    assert found["passes"] == "nothing in training" and found["kept_by"] == "averages of the weights"
    assert found["steps_per_block"] == 2 and len(found["blocks"]) == 7
    rows = {row["layer"]: row for row in found["layers"]}
    assert list(rows) == ["first", "bn", "act", "flatten1", "fc"]
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)
    assert all(row["seconds"] == row["forward_seconds"] + row["backward_seconds"] > 0 for row in rows.values())
    (trace,) = folder.rglob("perfetto_trace.json.gz")
    text = gzip.decompress(trace.read_bytes()).decode()
    assert "jvp(first)" in text and "transpose(jvp(fc))" in text


def test_what_cannot_be_measured_is_told(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(write(TINY)), "--against", "flax"]) == 1
    said = capsys.readouterr().err
    assert "written by hand" in said and "lenet5" in said and "segnet_basic" in said


def test_ratios_are_of_blocks_that_follow_one_another() -> None:
    assert ratio([2.0, 3.0, 8.0], [1.0, 2.0, 2.0]) == (2.0, 1.5, 4.0)
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("cpu", None),
    ],
)
def test_devices_are_known_by_what_their_drivers_call_them(kind: str, name: str | None) -> None:
    found = known_device(kind)
    assert (found and found.name) == name
