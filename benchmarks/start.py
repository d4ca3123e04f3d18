"""Start of commands that need no JAX in cold processes, as a ratio to importing pydantic and PyYAML.

    python benchmarks/start.py [RUNS]

Runs take turns, so that what else the machine does touches all alike; on a busy machine the processor's time says more
than the clock's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.runs.folders import make_run

FILES = sorted(map(str, (Path(__file__).parent.parent / "specs" / "zoo").glob("*.yaml")))
LENET = next(file for file in FILES if Path(file).stem == "lenet")
MAIN = "import sys; sys.argv[1:] = {!r}; from archspec.cli import main; sys.exit(main())"
CODE = {
    "import pydantic, yaml": "import pydantic, yaml",
    "validate lenet.yaml": MAIN.format(["validate", LENET]),
    "report lenet5": MAIN.format(["report", "lenet5"]),
    "report resnet152": MAIN.format(["report", "resnet152"]),
    "compare resnet50 vgg16": MAIN.format(["compare", "resnet50", "vgg16"]),
    "zoo": MAIN.format(["zoo"]),
    "validate the whole zoo": MAIN.format(["validate", *FILES]),
}
RUNS = 1000
"""Run folders that `archspec runs` makes a table of."""


class Cost(NamedTuple):
    """Seconds on the clock and of the processor that a fresh process takes, and KiB that it had resident at most."""

    clock: float
    processor: float
    memory: int


def measured(code: str, folder: str) -> Cost:
    """What a process costs whose bytecode is in a folder, as an installed package's is beside its files."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {code}")
    return Cost(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def main(runs: int) -> None:
    with TemporaryDirectory() as folder, TemporaryDirectory() as made:
        for number in range(RUNS):
            rate = f"{0.1 / (number + 1):.4g}"
            make_run(Path(made, f"run-{number}"), rate=rate, seed=number % 5, filters=8 + number % 3)
        every = {**CODE, f"runs, {RUNS:,} of them": MAIN.format(["runs", made])}
        for code in every.values():
            measured(code, folder)  # makes the bytecode
        costs: dict[str, list[Cost]] = {name: [] for name in every}
        for _ in range(runs):
            for name, code in every.items():
                costs[name].append(measured(code, folder))
    base = costs["import pydantic, yaml"]
    print(f"{'':24} {'clock':>8} {'ratio':>6} {'processor':>10} {'ratio':>6} {'memory':>8}")
    for name, found in costs.items():
        clock, processor = (
            (statistics.median(values), statistics.median(a / b for a, b in zip(values, bases, strict=True)))
            for values, bases in zip(list(zip(*found, strict=True))[:2], list(zip(*base, strict=True))[:2], strict=True)
        )
        print(
            f"{name:24} {1000 * clock[0]:5.0f} ms {clock[1]:6.2f} {1000 * processor[0]:7.0f} ms {processor[1]:6.2f} "
            f"{found[0].memory / 1024:4.0f} MiB"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
