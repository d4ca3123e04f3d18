"""How long a training step takes to trace and to compile, as it is and with alike blocks as loops.

    python benchmarks/compile.py resnet152 --size 64 --batch 2 --rounds 2

Seconds of the process, which other processes do not change, and of the clock. Each measurement is a process of its own,
which neither reads nor keeps compiled programs, the two kinds by turns; the last line has the ratios of the least.
Figures are in docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

KINDS: tuple[tuple[str, ...], ...] = ((), ("scan_blocks",))


def measured(name: str, size: int, batch: int, lowerings: str, passes: tuple[str, ...]) -> dict[str, Any]:
    """Seconds of tracing and compiling one step, and the memory that XLA says it needs beside its state."""
    import jax
    import jax.numpy as jnp

    from archspec.loading import load
    from archspec.spec.train import Train
    from archspec.training.feeding import Batch
    from archspec.training.steps import steps_of

    config: Any = jax.config
    config.update("jax_enable_compilation_cache", False)
    spec = load(name)
    graph, own = spec.graph((size, size)), spec.train or Train()
    recipe = own.model_copy(update={"batch_size": batch, "passes": passes, "lowerings": lowerings})
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
        "network": name,
        "jax": jax.__version__,
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
    parser.add_argument("--lowerings", default="auto", choices=("auto", "library"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--passes", help="measure once with these passes, in this process")
    given = parser.parse_args()
    if given.passes is not None:
        passes = tuple(filter(None, given.passes.split(",")))
        print(json.dumps(measured(given.network, given.size, given.batch, given.lowerings, passes)), flush=True)
        return
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {passes: [] for passes in KINDS}
    for passes in KINDS * given.rounds:
        own = subprocess.run(
            [sys.executable, *sys.argv, f"--passes={','.join(passes)}"], check=True, capture_output=True, text=True
        )
        line = own.stdout.splitlines()[-1]
        print(line, flush=True)
        found[passes].append(json.loads(line))
    least = {name: [min(own[name] for own in found[passes]) for passes in KINDS] for name in ("trace_s", "compile_s")}
    print(json.dumps({name: round(looped / plain, 3) for name, (plain, looped) in least.items()}))


if __name__ == "__main__":
    main()
