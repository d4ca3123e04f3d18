"""Damaged inputs: each is named before training, or left out and counted where the dataset says so.

`python benchmarks/damaged.py 200 0` is the long form.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.survey.damaged import cases, verdict


def test_what_is_damaged_is_named_or_left_out_and_counted(tmp_path: Path) -> None:
    seen: Counter[tuple[str, bool]] = Counter()
    faults = []
    for case in cases(tmp_path, 120, seed=1):
        for skip in (False, True) if case.kind.single else (False,):
            found = verdict(case, skip=skip)
            seen[found.kind, skip] += 1
            if found.fault:
                faults.append(f"{case.name}, on_error {'skip' if skip else 'error'}: {found.kind}: {found.fault}")
    assert not faults, "\n".join(faults)
    assert seen["named", False] > 80 and seen["left out", True] > 20
    assert not seen["left out", False]
