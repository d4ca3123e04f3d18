"""Rules for transposed convolutions.

Milliseconds are of one core, the library's and the candidate's. tests/lowerings/test_measured.py holds the rules to
benchmarks/lowerings.json.
"""

from __future__ import annotations

from math import prod

from archspec.lowerings.case import Case
from archspec.lowerings.rules._rule import FORWARD, INPUT, KERNEL, Rule

PHASES = "gradients of all phases at once"
"""What the library makes of a transposed convolution's gradients."""


def _any(case: Case) -> bool:
    return True


def _strided(case: Case) -> bool:
    """Whether there are phases."""
    return prod(case.stride) > 1


def _wide(case: Case) -> bool:
    return _strided(case) and min(case.channels, case.filters) >= 32


def _many(case: Case) -> bool:
    """Whether products for each row of the kernel are large."""
    return _strided(case) and min(case.channels, case.filters) >= 64 and case.batch * prod(case.size) >= 1024


def _narrow(case: Case) -> bool:
    return _strided(case) and not _wide(case)


RULES: tuple[Rule, ...] = (
    Rule(
        "product",
        FORWARD,
        _any,
        "a product goes to a faster library: 7.0 → 5.9 ms (2×2 by 2, 28², 512→256)",
        operation="transposed_conv",
        onednn=False,
    ),
    Rule(
        "product",
        KERNEL,
        _any,
        f"{PHASES}: 82 → 8.5 ms (2×2 by 2, 100², 128→64)",
        operation="transposed_conv",
    ),
    Rule(
        "conv",
        INPUT,
        _narrow,
        f"{PHASES}: 6 → 2.2 ms (16×16 by 8, 26², 21→21)",
        operation="transposed_conv",
        onednn=True,
    ),
    Rule(
        "conv",
        INPUT,
        _wide,
        f"{PHASES}: 29.2 → 20.6 ms (4×4 by 2, 16², 256→128 ×8)",
        operation="transposed_conv",
    ),
    Rule(
        "rows",
        KERNEL,
        _many,
        f"{PHASES}: 7190 → 19 ms (4×4 by 2, 16², 256→128 ×8)",
        operation="transposed_conv",
    ),
    Rule(
        "conv",
        KERNEL,
        _strided,
        f"{PHASES}: 2324 → 23 ms (4×4 by 2, 8², 512→256 ×8)",
        operation="transposed_conv",
    ),
)
