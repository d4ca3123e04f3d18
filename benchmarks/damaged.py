"""Damaged inputs over all kinds of datasets: `python benchmarks/damaged.py 200 0`, the number and the seed.

Each is checked as `archspec data check` does, with `on_error: error` and, where samples are files of their own, `skip`.
Counted are those that are named before training, those that are left out and counted, those that a note tells of, and
those that decode as if nothing were amiss, which nobody can know. Every tenth is given to `archspec train` too, which
must say the same. Tracebacks, answers that take longer than 20 s and damages that had to be found and were not, are
listed; none is what must come out.

Of 200 with the seed 0, 168 are named, 12 told in a note (a class's file that is gone or is none, one that has several
pictures) and 20 decode; with `skip` 57 of the 96 whose samples are files are left out, and 13 named all the same, as
an image without its mask is. `archspec train` agrees in all 20. No faults.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import yaml

from tests.survey.damaged import Case, cases, spec_of, verdict

SLOW = 20.0
"""Seconds after which an answer has hung."""


def main(number: int, seed: int) -> int:
    counts: Counter[str] = Counter()
    faults: list[str] = []
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for place, case in enumerate(cases(Path(folder), number, seed)):
            for skip in (False, True) if case.kind.single else (False,):
                begun = time.monotonic()
                found = verdict(case, skip=skip)
                took = time.monotonic() - begun
                slowest = max(slowest, took)
                counts[f"on_error: {'skip' if skip else 'error'}: {found.kind}"] += 1
                if found.fault or took > SLOW:
                    faults.append(f"{case.name}, skip {skip}: {found.fault or f'{took:.0f} s'}")
            if place % 10 == 0:
                faults.extend(_trained(case, verdict(case, skip=False).kind == "named"))
                counts["given to `archspec train`"] += 1
    for what, times in sorted(counts.items()):
        print(f"{times:5,}  {what}")
    print(f"slowest check {slowest:.2f} s; {len(faults)} faults")
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults else 0


def _trained(case: Case, refused: bool) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(yaml.safe_dump(spec_of(case)), "utf-8")
        command = [sys.executable, "-m", "archspec.cli", "train", str(file), "--workdir", str(Path(folder) / "run")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)
        except subprocess.TimeoutExpired:
            yield f"{case.name}: `archspec train` hangs"
            return
        if "Traceback" in done.stderr or done.returncode not in (0, 1):
            yield f"{case.name}: `archspec train` ends with {done.returncode}: {done.stderr[-300:]}"
        if (done.returncode == 1) != refused:
            yield f"{case.name}: `archspec train` ends with {done.returncode}, and the check says otherwise"


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in (*sys.argv[1:], *("200", "0")[len(sys.argv) - 1 :]))))
