"""Mutated specs over validate, report, show, draw and schema: `python benchmarks/fuzzing.py 20000`.

Prints the tracebacks, the slowest answers and the memory at its highest. The mutations are those of tests/test_fuzz.py.
"""

from __future__ import annotations

import contextlib
import io
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))

from archspec.diagnostics import SpecError
from archspec.drawing import draw
from archspec.loading import open_specs
from archspec.output import as_json
from archspec.rendering import render_text
from archspec.reports import report
from archspec.spec.schema import json_schema
from tests.test_fuzz import TREES, mutated

SLOW = 3.0
"""Seconds of processor time after which an answer is listed."""


def answers(path: Path, which: int, counts: Counter[str]) -> None:
    """The commands' answers to one spec: diagnostics, and of the last right network report, text and drawing."""
    try:
        specs = open_specs(str(path))
        wrong = [item for spec in specs for item in spec.diagnostics if item.severity == "error"]
        render_text(wrong, colour=True)
        as_json([item.to_json() for item in wrong])
    except SpecError as error:
        render_text(error.diagnostics)
        counts["refused"] += 1
        return
    counts["wrong" if wrong else "right"] += 1
    right = [spec for spec in specs if not any(item.severity == "error" for item in spec.diagnostics)]
    for spec in right[-1:]:
        graph = spec.graph()
        str(report(graph))
        spec.to_yaml()
        if which % 10 == 0 and len(graph.nodes) < 300:
            draw(graph, path.with_suffix(".svg"))
            counts["drawn"] += 1


def main(count: int, first: int) -> int:
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    slow: list[tuple[float, int]] = []
    json_schema()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.yaml"
        for seed in range(first, first + count):
            choose = random.Random(seed)
            tree = choose.choice(TREES)
            for _ in range(choose.randint(1, 4)):
                # What is nested too deeply for Python to copy or print stays as it was before.
                with contextlib.suppress(RecursionError):
                    if isinstance(tree, dict) and tree:
                        tree = mutated(tree, choose)
            try:
                text = yaml.safe_dump(tree, allow_unicode=choose.random() < 0.5, sort_keys=choose.random() < 0.3)
            except RecursionError:
                counts["not written, too deep"] += 1
                continue
            path.write_text(text, "utf-8", errors="replace")
            begun = time.process_time()
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    answers(path, seed, counts)
            except Exception:
                place = traceback.format_exc().splitlines()
                faults[" | ".join(line.strip() for line in (place[-3], place[-1]))] += 1
                print("fault in seed", seed, place[-1], flush=True)
            took = time.process_time() - begun
            if took > SLOW:
                slow.append((took, seed))
                print(f"seed {seed} took {took:.1f} s", flush=True)
            if (seed - first + 1) % 1000 == 0:
                print(f"{seed - first + 1} specs: {dict(counts)}", flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} specs: {dict(counts)}; {sum(faults.values())} tracebacks {dict(faults)}")
    print(f"{len(slow)} over {SLOW} s, the slowest {max(slow, default=None)}; {memory:.0f} MiB at most")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
