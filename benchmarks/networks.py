"""Training steps and forward passes of eleven networks: as archspec lowers them, by hand in Flax, in PyTorch, in Keras.

    python benchmarks/networks.py [NETWORK…] [--mode train|eval|both] [--rivals flax,eager,compiled,keras]
        [--cores one|all|both] [--device cpu|gpu] [--precision float32|bfloat16] [--torch PYTHON] [--keras PYTHON]
        [--rounds N] [--seconds S] [--save NAME]
    python benchmarks/networks.py --table FILE…

Each rival is a process of its own, and they take turns, A B C A B C …, a block of steps each: the ratios are of blocks
that follow one another. All use SGD with momentum on cross-entropy, the same batch and size, data that lie on the
device, float32 unless `--precision` says bfloat16. With `--cores one` every process is pinned to one core and has one
thread, and what counts is the time of its threads on that core, which holds on a busy machine too; with `all` it is the
time by the clock, on an idle one.

PyTorch is used where a Python that has it is given, by `--torch` or TORCH_PYTHON, and Keras with JAX as its backend by
`--keras` or KERAS_PYTHON. Its networks are held to have as many parameters as archspec's, and outputs of their shape.
`--save NAME` keeps the figures as benchmarks/results/NAME.json, and `--table` makes README's table of such.

`--device gpu` has all compute on the GPU, with larger batches, by the clock. There float32 is what both libraries have
for speed: products and convolutions may round their factors to TensorFloat-32, in PyTorch by
`set_float32_matmul_precision("high")`. In bfloat16 a step keeps its weights in float32, PyTorch's by autocast, and a
forward pass has weights of 16 bits; the networks by hand in Flax and Keras are of float32 alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"

Case = tuple[int, tuple[int, int]]

CASES: dict[str, Case] = {
    "lenet5": (128, (32, 32)),
    "alexnet": (8, (227, 227)),
    "vgg11": (2, (224, 224)),
    "vgg16": (2, (224, 224)),
    "googlenet": (8, (112, 112)),
    "resnet18": (16, (112, 112)),
    "resnet50": (8, (112, 112)),
    "mobilenet_v2": (16, (64, 64)),
    "resnext50_32x4d": (4, (64, 64)),
    "fcn8s": (1, (128, 128)),
    "segnet_basic": (2, (180, 240)),
}
"""Batch and size of the images of each network."""

ON_GPU: dict[str, Case] = {
    "lenet5": (1024, (32, 32)),
    "alexnet": (256, (227, 227)),
    "vgg11": (64, (224, 224)),
    "vgg16": (64, (224, 224)),
    "googlenet": (128, (224, 224)),
    "resnet18": (128, (224, 224)),
    "resnet50": (128, (224, 224)),
    "mobilenet_v2": (128, (224, 224)),
    "resnext50_32x4d": (64, (224, 224)),
    "fcn8s": (4, (256, 256)),
    "segnet_basic": (16, (360, 480)),
}
"""The same of a GPU, which small batches would leave idle."""

OURS = "archspec"
RIVALS = {"flax": "Flax", "keras": "Keras", "eager": "PyTorch", "compiled": "compiled"}
FILES = {"eager": "networks_torch.py", "compiled": "networks_torch.py", "keras": "networks_keras.py"}
"""Where a rival's networks are, unless in `networks_jax.py`."""
MODES = {"train": "training step", "eval": "forward pass"}
SHARED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""JAX's processes take of a GPU's memory what they need, for there are several."""
LEAST, MOST_STEPS = 0.15, 100
"""Seconds of a block, and steps."""


class Rival:
    """A process that computes: on one core, which has a number, on `all` of them, or on the `gpu`."""

    def __init__(self, name: str, python: str, place: str) -> None:
        words = [python, str(HERE / FILES.get(name, "networks_jax.py")), name, place]
        path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
        self.name = name
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **SHARED, "PYTHONPATH": path if name in (OURS, "flax") else ""},
        )
        self.about = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": f"the process of {self.name} ended"}
        return answer

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        """What the process answers; under `error` why it could not."""
        assert self.process.stdin is not None
        try:
            print(json.dumps({"do": do, **words}), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return {"error": f"the process of {self.name} ended"}
        return self._answer()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(
    rivals: list[Rival], network: str, case: Case, mode: str, precision: str, rounds: int, limit: float
) -> dict[str, Any]:
    """Blocks of each rival, in turns: seconds of a step, by the clock and on cores."""
    batch, size = case
    found: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    same: dict[str, Any] = {}
    for rival in rivals:
        answer = rival.ask("load", network=network, batch=batch, size=list(size), mode=mode, precision=precision)
        for what in {"parameters", "logits"} & set(answer):
            if same.setdefault(what, answer[what]) != answer[what]:
                answer["error"] = f"another network: {what} {answer[what]}, not {same[what]}"
        for _ in range(2):  # the first step is slower
            if "error" not in answer:
                answer |= rival.ask("run", steps=1)
        if "error" in answer:
            print(f"    {rival.name}: {answer['error']}", file=sys.stderr)
            found[rival.name] = {"error": answer["error"]}
            continue
        counts[rival.name] = max(1, min(MOST_STEPS, round(LEAST / answer["wall"])))
        kept: dict[str, Any] = {name: answer[name] for name in ("compile_seconds", "order") if name in answer}
        found[rival.name] = {**kept, "wall": [], "cpu": []}
    begun = time.monotonic()
    for turn in range(rounds):
        for rival in rivals:
            if rival.name in counts:
                answer = rival.ask("run", steps=counts[rival.name])
                for clock in ("wall", "cpu"):
                    found[rival.name][clock].append(round(answer[clock], 7))
        if turn >= 2 and time.monotonic() - begun > limit:
            break
    return {"network": network, "mode": mode, "batch": batch, "size": list(size), "times": found}


def compared(result: dict[str, Any], clock: str) -> dict[str, dict[str, float]]:
    """Of each rival the median time of a step, and archspec's over it: the median over blocks, and the quartiles."""
    times = {name: own[clock] for name, own in result["times"].items() if own.get(clock)}
    made: dict[str, dict[str, float]] = {}
    for name, own in times.items():
        made[name] = {"seconds": statistics.median(own), "least": min(own)}
        if name != OURS and OURS in times:
            ratios = [a / b for a, b in zip(times[OURS], own, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
            made[name] |= {"ratio": middle, "low": low, "high": high}
    return made


def machine() -> dict[str, Any]:
    """The machine, as far as it decides how fast it is."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    model = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = set((re.search(r"^flags\s*: (.*)$", text, re.MULTILINE) or [""])[0].split())
    known = ("avx2", "avx512f", "avx512_bf16", "amx_tile")
    return {
        "processor": model[1] if model else platform.processor(),
        "instructions": [name for name in known if name in flags],
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def line(result: dict[str, Any], clock: str) -> str:
    figures = compared(result, clock)
    parts = [f"{name} {1e3 * own['seconds']:.4g} ms" for name, own in figures.items()]
    ratios = [
        f"/{name} {own['ratio']:.3f} ({own['low']:.3f}–{own['high']:.3f})"
        for name, own in figures.items()
        if "ratio" in own
    ]
    return f"{result['network']:16} {result['mode']:5} " + "  ".join(parts + ratios)


def milliseconds(seconds: float) -> str:
    """Three digits, and no more zeros than it has."""
    taken = 1e3 * seconds
    return f"{taken:,.0f} ms" if taken >= 1000 else f"{taken:.3g} ms"


def table(saved: list[dict[str, Any]]) -> str:
    """README's table: archspec's time of a step over each rival's, by network and mode; below 1 archspec is faster."""
    lines: list[str] = []
    for file in saved:
        rivals = [name for name in RIVALS if any(name in own["times"] for own in file["results"])]
        modes = [mode for mode in MODES if any(own["mode"] == mode for own in file["results"])]
        clock = "cpu" if file["cores"] == "one" else "wall"
        about = file["versions"].get(OURS, {})
        what = "one core" if file["cores"] == "one" else f"{file['machine']['cores']} cores"
        place = f"{what} of {file['machine']['processor']}" if about.get("device") == "cpu" else about.get("device")
        if file.get("precision", "float32") != "float32":
            place = f"{place}, {file['precision']}"
        versions = f"jax {about.get('jax')}"
        for name, words in (("torch", "PyTorch"), ("keras", "Keras")):
            known = next((own for own in file["versions"].values() if name in own), None)
            if known is not None:
                versions += f", {words} {known[name]}" + (f" (jax {known['jax']})" if "jax" in known else "")
        lines += [f"{place}; {versions}:", ""]
        head = ["network", "images"]
        for mode in modes:
            head += [MODES[mode], *(f"/ {RIVALS[name]}" for name in rivals)]
        lines += ["| " + " | ".join(head) + " |", "|---|---|" + "--:|" * (len(head) - 2)]
        for network in dict.fromkeys(own["network"] for own in file["results"]):
            of_mode = {own["mode"]: own for own in file["results"] if own["network"] == network}
            some = next(iter(of_mode.values()))
            cells = [network, f"{some['batch']} × {'×'.join(map(str, some['size']))}"]
            for mode in modes:
                figures = compared(of_mode[mode], clock) if mode in of_mode else {}
                cells.append(milliseconds(figures[OURS]["seconds"]) if OURS in figures else "–")
                cells += [
                    f"{figures[name]['ratio']:.2f}" if "ratio" in figures.get(name, {}) else "–" for name in rivals
                ]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip()


def run(options: argparse.Namespace, cores: str) -> None:
    """Every network, mode after mode; what is to be saved is saved after each network."""
    on_gpu = options.device == "gpu"
    place = "gpu" if on_gpu else str(sorted(os.sched_getaffinity(0))[-1]) if cores == "one" else "all"
    cases = ON_GPU if on_gpu else CASES
    pythons = {OURS: sys.executable, "flax": sys.executable}
    pythons |= {"eager": options.torch, "compiled": options.torch, "keras": options.keras}
    results: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    clock = "cpu" if cores == "one" else "wall"
    for network in options.networks or CASES:
        # Anew for each network, so that none has the memory that another one left.
        wanted = [OURS, *(name for name in options.rivals if pythons[name])]
        rivals = [Rival(name, str(pythons[name]), place) for name in wanted]
        for rival in [rival for rival in rivals if "error" in rival.about]:
            print(f"    {rival.name}: {rival.about['error']}", file=sys.stderr)
            rivals.remove(rival)
        versions |= {rival.name: rival.about for rival in rivals}
        for mode in MODES if options.mode == "both" else [options.mode]:
            results.append(
                measure(rivals, network, cases[network], mode, options.precision, options.rounds, options.seconds)
            )
            print(line(results[-1], clock), flush=True)
        for rival in rivals:
            rival.close()
        if options.save:
            RESULTS.mkdir(exist_ok=True)
            made = {"machine": machine(), "cores": cores, "precision": options.precision, "versions": versions}
            name = f"{options.save}_{cores}" if options.cores == "both" else options.save
            (RESULTS / f"{name}.json").write_text(json.dumps({**made, "results": results}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(CASES)}; all if left out")
    parser.add_argument("--mode", choices=(*MODES, "both"), default="both")
    parser.add_argument("--rivals", type=lambda text: text.split(","), default=list(RIVALS))
    parser.add_argument("--cores", choices=("one", "all", "both"), help="one, unless they compute on a GPU")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--torch", default=os.environ.get("TORCH_PYTHON"), metavar="PYTHON")
    parser.add_argument("--keras", default=os.environ.get("KERAS_PYTHON"), metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=7, help="blocks of each rival")
    parser.add_argument(
        "--seconds", type=float, default=20, help="after which no further round begins, from the third on"
    )
    parser.add_argument("--save", metavar="NAME")
    parser.add_argument("--table", nargs="+", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.table:
        print(table([json.loads(file.read_text()) for file in options.table]))
        return
    for names, known in ((options.networks, CASES), (options.rivals, RIVALS)):
        for name in names:
            if name not in known:
                parser.error(f"there is no {name}; there are {', '.join(known)}")
    if options.device == "gpu" and options.cores not in (None, "all"):
        parser.error("a GPU's time is by the clock: leave --cores out")
    options.cores = options.cores or ("all" if options.device == "gpu" else "one")
    if options.rounds < 3:
        parser.error("at least 3 rounds, of which a median can be told")
    for cores in ("one", "all") if options.cores == "both" else (options.cores,):
        run(options, cores)


if __name__ == "__main__":
    main()
