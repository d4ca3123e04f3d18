"""Validation does work linear in the length of the spec. benchmarks/scaling.py measures the time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec.loading import open_spec

PAIR = "  - conv: {filters: 8, kernel: 3, pad: same}\n  - relu\n"


def calls(path: Path) -> int:
    """Function calls, built-in ones included, that validating a spec makes."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        diagnostics = open_spec(str(path)).diagnostics
    finally:
        sys.setprofile(None)
    assert not diagnostics
    return count


def test_calls_grow_with_the_length_and_no_faster(write: Callable[..., Path]) -> None:
    def written(layers: int) -> Path:
        text = "input: {height: 32, width: 32, channels: 8}\nlayers:\n" + PAIR * (layers // 2)
        return write(text, f"long{layers}.yaml")

    short, middle, long = (written(layers) for layers in (100, 1_000, 10_000))
    calls(short)
    per_layer = [
        (calls(longer) - calls(shorter)) / n for longer, shorter, n in ((middle, short, 900), (long, middle, 9_000))
    ]
    assert per_layer[1] <= 1.01 * per_layer[0]


@pytest.mark.slow
def test_100_000_layers_are_within_bounds(write: Callable[..., Path]) -> None:
    text = "input: {height: 32, width: 32, channels: 8}\nlayers:\n" + PAIR * 50_000
    spec = open_spec(str(write(text)))
    assert not spec.diagnostics
    assert len(spec.graph().nodes) == 100_000
