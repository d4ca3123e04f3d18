"""The second start of `archspec train` against the first, whose compiled programs it reads, and `predict` likewise.

    python benchmarks/second_start.py [RUNS] [NETWORK]

Each pair of starts has a cache folder of its own, and each start is a fresh process. Times are on the clock, from the
start of the process until the first training step is handed to the device, and until its figures are there; then of
the whole of `predict` with one image, of a lenet5. The data are random: 64 images of 64×64 in 10 classes, 8 a step.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

TRAIN = """
import os, sys, time
import archspec.training.early as early
import archspec.training.loop as loop
begun = float(sys.argv[1])
def watched(make):
    def made(*all, **named):
        steps = make(*all, **named)
        def train(state, batch):
            after = steps.train(state, batch)
            handed = time.time() - begun
            import jax
            jax.block_until_ready(after[1])
            print(handed, time.time() - begun, flush=True)
            os._exit(0)
        return steps._replace(train=Step(steps.train, train))
    return made
class Step:
    def __init__(self, compiled, call):
        self.lower, self.call = compiled.lower, call
    def __call__(self, *all):
        return self.call(*all)
loop.steps_of, early.steps_of = watched(loop.steps_of), watched(early.steps_of)
from archspec.cli import main
main(sys.argv[2:])
"""


def started(network: str, folder: Path, cache: Path) -> tuple[float, float]:
    """Seconds until the first step is handed over, and until it is done."""
    words = ["train", network, "--overwrite", "--workdir", str(folder / "run"), "--input", "64x64"]
    for setting in (
        "args.classes=10",
        f"train.dataset={{npz: {folder / 'data.npz'}}}",
        "train.batch_size=8",
        "train.epochs=1",
    ):
        words += ["--set", setting]
    said = fresh([sys.executable, "-c", TRAIN, str(time.time()), *words], cache)
    handed, done = map(float, said.split()[-2:])
    return handed, done


def fresh(command: list[str], cache: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"XDG_CACHE_HOME": str(cache), "JAX_PLATFORMS": "cpu"}
    made = subprocess.run(command, env=environment, capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(made.stderr)
    return made.stdout


def predicted(folder: Path, cache: Path) -> float:
    begun = time.perf_counter()
    fresh([sys.executable, "-m", "archspec.cli", "predict", str(folder / "lenet"), str(folder / "image.png")], cache)
    return time.perf_counter() - begun


def main(runs: int, network: str) -> None:
    import jax

    found: dict[str, list[float]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        draw = np.random.default_rng(0)
        arrays: dict[str, Any] = {
            f"{kind}_{part}": values
            for part in ("train", "test")
            for kind, values in (
                ("x", draw.integers(0, 256, (64, 64, 64, 3), np.uint8)),
                ("y", draw.integers(0, 10, 64, np.int32)),
            )
        }
        np.savez(folder / "data.npz", **arrays)
        from PIL import Image

        Image.fromarray(draw.integers(0, 256, (28, 28), np.uint8)).save(folder / "image.png")
        words = ["train", "lenet5", "--set", "train.epochs=1", "--workdir", str(folder / "lenet")]
        fresh([sys.executable, "-m", "archspec.cli", *words], folder / "cache")
        for number in range(runs):
            cache = folder / f"cache{number}"
            for start in ("first", "second"):
                handed, done = started(network, folder, cache)
                found.setdefault(f"{start} start, step handed over", []).append(handed)
                found.setdefault(f"{start} start, step done", []).append(done)
                found.setdefault(f"{start} predict", []).append(predicted(folder, cache))
    medians = {name: round(statistics.median(values), 2) for name, values in found.items()}
    for what in ("start, step handed over", "start, step done", "predict"):
        pairs = zip(found[f"second {what}"], found[f"first {what}"], strict=True)
        medians[f"ratio, {what}"] = round(statistics.median(second / first for second, first in pairs), 3)
    print(json.dumps({"jax": jax.__version__, "network": network, "runs": runs, "seconds": medians}, indent=2))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2] if len(sys.argv) > 2 else "resnet50")
