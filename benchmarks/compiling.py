"""What training steps take to be traced, lowered and compiled: by the library, by candidates, with loops of blocks.

    python benchmarks/compiling.py [NETWORK…] [--kinds library,auto,loops] [--size N] [--batch N] [--rounds N]

`library` leaves all operations to JAX, `auto` is what archspec does by itself, `loops` that with the pass
`scan_blocks`. The step is that of the network's recipe. Processor seconds of all threads, which hold on a busy machine
too; each measurement is a process of its own, which neither reads nor keeps compiled programs, the kinds by turns.
What is printed are the least seconds, their sum by that of the first kind, and the memory that XLA says the step needs
beside its state. Figures are in docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

CASES: dict[str, tuple[int, int]] = {
    "resnet18": (16, 112),
    "convnext_tiny": (2, 64),
    "mobilenet_v3_small": (16, 64),
    "densenet121": (4, 64),
    "googlenet": (8, 112),
    "vgg11": (2, 224),
    "resnet152": (2, 64),
}
"""Batch, and height and width of the images."""

KINDS: dict[str, dict[str, Any]] = {
    "library": {"lowerings": "library", "passes": ()},
    "auto": {"lowerings": "auto", "passes": ()},
    "loops": {"lowerings": "auto", "passes": ("scan_blocks",)},
}
PARTS = ("trace", "lower", "compile")


def measured(name: str, kind: str, batch: int, size: int) -> dict[str, float]:
    """Processor seconds of each part, and MiB beside the state."""
    import jax
    import jax.numpy as jnp

    from archspec.loading import load
    from archspec.spec.train import Train
    from archspec.training.feeding import Batch
    from archspec.training.steps import steps_of

    jax.config.update("jax_enable_compilation_cache", False)  # type: ignore[no-untyped-call]
    spec = load(name)
    graph = spec.graph((size, size))
    recipe = (spec.train or Train()).model_copy(update={"batch_size": batch, **KINDS[kind]})
    at = [time.process_time()]
    steps: Any = steps_of(graph, spec.inputs, spec.heads(), recipe, 1)
    make: Any = jax.ShapeDtypeStruct
    inputs = {item.name: make((batch, *item.type.shape), jnp.uint8) for item in graph.inputs}
    given = Batch(inputs, {"label": make((batch,), jnp.int32)}, make((batch,), jnp.int32))
    traced = steps.train.trace(steps.template, given)
    at.append(time.process_time())
    lowered = traced.lower()
    at.append(time.process_time())
    compiled = lowered.compile()
    at.append(time.process_time())
    parts = {part: after - before for part, (before, after) in zip(PARTS, pairwise(at), strict=True)}
    return parts | {"memory": compiled.memory_analysis().temp_size_in_bytes / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=list(CASES), metavar="NETWORK")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=["library", "auto"])
    parser.add_argument("--size", type=int, help="height and width of the images")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    for kind in given.kinds:
        if kind not in KINDS:
            parser.error(f"there is no kind {kind}; there are {', '.join(KINDS)}")
    for name in given.networks:
        batch, size = CASES.get(name, (2, 64))
        words = [name, str(given.batch or batch), str(given.size or size)]
        runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in given.kinds}
        for kind in given.kinds * given.rounds:
            done = subprocess.run([sys.executable, __file__, "--one", kind, *words], check=True, capture_output=True)
            runs[kind].append(json.loads(done.stdout.splitlines()[-1]))
        first = 0.0
        for kind, own in runs.items():
            least = {part: min(run[part] for run in own) for part in (*PARTS, "memory")}
            total = sum(least[part] for part in PARTS)
            first = first or total
            said = " + ".join(f"{least[part]:5.2f}" for part in PARTS)
            print(
                f"{name:20} {kind:8} {total:6.2f} s = {said}  ×{total / first:.2f}  {least['memory']:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[3], sys.argv[2], int(sys.argv[4]), int(sys.argv[5]))))
    else:
        main()
