"""Rules for poolings.

Milliseconds are of one core, the library's and the candidate's. tests/lowerings/test_measured.py holds the rules to
benchmarks/lowerings.json.
"""

from __future__ import annotations

from math import prod

from archspec.lowerings.case import Case
from archspec.lowerings.rules._rule import FORWARD, INPUT, Rule

NUMBERS = "windows go number by number"
"""How XLA computes them on CPUs."""


def _many(case: Case) -> bool:
    """Windows of more taps than it is fast to take one by one."""
    return prod(case.kernel) > 9


def _bordered(case: Case) -> bool:
    return any(map(any, case.padding))


def _wide(case: Case) -> bool:
    """Windows of many taps, or with a border, which slices would have to write out."""
    return _many(case) or _bordered(case)


def _any(case: Case) -> bool:
    return True


def _parts(case: Case) -> bool:
    """Windows that are not the whole map."""
    return prod(case.output) > 1


def _overlapping(case: Case) -> bool:
    return _parts(case) and any(step < taps for step, taps in zip(case.stride, case.kernel, strict=True))


def _summed(case: Case) -> bool:
    """With strides the border costs as much as it gains."""
    return _overlapping(case) and not (_bordered(case) and prod(case.stride) > 1)


RULES: tuple[Rule, ...] = (
    Rule("axes", FORWARD, _wide, f"{NUMBERS}: 2.2 → 0.6 ms (3×3 by 2, 112², 64 ×2)", operation="max_pool"),
    Rule("slices", FORWARD, _any, f"{NUMBERS}: 2.5 → 0.4 ms (3×3 by 2, 27², 256 ×10)", operation="max_pool"),
    Rule("axes", INPUT, _many, f"{NUMBERS}: 17 → 4.9 ms (5×5, 13², 512 ×8)", operation="max_pool"),
    Rule("slices", INPUT, _any, f"{NUMBERS}: 4.2 → 2.4 ms (3×3 by 2, 27², 256 ×10)", operation="max_pool"),
    Rule("shifts", FORWARD, _summed, f"{NUMBERS}: 6 → 3.2 ms (3×3, 17², 768 ×9)", operation="sum_pool"),
    Rule("shifts", INPUT, _overlapping, f"{NUMBERS}: 8.2 → 0.8 ms (3×3 by 2, 28², 240 ×10)", operation="sum_pool"),
    Rule("shifts", INPUT, _parts, f"{NUMBERS}: 0.76 → 0.5 ms (2×2, 28², 256 ×9)", operation="sum_pool", onednn=False),
)
