"""How long a training step takes to trace and to compile, as it is and with alike blocks as loops.

    python benchmarks/compile.py resnet152 --size 64 --batch 2

Seconds of the process, which other processes do not change, and of the clock; figures are in docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import jax
import jax.numpy as jnp

from archspec.loading import load
from archspec.spec.train import Train
from archspec.training.feeding import Batch
from archspec.training.steps import steps_of


def measured(name: str, size: int, batch: int, passes: tuple[str, ...]) -> dict[str, Any]:
    """Seconds of tracing and compiling one step, and the memory that XLA says it needs beside its state."""
    spec = load(name)
    graph, own = spec.graph((size, size)), spec.train or Train()
    recipe = own.model_copy(update={"batch_size": batch, "passes": passes})
    begun, clock = time.process_time(), time.perf_counter()
    steps: Any = steps_of(graph, spec.inputs, spec.heads(), recipe, 1)
    make: Any = jax.ShapeDtypeStruct
    inputs = {item.name: make((batch, *item.type.shape), jnp.uint8) for item in graph.inputs}
    given = Batch(inputs, {"label": make((batch,), jnp.int32)}, make((batch,), jnp.int32))
    lowered = steps.train.lower(steps.template, given)
    traced = time.process_time()
    compiled = lowered.compile()
    ended = time.process_time()
    return {
        "passes": list(passes),
        "trace_s": round(traced - begun, 2),
        "compile_s": round(ended - traced, 2),
        "wall_s": round(time.perf_counter() - clock, 2),
        "temp_mib": compiled.memory_analysis().temp_size_in_bytes >> 20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="?", default="resnet152")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=2)
    given = parser.parse_args()
    for passes in ((), ("scan_blocks",)):
        found = measured(given.network, given.size, given.batch, passes)
        print(json.dumps({"network": given.network, "jax": jax.__version__, **found}), flush=True)


if __name__ == "__main__":
    main()
