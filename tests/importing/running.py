"""Imported networks, run with the arrays of their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from archspec.importing.building import Built
from archspec.lower import build, split


def ours(built: Built, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What a network gives, each output with channels first; inputs have them first too."""
    assert built.graph is not None, [(item.said, item.place, item.why) for item in built.missing]
    pure, params, statistics = split(build(built.graph))
    assert {*params, *statistics} == set(built.arrays)
    given = [np.moveaxis(x, 1, -1) for x in inputs]
    params = {name: jax.numpy.asarray(built.arrays[name]) for name in params}
    statistics = {name: jax.numpy.asarray(built.arrays[name]) for name in statistics}
    names = [item.name for item in built.graph.inputs]
    x = given[0] if len(given) == 1 else dict(zip(names, given, strict=True))
    with jax.default_matmul_precision("float32"):
        outputs, _ = jax.jit(lambda p, s, x: pure.apply(p, s, x, train=False))(params, statistics, x)
    # A compiled function gives them by the order of their names.
    values = [outputs[item.name] for item in built.graph.outputs] if isinstance(outputs, dict) else [outputs]
    return [np.moveaxis(np.asarray(value), -1, 1) for value in values]


def runtime(path: Path, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime gives for a file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    return [np.asarray(value) for value in session.run(None, dict(zip(names, inputs, strict=True)))]


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, by the largest number."""
    assert one.size == other.size, (one.shape, other.shape)
    return float(np.abs(one.reshape(-1) - other.reshape(-1)).max() / max(1e-30, np.abs(other).max()))
