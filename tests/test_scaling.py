"""Validation takes time linear in the length of the spec."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from archspec.loading import open_spec


def seconds_per_layer(path: Path, layers: int) -> float:
    begun = time.process_time()
    assert not open_spec(str(path)).diagnostics
    return (time.process_time() - begun) / layers


def test_100_000_layers_cost_what_1_000_do_each(write: Callable[..., Path]) -> None:
    def written(layers: int) -> Path:
        pair = "  - conv: {filters: 8, kernel: 3, pad: same}\n  - relu\n"
        text = "input: {height: 32, width: 32, channels: 8}\nlayers:\n" + pair * (layers // 2)
        return write(text, f"long{layers}.yaml")

    short, long = written(1_000), written(100_000)
    seconds_per_layer(short, 1_000)
    # The smallest of several runs, side by side: what else the machine does only adds to a time.
    ratios = []
    for _ in range(3):
        base = min(seconds_per_layer(short, 1_000) for _ in range(8))
        ratios.append(seconds_per_layer(long, 100_000) / base)
    assert min(ratios) <= 1.5
