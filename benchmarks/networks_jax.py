"""A process of `networks.py` that computes with JAX: networks as archspec lowers them, or by hand in Flax.

It reads a line of JSON after the other and answers each with one: `load` a network in a mode, `run` steps of it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from answering import answer, answers


def main(rival: str, place: str) -> None:
    to = answers()
    if place.isdigit():
        os.sched_setaffinity(0, {int(place)})  # before JAX looks how many cores there are
    if place != "gpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    from jaxlib import version

    from archspec.bench.clock import block
    from archspec.bench.programs import MOMENTUM, RATE, Program, by_hand, program
    from archspec.loading import open_spec
    from archspec.optimisers.sgd import Sgd
    from archspec.spec.overrides import parse_input

    if place == "gpu" and jax.default_backend() != "gpu":
        raise SystemExit(f"JAX has no GPU here, but {jax.default_backend()}")
    held: list[Program] = []

    def load(network: str, batch: int, size: list[int], mode: Any, precision: Any) -> dict[str, Any]:
        held.clear()
        if rival == "flax" and precision != "float32":
            raise ValueError("float32 alone")
        from archspec.diagnostics import Findings

        findings = Findings()
        input = parse_input(f"{size[0]}x{size[1]}", findings)
        spec = open_spec(network, list(input))
        graph = spec.graph()
        if rival == "archspec":
            plain = Sgd.plain_default(learning_rate=RATE, momentum=MOMENTUM)
            made = program(graph, batch, mode, optimiser=plain, precision=precision)
        else:
            made = by_hand(network, (size[0], size[1]), graph.inputs[0].type.channels, batch, mode)
        held.append(made)
        about: dict[str, Any] = {"compile_seconds": made.seconds}
        if rival == "archspec":
            about["parameters"] = graph.pruned("train").count("trainable")
            about["logits"] = list(graph.output_type(graph.main_output).shape)
        return about

    def run(steps: int) -> dict[str, Any]:
        wall, cpu = block(held[0].step, steps)
        return {"wall": wall, "cpu": cpu}

    about = {"python": sys.version.split()[0], "jax": jax.__version__, "jaxlib": version.__version__}
    about["device"] = jax.devices()[0].device_kind
    if rival == "flax":
        import flax

        about["flax"] = flax.__version__
    answer(to, about, load, run)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
