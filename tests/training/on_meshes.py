"""Steps over meshes of simulated devices against one device: `main` runs in a process of eight."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data._batches import in_blocks
from archspec.diagnostics import Findings
from archspec.loading import Spec, open_spec
from archspec.spec.overrides import parse_override
from archspec.training import divided
from archspec.training.feeding import Batch
from archspec.training.steps import Steps, make_steps


def opened(path: str, *settings: str) -> Spec:
    findings = Findings()
    spec = open_spec(path, [override for text in settings if (override := parse_override(text, findings))])
    spec._findings.raise_if_failed()
    return spec


def batches(spec: Spec, size: int, steps: int) -> Iterator[Batch]:
    """Noisy pictures of as many kinds as there are classes, a few labels of which do not count."""
    generator = np.random.default_rng(0)
    graph = spec.graph()
    (item,), out = graph.inputs, graph.output_type(graph.main_output)
    kinds = generator.integers(0, 256, (out.channels, *item.type.shape))
    for step in range(steps):
        which = generator.integers(0, out.channels, size)
        noise = generator.integers(0, 256, (size, *item.type.shape))
        pixels = ((kinds[which] + noise) // 2).astype(np.uint8)
        labels = which.astype(np.int32)
        if out.is_map:
            labels = pixels[..., 0].astype(np.int32) * out.channels // 256
            labels[generator.random(labels.shape) < 0.1] = -1
        labels[:1] = -1
        index = np.arange(size, dtype=np.int32) + step * size
        yield Batch({item.name: jnp.asarray(pixels)}, {"label": jnp.asarray(labels)}, jnp.asarray(index))


def trained(steps: Steps, given: list[Batch], micro: int) -> tuple[dict[str, Any], list[Any]]:
    """What the state is after some steps, and the figures of each."""
    devices = steps.devices
    state, figures = steps.initial(None), []
    for batch in given:
        if devices is not None:
            order = in_blocks(np.arange(len(batch.index)), devices.mesh.batches, micro)
            batch = jax.device_put(jax.tree.map(lambda array, order=order: array[order], batch), devices.batch)
        state, found = steps.train(state, batch)
        figures.append(jax.device_get(found))
    assert steps.train._cache_size() == 1, "the step was compiled twice"  # type: ignore[attr-defined]
    return jax.tree.map(np.asarray, {name: state[name] for name in ("params", "statistics", "optimiser")}), figures


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """‖one − other‖/‖one‖ over all arrays by name."""
    apart = sum(float(np.square(one[name] - other[name], dtype=np.float64).sum()) for name in one)
    whole = sum(float(np.square(one[name], dtype=np.float64).sum()) for name in one)
    return (apart / whole) ** 0.5 if whole else 0.0


def relative(one: Any, other: Any) -> float:
    """The largest difference of two arrays, as a part of the first one's number."""
    return float((np.abs(one - other) / np.maximum(np.abs(one), 1e-8)).max())


def main() -> None:
    """For each mesh of a spec: how far parameters, statistics and losses are from one device's after some steps."""
    path, size, number, settings, scatters, *meshes = sys.argv[1:]
    if json.loads(scatters):
        divided.scatters = lambda devices: True
    spec = opened(path, *json.loads(settings))
    given = list(batches(spec, int(size), int(number)))
    assert spec.train is not None
    micro = spec.train.micro_batches
    alone, figures = trained(make_steps(spec, 10), given, micro)
    for text in meshes:
        state, found = trained(make_steps(opened(path, *json.loads(settings), f"train.mesh={text}"), 10), given, micro)
        print(
            json.dumps(
                {
                    "mesh": text,
                    "params": difference(alone["params"], state["params"]),
                    "statistics": difference(alone["statistics"], state["statistics"]),
                    "losses": max(
                        float(np.abs(one["losses"] - other["losses"]).max() / np.abs(one["losses"]).max())
                        for one, other in zip(figures, found, strict=True)
                    ),
                    "running": max(
                        relative(one["running"][name], other["running"][name])
                        for one, other in zip(figures, found, strict=True)
                        for name in one["running"]
                    ),
                }
            ),
            flush=True,
        )
