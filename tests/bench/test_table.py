"""README's table of networks, made from figures that are kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

README = Path(__file__).parents[2] / "README.md"
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "networks.py"


def test_the_table_has_medians_of_ratios(tmp_path: Path) -> None:
    """Of blocks that follow one another, of the clock that counts; a dash where a rival failed."""
    cpu = {"archspec": [0.1, 0.2, 0.4], "flax": [0.2, 0.2, 0.2], "eager": [0.1, 0.4, 0.4]}
    times: dict[str, Any] = {name: {"wall": [1.0, 1.0, 1.0], "cpu": blocks} for name, blocks in cpu.items()}
    alone = {"archspec": times["archspec"], "flax": {"error": "out of memory"}}
    about = {"network": "lenet5", "batch": 128, "size": [32, 28]}
    made = {
        "machine": {"processor": "A processor", "cores": 4},
        "cores": "one",
        "versions": {"archspec": {"device": "cpu", "jax": "1.2"}, "eager": {"torch": "3.4"}},
        "results": [{**about, "mode": "train", "times": times}, {**about, "mode": "eval", "times": alone}],
    }
    files = [tmp_path / "one.json", tmp_path / "all.json"]
    files[0].write_text(json.dumps(made))
    files[1].write_text(json.dumps({**made, "cores": "all"}))
    done = subprocess.run(
        [sys.executable, SCRIPT, "--table", *files], capture_output=True, text=True, check=True, timeout=60
    )
    head = (
        "| network | images | training step | / Flax | / PyTorch | forward pass | / Flax | / PyTorch |\n"
        "|---|---|--:|--:|--:|--:|--:|--:|\n"
    )
    assert done.stdout == (
        f"one core of A processor; jax 1.2, PyTorch 3.4:\n\n{head}"
        "| lenet5 | 128 × 32×28 | 200 ms | 1.00 | 1.00 | 200 ms | – | – |\n\n"
        f"4 cores of A processor; jax 1.2, PyTorch 3.4:\n\n{head}"
        "| lenet5 | 128 × 32×28 | 1,000 ms | 1.00 | 1.00 | 1,000 ms | – | – |\n"
    )


def test_readme_has_the_table_of_the_figures_that_are_kept() -> None:
    """One after the other, as `--table` writes them."""
    files = sorted((SCRIPT.parent / "results").glob("*.json"))
    assert files
    done = subprocess.run([sys.executable, SCRIPT, "--table", *files], capture_output=True, text=True, check=True)
    assert done.stdout in README.read_text()
