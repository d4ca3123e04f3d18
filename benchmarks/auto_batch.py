"""How near `batch_size: auto` comes to the largest batch that runs, on the device that JAX finds.

For each network the size that it chooses and, tried in fresh processes, the largest of which two training steps run.
Run it alone on the device: `python benchmarks/auto_batch.py [NETWORK …]`. On a GPU, XLA's allocator takes 75 % of the
memory unless XLA_PYTHON_CLIENT_MEM_FRACTION says otherwise; `auto` goes by what the allocator has, and so does this.

On an NVIDIA H100 with JAX 0.11.2 and 59.4 GiB free for the allocator, with the recipes of the zoo and in float32: 720
images a step of resnet50 and 40,264 of resnet20, each found with one compilation of about a minute. By XLA's own
figures that is 92.8 and 92.3 % of what is free; the prediction is 3.4 and 5.1 % above these. Two steps of resnet50
ran with 720 images; no larger ones were tried there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NETWORKS = ("resnet50", "vgg16", "efficientnet_b0")
LIMIT = 900.0
"""Seconds for everything: on a GPU a large network compiles for a minute, once for each size that is tried."""
SAMPLES = 10**6


def child(name: str, batch: int) -> dict[str, Any]:
    """With a batch of 0 the size that is chosen and the bytes of its step; else whether two steps run."""
    import jax
    import jax.numpy as jnp

    from archspec.data import LABEL
    from archspec.figures.memory import training
    from archspec.loading import load
    from archspec.spec.needs import training_memory
    from archspec.spec.train import Train
    from archspec.training import sizing
    from archspec.training.feeding import Batch
    from archspec.training.steps import steps_of

    spec = load(name)
    graph, heads = spec.graph(), spec.heads()
    recipe = spec.train or Train()
    shapes = sizing.shapes_of(spec.inputs, {LABEL: ((), jnp.int32)})
    stats = jax.local_devices()[0].memory_stats() or {}
    free = stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0) or sizing.free_memory()
    if not batch:
        room = int(sizing.USED.get(jax.default_backend(), sizing.USED_ELSEWHERE) * free)
        memory = training_memory(graph, recipe)
        memory = memory if jax.default_backend() == "cpu" else memory.portable()
        first = memory.largest_batch(room)
        asked: dict[int, int | None] = {}

        def needed(size: int) -> int | None:
            asked[size] = sizing.compiled_bytes(spec, recipe, heads, size, *shapes)
            return asked[size]

        begun = time.monotonic()
        chosen = sizing.largest(needed, memory.fixed, first, room, recipe.micro_batches, SAMPLES)
        return {
            "device": jax.local_devices()[0].device_kind,
            "free": free,
            "predicted": first,
            "chosen": chosen,
            "ratio": training(graph, optimiser=recipe.optimiser).portable().at(chosen) / (asked[chosen] or 1),
            "compiled": len(asked),
            "seconds": time.monotonic() - begun,
        }
    steps = steps_of(graph, spec.inputs, heads, recipe, 10)
    inputs, targets = ({key: jnp.zeros((batch, *shape), kind) for key, (shape, kind) in own.items()} for own in shapes)
    given = Batch(inputs, targets, jnp.arange(batch, dtype=jnp.int32))
    state = steps.initial(None)
    for _ in range(2):
        state, figures = steps.train(state, given)
    jax.device_get((state["step"], figures))
    return {"ran": batch}


def asked(name: str, batch: int, seconds: float) -> dict[str, Any] | None:
    """What a process of its own says; None where it fails or takes longer."""
    command = [sys.executable, __file__, "--child", name, str(batch)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(1.0, seconds))
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        if not batch:
            print(done.stderr[-2000:], file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    names = sys.argv[1:] or list(NETWORKS)
    begun = time.monotonic()
    print(f"{'network':<18}{'predicted':>10}{'auto':>8}{'runs':>8}{'fails':>8}{'auto/runs':>11}{'here/XLA':>10}  how")
    for place, name in enumerate(names):
        until = begun + LIMIT * (place + 1) / len(names)
        chosen = asked(name, 0, until - time.monotonic())
        if chosen is None:
            print(f"{name:<18} no size was found in time")
            continue
        auto = int(chosen["chosen"])
        runs = auto if asked(name, auto, until - time.monotonic()) else 0
        fails = 0
        # Larger ones, first by an eighth, then between what runs and what does not.
        size = max(auto + 1, auto * 9 // 8)
        while runs and time.monotonic() < until - 15 and (not fails or fails - runs > max(1, auto // 50)):
            if asked(name, size, until - time.monotonic()):
                runs = size
            else:
                fails = size
            size = (runs + fails) // 2 if fails else size * 9 // 8
        how = f"{chosen['compiled']} compiled in {chosen['seconds']:.0f} s, {chosen['free'] / 2**30:.1f} GiB free"
        print(
            f"{name:<18}{chosen['predicted']:>10,}{auto:>8,}{runs:>8,}{fails:>8,}{auto / runs if runs else 0:>11.3f}"
            f"{chosen['ratio']:>10.3f}  {how}, {chosen['device']}",
            flush=True,
        )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2], int(sys.argv[3]))))
    else:
        main()
