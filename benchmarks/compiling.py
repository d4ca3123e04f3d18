"""What programs take to be traced, lowered and compiled, with chosen lowerings and with the library's alone.

    python benchmarks/compiling.py [NETWORK…] [--rounds N] [--eval]

Processor seconds of all threads, which hold on a busy machine too, the least of some rounds in turns; nothing is read
from a cache of programs. Training steps of the networks' batches and sizes below.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import jax

from archspec.loading import load
from archspec.lowerings.choosing import Mode as LoweringMode
from archspec.lowerings.choosing import of_mode
from archspec.xla import Mode, lowered

CASES: dict[str, tuple[int, tuple[int, int]]] = {
    "resnet18": (16, (112, 112)),
    "convnext_tiny": (2, (64, 64)),
    "mobilenet_v3_small": (16, (64, 64)),
    "densenet121": (4, (64, 64)),
    "googlenet": (8, (112, 112)),
    "vgg11": (2, (224, 224)),
}
"""Batch and size of the images of each network."""

PARTS = ("trace", "lower", "compile")


def seconds(name: str, how: LoweringMode, mode: Mode) -> tuple[list[float], int]:
    """Of each part, and characters of the program as it is given to the compiler."""
    batch, size = CASES[name]
    graph = load(name).graph(size)
    made = lowered(
        graph, batch, "eval" if mode == "eval" else "train", lowerings=of_mode("auto" if how == "auto" else "library")
    )
    jax.clear_caches()  # type: ignore[no-untyped-call]
    at = [time.process_time()]
    traced = made.function.trace(*made.shapes)
    at.append(time.process_time())
    low = traced.lower()
    at.append(time.process_time())
    low.compile()
    at.append(time.process_time())
    return [after - before for before, after in pairwise(at)], len(low.as_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("networks", nargs="*", default=list(CASES), metavar="NETWORK")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--eval", action="store_true")
    given = parser.parse_args()
    mode: Mode = "eval" if given.eval else "train"
    jax.config.update("jax_enable_compilation_cache", False)  # type: ignore[no-untyped-call]
    print(f"jax {jax.__version__}, {jax.default_backend()}; processor seconds: {', '.join(PARTS)}")
    seconds("vgg11", "library", "eval")
    both: tuple[LoweringMode, ...] = ("library", "auto")
    for name in given.networks:
        runs = [{how: seconds(name, how, mode) for how in both} for _ in range(given.rounds)]
        totals = {}
        for how in both:
            parts = [min(run[how][0][part] for run in runs) for part in range(len(PARTS))]
            totals[how] = sum(parts)
            said = " + ".join(f"{part:5.2f}" for part in parts)
            print(f"{name:20} {how:8} {sum(parts):6.2f} = {said}  {runs[0][how][1]:>9,} characters", flush=True)
        print(f"{name:20} ratio    {totals['auto'] / totals['library']:6.2f}", flush=True)


if __name__ == "__main__":
    main()
