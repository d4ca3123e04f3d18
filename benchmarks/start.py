"""Start of `archspec validate` and `report` in cold processes, as a ratio to importing pydantic and PyYAML.

    python benchmarks/start.py [RUNS]

Runs take turns, so that what else the machine does touches all alike.
"""

from __future__ import annotations

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
}


def seconds(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main(runs: int) -> None:
    for code in CODE.values():
        seconds(code)
    times: dict[str, list[float]] = {name: [] for name in CODE}
    for _ in range(runs):
        for name, code in CODE.items():
            times[name].append(seconds(code))
    base = times["import pydantic, yaml"]
    for name, found in times.items():
        ratio = statistics.median(a / b for a, b in zip(found, base, strict=True))
        print(f"{name:24} {1000 * statistics.median(found):6.0f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
