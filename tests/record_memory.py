"""Records what XLA says that networks need in memory, for tests/test_memory.py: `python tests/record_memory.py`.

Programs are compiled on a CPU, nothing is allocated. It takes a few minutes.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax

from archspec.loading import Spec, open_spec
from archspec.spec.overrides import python_override
from archspec.xla import compile_program, memory_parts, total

FILE = Path(__file__).parent / "memory_xla.json"

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


def spec_of(name: str) -> Spec:
    """The network of a case, at its input size."""
    size = CASES[name][1] or ()
    axes = ("height", "width")
    return open_spec(name, [python_override(("input", axis), side) for axis, side in zip(axes, size, strict=False)])


def main() -> None:
    jax.config.update("jax_platforms", "cpu")
    found: dict[str, dict[str, dict[str, int]]] = {}
    for name, (batches, _) in CASES.items():
        spec = spec_of(name)
        found[name] = {
            mode: {str(batch): total(memory_parts(compile_program(spec, batch, mode))) or 0 for batch in batches}
            for mode in ("train", "eval")
        }
        print(name, found[name], flush=True)
    FILE.write_text(json.dumps({"jax": jax.__version__, "backend": "cpu", "bytes": found}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
