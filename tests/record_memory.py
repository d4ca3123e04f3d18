"""Records what XLA says that networks need in memory, for tests/test_memory.py: `python tests/record_memory.py`.

Programs are compiled on a CPU, nothing is allocated. It takes a few minutes.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax

from archspec.loading import Spec, open_spec
from archspec.spec.overrides import python_override
from archspec.xla import Mode, compile_program, memory_parts, total

HERE = Path(__file__).parent
FILE = HERE / "memory_xla.json"

CASES: dict[str, tuple[tuple[int, int], tuple[int, int] | None]] = {
    "lenet5": ((8, 256), None),
    "alexnet": ((2, 64), None),
    "vgg16": ((2, 32), None),
    "resnet50": ((2, 32), None),
    "segnet_basic": ((1, 8), None),
    # Beyond those that the rules were made for; docs/memory.md says which of these had a part in them.
    "googlenet": ((2, 32), None),
    "resnet18": ((2, 32), None),
    "resnet20": ((8, 128), None),
    "vgg11": ((2, 32), None),
    "fcn8s": ((1, 4), (224, 224)),
    "segnet": ((1, 4), None),
    "bn_inception": ((2, 32), None),
}
"""Networks, two batch sizes for each, and another input size than the network's own."""

SMALL: dict[str, tuple[int, ...]] = {
    "recurrent?rounds=4&features=16&channels=8": (2, 64),
    "recurrent?rounds=8&features=64": (1, 8, 64),
    "recurrent?rounds=16&features=256&channels=64": (1, 8, 64, 512),
    "recurrent?rounds=32&features=128&channels=128": (1, 8, 64),
    "gated?features=256": (1, 2, 8),
    "refined?rounds=2": (1, 8, 64),
    "refined?rounds=8": (1, 8, 64),
    "refined?rounds=16&filters=128&side=4": (1, 8, 64),
    "siamese": (1, 8, 64),
    "siamese?features=1024": (1, 8, 64),
    "siamese_digits": (1, 8, 64),
    "dropped": (1, 8, 64),
}
"""Small networks: with arrays that have several uses, by batches that let these wait and others; with dropout."""


def spec_of(name: str) -> Spec:
    """The network of a case, at its input size."""
    if name in SMALL:
        stem, _, args = name.partition("?")
        folder = HERE.parent / "specs/examples" if stem == "siamese_digits" else HERE / "measured"
        return open_spec(f"{folder / stem}.yaml" + (f"?{args}" if args else ""))
    size = CASES[name][1] or ()
    axes = ("height", "width")
    return open_spec(name, [python_override(("input", axis), side) for axis, side in zip(axes, size, strict=False)])


def main() -> None:
    jax.config.update("jax_platforms", "cpu")
    found: dict[str, dict[str, dict[str, int]]] = {}
    for name, batches in {**{name: batches for name, (batches, _) in CASES.items()}, **SMALL}.items():
        spec = spec_of(name)
        modes: tuple[Mode, ...] = ("train",) if name in SMALL else ("train", "eval")
        found[name] = {
            mode: {str(batch): total(memory_parts(compile_program(spec, batch, mode))) or 0 for batch in batches}
            for mode in modes
        }
        print(name, found[name], flush=True)
    FILE.write_text(json.dumps({"jax": jax.__version__, "backend": "cpu", "bytes": found}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
