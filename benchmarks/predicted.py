"""Training steps on this device beside the time and the memory that are predicted for it.

    python benchmarks/predicted.py [NETWORK…] [--precisions float32,bfloat16] [--seconds S] [--save]
    python benchmarks/predicted.py --again
    python benchmarks/predicted.py --table

Measured is a training step with SGD and momentum, of two batches: its time by the clock, the bytes that XLA states, and
those that the device's allocator had at most. Predicted are the least time of it, as `archspec roofline` has it for the
device of `devices.yaml` that this one is, and the memory that `archspec report` has for devices that are no processors.
What is predicted over what is measured is the share of the roofline that a step reaches.

JAX leaves it to XLA to round the factors of float32 products to TensorFloat-32, unless JAX_DEFAULT_MATMUL_PRECISION is
`highest`; so where a device has it, float32 is held to its peak. A network has a process of its own, in which its
programs are compiled at once and run one after the other. After `--seconds` no further network begins. `--save` keeps
the figures in predicted.json, from which `--table` makes the table of docs/speed.md; `--again` predicts anew what is
beside the measurements there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_suffix(".json")

CASES: dict[str, tuple[str, tuple[int, int]]] = {
    "resnet50": ("224x224", (32, 128)),
    "mobilenet_v2": ("224x224", (32, 128)),
    "vgg16": ("224x224", (16, 64)),
    "segnet_basic": ("360x480", (4, 16)),
    "alexnet": ("227x227", (64, 256)),
    "lenet5": ("32x32", (128, 1024)),
    "googlenet": ("224x224", (32, 128)),
    "unet": ("572x572", (2, 8)),
    "resnet18": ("224x224", (32, 128)),
    "convnext_tiny": ("224x224", (16, 64)),
}
"""Size of the images and batches of each network."""

PRECISIONS = ("float32", "bfloat16")


def measured(network: str, precisions: list[str], batches: list[int]) -> dict[str, Any]:
    """Figures of a network's steps in this process."""
    import jax
    from jaxlib import version

    from archspec.bench.clock import timed
    from archspec.bench.peaks import known_device
    from archspec.bench.programs import compiled_program
    from archspec.xla import memory_parts, total

    first = jax.devices()[0]
    device = known_device(first.device_kind)
    if device is None:
        raise SystemExit(f"there are no peaks of {first.device_kind} in devices.yaml")
    graph, optimiser = asked_for(network, CASES[network][0])
    # Least memory first, so that the allocator's peak is each step's own.
    asked = [(precision, batch) for batch in batches for precision in reversed(precisions)]
    compiling = partial(compiled_program, graph, mode="train", optimiser=optimiser)
    with ThreadPoolExecutor(len(asked)) as pool:
        begun = time.perf_counter()
        made = list(pool.map(lambda own: compiling(precision=own[0], batch=own[1]), asked))
        compiled = time.perf_counter() - begun
    found: list[dict[str, Any]] = []
    for precision, batch in asked:
        before = peak(first)
        program = made.pop(0)()
        times = timed({"": program.step})[""]
        after = peak(first)
        row = {
            "network": network,
            "size": CASES[network][0],
            "precision": precision,
            "batch": batch,
            "seconds": times.median,
            "blocks": [round(own, 8) for own in times.wall],
            "xla_memory": total(memory_parts(program.compiled)),
            # No more than there was before, and so nothing that is known of it.
            "allocated": after if before is not None and after is not None and after > before else None,
        }
        found.append({**row, **predicted(row, device)})
        del program
    about = {"jax": jax.__version__, "jaxlib": version.__version__, "driver_name": first.device_kind}
    return {"device": device.name, **about, "compile_seconds": compiled, "results": found}


def asked_for(network: str, size: str) -> tuple[Any, Any]:
    """The graph of a network for images of a size, and the optimiser of its step."""
    from archspec.bench.programs import MOMENTUM, RATE
    from archspec.diagnostics import Findings
    from archspec.loading import open_spec
    from archspec.optimisers.sgd import Sgd
    from archspec.spec.overrides import parse_input

    graph = open_spec(network, list(parse_input(size, Findings()))).graph()
    return graph, Sgd.plain_default(learning_rate=RATE, momentum=MOMENTUM)


def predicted(row: dict[str, Any], device: Any) -> dict[str, Any]:
    """What is predicted of a step: by which peak, seconds at least, operations, bytes moved and bytes of memory."""
    from archspec.figures.roofline import predict

    graph, optimiser = asked_for(row["network"], row["size"])
    dtype = "tf32" if row["precision"] == "float32" and "tf32" in device.flops else row["precision"]
    found = predict(graph, device, dtype=dtype, mode="train", batch=row["batch"], optimiser=optimiser)
    return {
        "peak": dtype,
        "predicted_seconds": found.seconds,
        "flops": found.flops,
        "bytes": found.bytes,
        "memory": found.needed,
    }


def again(kept: dict[str, Any]) -> dict[str, Any]:
    """The kept measurements beside what is predicted now."""
    from archspec.figures.devices import devices

    device = devices()[kept["device"]]
    return {**kept, "results": [{**row, **predicted(row, device)} for row in kept["results"]]}


def peak(device: Any) -> int | None:
    """Bytes that a device's allocator has had at most."""
    stats = device.memory_stats() or {}
    return stats.get("peak_bytes_in_use")


def share(row: dict[str, Any]) -> float:
    """The part of the roofline that a step reaches."""
    return float(row["predicted_seconds"] / row["seconds"])


def table(kept: dict[str, Any]) -> str:
    """Markdown: a line for each network and batch, and the medians."""
    rows = kept["results"]
    names = [name for name in PRECISIONS if any(row["precision"] == name for row in rows)]
    head = ["network", "images"]
    for name in names:
        head += [f"{name}: step", "predicted / measured", "memory, predicted / XLA's"]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "--:|--:|--:|" * len(names)]
    for network, batch in dict.fromkeys((row["network"], row["batch"]) for row in rows):
        own = {row["precision"]: row for row in rows if (row["network"], row["batch"]) == (network, batch)}
        cells = [network, f"{batch} × {next(iter(own.values()))['size'].replace('x', '×')}"]
        for name in names:
            row = own.get(name)
            if row is None:
                cells += ["–"] * 3
            else:
                cells += [
                    f"{1e3 * row['seconds']:.3g} ms",
                    f"{share(row):.2f}",
                    f"{row['memory'] / row['xla_memory']:.2f}" if row["xla_memory"] else "–",
                ]
        lines.append("| " + " | ".join(cells) + " |")
    medians = []
    for name in names:
        shares = [share(row) for row in rows if row["precision"] == name]
        memory = [row["memory"] / row["xla_memory"] for row in rows if row["precision"] == name and row["xla_memory"]]
        medians += ["", f"{statistics.median(shares):.2f}", f"{statistics.median(memory):.2f}" if memory else "–"]
    lines.append("| " + " | ".join(["median", "", *medians]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(CASES)}; all if left out")
    parser.add_argument("--precisions", type=lambda text: text.split(","), default=list(PRECISIONS))
    parser.add_argument("--batches", type=lambda text: [int(part) for part in text.split(",")], metavar="N,N")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for names, known in ((options.networks, CASES), (options.precisions, PRECISIONS)):
        for name in names:
            if name not in known:
                parser.error(f"there is no {name}; there are {', '.join(known)}")
    if options.again:
        KEPT.write_text(json.dumps(again(json.loads(KEPT.read_text())), indent=1) + "\n")
        return
    if options.table:
        print(table(json.loads(KEPT.read_text())))
        return
    if options.here:
        (network,) = options.networks
        print(json.dumps(measured(network, options.precisions, options.batches or list(CASES[network][1]))))
        return
    begun = time.monotonic()
    made: dict[str, Any] = {}
    for network in options.networks or CASES:
        if time.monotonic() - begun > options.seconds:
            print(f"{network}: no time left", file=sys.stderr)
            continue
        words = [sys.executable, __file__, network, "--here", "--precisions", ",".join(options.precisions)]
        words += ["--batches", ",".join(map(str, options.batches))] if options.batches else []
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
        if done.returncode:
            print(f"{network}: failed", file=sys.stderr)
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        results = found.pop("results")
        print(f"{network}: compiled in {found.pop('compile_seconds'):.0f} s, {time.monotonic() - begun:.0f} s so far")
        for row in results:
            parts = [f"{row['batch']} {row['precision']}", f"{1e3 * row['seconds']:.4g} ms", f"share {share(row):.3f}"]
            parts += [f"{name} {(row[name] or 0) / 2**30:.3g} GiB" for name in ("memory", "xla_memory", "allocated")]
            print("   ", *parts, sep="  ", flush=True)
        made = {
            **found,
            "measured": datetime.now(UTC).date().isoformat(),
            "results": [*made.get("results", []), *results],
        }
        if options.save:
            KEPT.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
