"""Times all candidates of convolutions and poolings on one core, for shapes of the zoo, beside PyTorch where installed.

    python benchmarks/lowerings.py select [KIND…]     # choose shapes anew; what was measured of others is dropped
    python benchmarks/lowerings.py extend             # the shapes that are named in it, beside what is there
    python benchmarks/lowerings.py measure chosen     # only where the rules choose what has not been measured
    python benchmarks/lowerings.py measure [PART/N]   # what this Python's jax has not been measured for; of N parts one
    python benchmarks/lowerings.py torch              # what PyTorch has not been measured for, where this Python has it
    python benchmarks/lowerings.py show               # what the rules choose beside the best candidate
    python benchmarks/lowerings.py table              # what they choose beside PyTorch, as docs/speed.md has it

Times are process times of a process that is bound to one core, so that a busy machine disturbs them little, the least
of several runs in turns. `lowerings.json` beside this file keeps them, with the machine.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import inf, log2, prod
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

FILE = Path(__file__).with_suffix(".json")
MACS = 200e6
"""Multiply–adds of a case at most, where it has more than one sample."""
MOST = 2.5e9
"""Multiply–adds of a sample at most: larger ones take too long to time."""
NUMBERS = 2e6
"""Numbers of a case's input at most, where it has more than one sample."""
LARGEST = 16
"""Samples of a batch at most."""
SHAPES = {"dense": 36, "grouped": 10, "depthwise": 16, "max_pool": 8, "sum_pool": 5}
"""How many classes of each kind are measured."""
SECONDS = 0.6
"""How long the candidates of a direction are timed in turns."""
NETWORKS = (
    *("lenet5", "alexnet", "vgg16", "googlenet", "resnet18", "resnet50", "mobilenet_v1", "mobilenet_v2", "fcn8s"),
    *("segnet_basic", "resnext50_32x4d", "shufflenet_v1", "shufflenet_v2", "mobilenet_v3", "squeezenet"),
    *("densenet121", "xception", "unet", "efficientnet_b0", "convnext_tiny", "wrn_16_4", "mnasnet1_0", "enet"),
    *("regnet_x_400mf", "yolov3", "inception_v3"),
)
"""Whose convolutions are looked at."""

MORE: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "resnet18 layer4.1.conv2 at 64x64": (16, 2, 512, 512, 3, 1, 1),
    "resnet18 layer4.0.conv1 at 64x64": (8, 4, 256, 512, 3, 2, 1),
    "resnet18 layer4.1.conv2 at 112x112": (8, 4, 512, 512, 3, 1, 1),
    "vgg16 conv5_1 at 112x112": (2, 7, 512, 512, 3, 1, 1),
    "fcn8s fc6 of 1024 filters": (1, 7, 512, 1024, 7, 1, 0),
    "fcn8s fc7 at 128x128": (1, 5, 4096, 4096, 1, 1, 0),
    "lenet5 c5": (128, 5, 16, 120, 5, 1, 0),
}
"""Shapes beside those of the classes, small maps above all: batch, side, channels, filters, kernel, stride, padding."""
TRANSPOSED: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "fcn8s upscore2 at 128x128": (1, 10, 21, 21, 4, 2, 0),
    "fcn8s upscore8 at 128x128": (1, 26, 21, 21, 16, 8, 0),
    "unet stage of 28x28": (1, 28, 512, 256, 2, 2, 0),
    "unet stage of 100x100": (1, 100, 128, 64, 2, 2, 0),
    "4x4 by 2 of 16x16, as DCGAN's": (8, 16, 256, 128, 4, 2, 1),
}
"""Transposed convolutions, likewise."""

OPERATIONS = ("conv", "max_pool", "sum_pool", "transposed_conv")

Plain = dict[str, Any]


def read() -> Plain:
    """What is kept."""
    found: Plain = json.loads(FILE.read_text("utf-8"))
    return found


def write(kept: Plain) -> None:
    """Keeps it, a line for each shape."""
    lines = ",\n".join("  " + json.dumps(shape, separators=(",", ":")) for shape in kept["shapes"])
    machines = json.dumps(kept["machines"], indent=1)
    FILE.write_text(f'{{"machines": {machines},\n "shapes": [\n{lines}\n]}}\n', "utf-8")


def machine() -> Plain:
    """The processor, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    about = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = about.get("flags", "").split()
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return {
        "processor": about.get("model name", platform.processor()),
        "family": about.get("cpu family"),
        "model": about.get("model"),
        "instructions": [name for name in wanted if name in flags],
        "cores": 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def select(*kinds: str) -> None:
    """Chooses shapes: of the classes of the zoo's operations those that the largest shares of networks' multiply–adds
    are spent on, and of each the shape that has the largest. Shapes of kinds that are not among those named stay."""
    from archspec.loading import load
    from archspec.tuning.operations import operations

    chosen = kinds or tuple(SHAPES)
    classes: dict[tuple[Any, ...], list[tuple[float, str, Any]]] = {}
    for name in NETWORKS:
        graph = load(name).graph()
        seen: dict[Any, list[str]] = {}
        for used in operations(graph, "eval", 1):
            seen.setdefault(used.case, []).append(used.path)
        total = {of: sum(case.macs * len(seen[case]) for case in seen if case.operation == of) for of in OPERATIONS}
        for case, paths in seen.items():
            share = case.macs * len(paths) / total[case.operation]
            classes.setdefault(class_of(case), []).append((share, f"{name} {paths[0]}", case))
        print(name, len(classes), flush=True)
    ranked = sorted(classes.items(), key=lambda item: -sum(own[0] for own in item[1]))
    kept = read()
    shapes = [shape for shape in kept["shapes"] if class_of(plain_case(shape))[0] not in chosen]
    measured = {json.dumps(shape["case"]): shape["ms"] for shape in kept["shapes"]}
    for kind in chosen:
        largest = [max(own, key=lambda item: item[0]) for key, own in ranked if key[0] == kind]
        for _, where, case in [own for own in largest if own[2].macs <= MOST][: SHAPES[kind]]:
            batch = max(1, min(LARGEST, int(MACS / case.macs), int(NUMBERS / (prod(case.size) * case.channels))))
            plain = case._replace(batch=batch)._asdict()
            shapes.append({"of": where, "case": plain, "ms": measured.get(json.dumps(plain), {})})
    write({"machines": kept["machines"], "shapes": shapes})
    extend(measured)


def extend(measured: Mapping[str, Plain] | None = None) -> None:
    """Adds the shapes beside those of the classes; what was measured stays."""
    from archspec.lowerings.case import Case

    kept = read()
    more = [("conv", *item) for item in MORE.items()] + [("transposed_conv", *item) for item in TRANSPOSED.items()]
    for operation, where, (batch, side, channels, filters, kernel, stride, pad) in more:
        sizes = ((side, side), channels, filters, (kernel, kernel), (stride, stride), ((pad, pad), (pad, pad)))
        plain = Case(operation, batch, *sizes, (1, 1), 1, "float32")._asdict()
        if all(shape["of"] != where for shape in kept["shapes"]):
            ms = (measured or {}).get(json.dumps(plain), {})
            kept["shapes"].append({"of": where, "case": plain, "ms": ms})
    write(kept)


def plain_case(shape: Plain) -> Any:
    """A kept shape's case."""
    from archspec.lowerings.plain import case_of

    return case_of(shape["case"])


def class_of(case: Any) -> tuple[Any, ...]:
    """Shapes of which one stands for all."""
    kind = "depthwise" if case.is_depthwise else "grouped" if case.groups > 1 else "dense"
    kind = kind if case.operation == "conv" else case.operation

    def about(number: float) -> int:
        return round(log2(max(1, number)) / 2)

    size = prod(case.size) ** (1 / len(case.size))
    width = about(case.channels // case.groups if kind == "grouped" else case.channels)
    wide = about(case.filters) if kind == "dense" else 0
    return (kind, case.kernel, case.stride, case.dilation, about(size), width, wide)


def parted(shapes: list[Plain], part: str) -> Iterator[Plain]:
    number, _, count = part.partition("/")
    yield from shapes[int(number) - 1 :: int(count)]


def measure(part: str = "1/1") -> None:
    """Times all candidates of each direction of which one has not been timed yet."""
    import jax

    from archspec.lowerings.candidates import LIBRARY, directions, fitting
    from archspec.lowerings.device import this_device
    from archspec.lowerings.plain import case_of
    from archspec.lowerings.rules import rule_for
    from archspec.lowerings.timing import compared

    device = this_device()
    key = device_key(device)
    results = {}
    shapes = read()["shapes"]
    for number, shape in enumerate(shapes if part == "chosen" else parted(shapes, part)):
        case = case_of(shape["case"])
        found = dict(shape["ms"].get(key, {}))
        ways = directions(case.operation)
        missing = []
        for one in ways:
            rule = rule_for(case, one, device) if part == "chosen" else None
            due = {rule.candidate if rule else LIBRARY} if part == "chosen" else set(fitting(case, one))
            if not due <= set(found.get(one, {})):
                missing.append(one)
        if not missing:
            continue
        for direction in missing:
            names = fitting(case, direction)
            times = compared(case, direction, names, device.options, clock=time.process_time, seconds=SECONDS)
            found[direction] = {name: significant(1e3 * value) for name, value in times.items()}
        results[json.dumps(shape["case"])] = found
        print(
            f"{number} {shape['of']}: "
            + "  ".join(
                f"{name} {min(own.values()):.3g} ({min(own, key=lambda item: own[item])}), library {own['library']:.3g}"
                for name, own in found.items()
                if name in missing
            ),
            flush=True,
        )
        keep(key, {**machine(), "jax": jax.__version__, "device": device.said}, results)
        clear: Any = jax.clear_caches
        clear()


def device_key(device: Any) -> str:
    return ".".join(map(str, device.jaxlib)) + ("+onednn" if device.onednn else "")


def significant(number: float) -> float:
    """With three digits."""
    return float(f"{number:.3g}")


def keep(key: str, about: Plain, results: Mapping[str, Plain | None]) -> None:
    """Adds results to what is kept, whatever another process added meanwhile."""
    import fcntl

    with open(f"{FILE}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = read()
        kept["machines"][key] = about
        for shape in kept["shapes"]:
            own = results.get(json.dumps(shape["case"]))
            if own is not None:
                shape["ms"][key] = own
        write(kept)
    os.unlink(f"{FILE}.lock")


def torch() -> None:
    """Times PyTorch's directions, in the better of both layouts, of shapes for which it has not been timed yet."""
    import torch as pytorch

    pytorch.set_num_threads(1)
    results: dict[str, Plain | None] = {}
    for shape in read()["shapes"]:
        if "torch" in shape["ms"]:
            continue
        results[json.dumps(shape["case"])] = of_torch(pytorch, shape["case"])
        print(shape["of"], results[json.dumps(shape["case"])], flush=True)
    keep("torch", {**machine(), "torch": pytorch.__version__}, results)


def of_torch(pytorch: Any, case: Plain) -> Plain | None:
    """Milliseconds by direction; None where the padding is not the same on both sides."""
    if any(before != after for before, after in case["padding"]):
        return None
    best: Plain = {}
    maps = len(case["size"]) == 2
    layouts = [pytorch.contiguous_format, pytorch.channels_last] if maps else [pytorch.contiguous_format]
    for layout in layouts:
        runs = torch_runs(pytorch, case, layout)
        for direction, run in runs.items():
            run()
            spent, rounds = time.perf_counter(), 0
            least = best.get(direction, float("inf"))
            while rounds < 7 and (rounds < 2 or time.perf_counter() - spent < 0.5):
                begun, count = time.process_time(), 0
                while count == 0 or time.process_time() - begun < 2e-3:
                    run()
                    count += 1
                least = min(least, (time.process_time() - begun) * 1e3 / count)
                rounds += 1
            best[direction] = least
    return {direction: significant(value) for direction, value in best.items()}


def torch_runs(pytorch: Any, case: Plain, layout: Any) -> dict[str, Callable[[], Any]]:
    """What PyTorch calls for each direction."""
    size, kernel = case["size"], case["kernel"]
    stride, padding, dilation = case["stride"], [before for before, _ in case["padding"]], case["dilation"]
    x = pytorch.randn(case["batch"], case["channels"], *size).to(memory_format=layout)
    if case["operation"] == "max_pool":
        window = (kernel, stride, padding, dilation)
        way = pytorch.ops.aten.max_pool2d_with_indices
        gradient = pytorch.randn_like(way(x, *window)[0]).to(memory_format=layout)

        def both() -> Any:
            back = pytorch.ops.aten.max_pool2d_with_indices_backward
            return back(gradient, x, *window, False, way(x, *window)[1])

        return {"forward": partial(pytorch.nn.functional.max_pool2d, x, *window), "input": both}
    if case["operation"] == "sum_pool":
        sums = (kernel, stride, padding, False, True, 1)
        gradient = pytorch.randn_like(pytorch.nn.functional.avg_pool2d(x, *sums)).to(memory_format=layout)
        return {
            "forward": partial(pytorch.nn.functional.avg_pool2d, x, *sums),
            "input": partial(pytorch.ops.aten.avg_pool2d_backward, gradient, x, *sums),
        }
    transposed = case["operation"] == "transposed_conv"
    own = (case["channels"], case["filters"]) if transposed else (case["filters"], case["channels"])
    weights = pytorch.randn(own[0], own[1] // case["groups"], *kernel).to(memory_format=layout)
    rest = (None, stride, padding, dilation, transposed, [0] * len(size), case["groups"])
    y = pytorch.convolution(x, weights, *rest)
    gradient = pytorch.randn_like(y).to(memory_format=layout)

    def backward(mask: list[bool]) -> Any:
        return pytorch.ops.aten.convolution_backward(gradient, x, weights, *rest, mask)

    return {
        "forward": partial(pytorch.convolution, x, weights, *rest),
        "input": partial(backward, [True, False, False]),
        "kernel": partial(backward, [False, True, False]),
    }


class Judged(NamedTuple):
    """A direction of a shape with one version of jaxlib: the rules' choice, and milliseconds of all candidates."""

    of: str
    kind: str
    direction: str
    version: str
    chosen: str
    ms: Mapping[str, float]
    torch: float | None

    @property
    def best(self) -> str:
        return min(self.ms, key=lambda name: self.ms[name])

    @property
    def chosen_ms(self) -> float:
        """Infinite where what the rules choose has not been measured."""
        return self.ms.get(self.chosen, inf)

    @property
    def ratio(self) -> float:
        """The choice's time by that of the best candidate."""
        return self.chosen_ms / self.ms[self.best]

    @property
    def to_torch(self) -> float | None:
        return self.chosen_ms / self.torch if self.torch else None


def judged() -> list[Judged]:
    """What the rules of today choose for the shapes that have been measured.

    Gradients by a network's input are not among them: nobody asks for these.
    """
    from archspec.lowerings.candidates import LIBRARY, fits
    from archspec.lowerings.device import Device, version_of
    from archspec.lowerings.plain import case_of
    from archspec.lowerings.rules import rule_for

    found = []
    for shape in read()["shapes"]:
        case, torch_ms = case_of(shape["case"]), shape["ms"].get("torch") or {}
        for version in sorted(set(shape["ms"]) - {"torch"}):
            jaxlib, _, onednn = version.partition("+")
            device = Device("cpu", "cpu", version_of(jaxlib), bool(onednn))
            for direction, ms in shape["ms"][version].items():
                if direction == "input" and case.channels <= 3:
                    continue
                ms = {name: value for name, value in ms.items() if fits(name, case, direction)}
                rule = rule_for(case, direction, device)
                chosen = rule.candidate if rule else LIBRARY
                found.append(
                    Judged(shape["of"], kind_of(case), direction, version, chosen, ms, torch_ms.get(direction))
                )
    return found


def kind_of(case: Any) -> str:
    """A row of the table."""
    step = " by 2" if prod(case.stride) > 1 else ""
    if case.operation != "conv":
        return {"max_pool": "maxima", "sum_pool": "sums of windows", "transposed_conv": "transposed"}[case.operation]
    if case.is_depthwise:
        return f"depthwise{step}"
    if case.groups > 1:
        return "grouped 1×1" if case.is_pointwise else "grouped"
    if case.channels <= 3:
        return "first layers"
    if case.is_pointwise:
        return "1×1"
    return f"3×3{step}" if case.kernel == (3, 3) else "larger windows"


def show() -> None:
    """Prints the rules' choices, the slowest beside the best candidate first."""
    for own in sorted(judged(), key=lambda own: -own.ratio):
        beside = f", PyTorch {own.torch:.3g} (×{own.to_torch:.2f})" if own.torch else ""
        print(
            f"×{own.ratio:.2f} {own.version} {own.of}, {own.direction}: {own.chosen} {own.chosen_ms:.3g} ms, "
            f"{', '.join(f'{name} {ms:.3g}' for name, ms in own.ms.items() if name != own.chosen)}{beside}"
        )


def table() -> None:
    """Prints how the rules' choices stand beside PyTorch as a table, and the worst."""
    compared = [own for own in judged() if own.to_torch is not None]
    versions = sorted({own.version for own in compared}, reverse=True)
    print("| | |" + "".join(f" {version}: median | ≤ 1.15 | ≤ 1.5 |" for version in versions))
    print("|---|---|" + "---|---|---|" * len(versions))
    kinds = [*dict.fromkeys(own.kind for own in compared), ""]
    for kind in kinds:
        for direction in ("forward", "input", "kernel") if kind else ("",):
            cells = [kind or "all", direction]
            for version in versions:
                ratios = [
                    own.to_torch or 0
                    for own in compared
                    if own.version == version and kind in ("", own.kind) and direction in ("", own.direction)
                ]
                if ratios:
                    under = [f"{sum(ratio <= most for ratio in ratios)} of {len(ratios)}" for most in (1.15, 1.5)]
                    cells += [f"{median(ratios):.2f}", *under]
            if len(cells) > 2:
                print("| " + " | ".join(cells) + " |")
    for version in versions:
        print()
        worst = sorted((own for own in compared if own.version == version), key=lambda own: -(own.to_torch or 0))
        for own in worst[:10]:
            tried = ", ".join(f"{name} {ms:.3g}" for name, ms in own.ms.items())
            print(f"{version} {own.of}, {own.direction}: ×{own.to_torch:.1f} of {own.torch:.3g} ms: {tried}")


if __name__ == "__main__":
    # One core, of which process time is the measure; before any library makes its threads.
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[int(os.environ.get("CORE", "0"))]})
    commands: dict[str, Callable[..., None]] = {
        "select": select,
        "extend": extend,
        "measure": measure,
        "torch": torch,
        "show": show,
        "table": table,
    }
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
