"""Time per layer of validating specs of 1,000 and 100,000 plain layers, and their ratio, in one process.

python benchmarks/scaling.py [ROUNDS]
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from pathlib import Path

from archspec.loading import open_spec

PAIR = "  - conv: {filters: 8, kernel: 3, pad: same}\n  - relu\n"


def seconds_per_layer(path: Path, layers: int) -> float:
    gc.collect()
    begun = time.perf_counter()
    assert not open_spec(str(path)).diagnostics
    return (time.perf_counter() - begun) / layers


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for layers in (1_000, 100_000):
            paths[layers] = Path(folder) / f"{layers}.yaml"
            head = "archspec: 1\nname: long\ninput: {height: 32, width: 32, channels: 8}\nlayers:\n"
            paths[layers].write_text(head + PAIR * (layers // 2))
        for _ in range(rounds):
            short = min(seconds_per_layer(paths[1_000], 1_000) for _ in range(10))
            long = seconds_per_layer(paths[100_000], 100_000)
            print(f"1,000: {1e6 * short:.1f} µs a layer   100,000: {1e6 * long:.1f} µs   ratio {long / short:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
