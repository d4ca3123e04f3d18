"""Start of commands that need no JAX in cold processes, as a ratio to importing pydantic and PyYAML.

    python benchmarks/start.py [RUNS]

Runs take turns, so that what else the machine does touches all alike.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ZOO = str(Path(__file__).parent.parent / "specs" / "zoo" / "lenet.yaml")
MAIN = "import sys; from archspec.cli import main; sys.exit(main({!r}))"
CODE = {
    "import pydantic, yaml": "import pydantic, yaml",
    "validate lenet.yaml": MAIN.format(["validate", ZOO]),
    "report lenet5": MAIN.format(["report", "lenet5"]),
    "report resnet152": MAIN.format(["report", "resnet152"]),
    "compare resnet50 vgg16": MAIN.format(["compare", "resnet50", "vgg16"]),
}


def measured(code: str) -> tuple[float, int]:
    """Seconds that a fresh process takes, and the KiB that it had resident at most."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {code}")
    return time.perf_counter() - begun, usage.ru_maxrss


def main(runs: int) -> None:
    memory = {name: measured(code)[1] for name, code in CODE.items()}
    times: dict[str, list[float]] = {name: [] for name in CODE}
    for _ in range(runs):
        for name, code in CODE.items():
            times[name].append(measured(code)[0])
    base = times["import pydantic, yaml"]
    for name, found in times.items():
        ratio = statistics.median(a / b for a, b in zip(found, base, strict=True))
        milliseconds, mebibytes = 1000 * statistics.median(found), memory[name] / 1024
        print(f"{name:24} {milliseconds:6.0f} ms   ratio {ratio:.2f}   {mebibytes:4.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
