"""Time of a network with and without passes: python benchmarks/passes.py NETWORK BATCH eval|train [PRECISION].

CPU time on one pinned core, or wall time on other devices; the minimum of interleaved runs, after one that compiles.
JAX_PLATFORMS=cpu leaves a GPU out.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from archspec.loading import load
from archspec.lower import build, narrowing, split, type_of
from archspec.lowerings.compiling import jit
from archspec.passes import NAMES, groups_of

RUNS = 7


def main(name: str, batch: int, mode: str, precision: str = "float32") -> None:
    """Prints milliseconds and the ratio to the network without passes, for each pass and for all."""
    ready: Any = jax.block_until_ready
    on_cpu = jax.default_backend() == "cpu"
    kind = type_of(precision)
    graph = load(name).graph()
    pure, params, statistics = split(build(graph))
    key = jax.random.key(0)
    x = {item.name: jax.random.normal(key, (batch, *item.type.shape)) for item in graph.inputs}
    functions: dict[str, Callable[[], Any]] = {}
    for names in ((), *((name,) for name in NAMES), NAMES):
        groups = groups_of(graph.pruned(mode), names)
        folded = pure.folding(groups, narrowing(graph, kind) if mode == "eval" else None)(params, statistics)

        def forward(params: Any, statistics: Any, x: Any, groups: Any = groups) -> Any:
            return pure.apply(params, statistics, x, train=False, precision=kind, groups=groups, folded=True)[0]

        def step(params: Any, statistics: Any, x: Any, groups: Any = groups) -> Any:
            def loss(params: Any) -> Any:
                y = pure.apply(params, statistics, x, train=True, key=key, precision=kind, groups=groups)[0]
                return sum(jnp.sum(value**2) for value in jax.tree.leaves(y))

            return jax.value_and_grad(loss)(params)

        compiled = jit(forward if mode == "eval" else step)
        functions["+".join(names) or "none"] = partial(compiled, *folded, x)
    clock = time.process_time if on_cpu else time.perf_counter
    best = dict.fromkeys(functions, float("inf"))
    for run in functions.values():
        ready(run())
    for _ in range(RUNS):
        for label, run in functions.items():
            start = clock()
            ready(run())
            best[label] = min(best[label], clock() - start)
    print(f"{name}, batch {batch}, {mode}, {precision}, jax {jax.__version__}, {jax.devices()[0].device_kind}")
    for label, seconds in best.items():
        print(f"  {label:32} {1e3 * seconds:9.2f} ms  {seconds / best['none']:.3f}")


if __name__ == "__main__":
    # Before JAX looks how many cores there are. One would compile for a GPU for minutes.
    if hasattr(os, "sched_setaffinity") and (
        os.environ.get("JAX_PLATFORMS") == "cpu" or not shutil.which("nvidia-smi")
    ):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    given: list[Any] = sys.argv[3:]
    main(sys.argv[1], int(sys.argv[2]), *given)
