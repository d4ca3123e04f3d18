"""Rules for grouped and depthwise convolutions.

Milliseconds are of one core, the library's and the candidate's. tests/lowerings/test_measured.py holds the rules to
benchmarks/lowerings.json.
"""

from __future__ import annotations

from math import prod

from archspec.lowerings.case import Case
from archspec.lowerings.rules._rule import FORWARD, INPUT, KERNEL, Rule

LARGE = 20
"""From this height or width on, maps do not stay in the cache while all taps go over them."""


def _depthwise(case: Case) -> bool:
    return case.is_depthwise


def _several(case: Case) -> bool:
    """Not so few channels that a vector of them is mostly empty."""
    return case.is_depthwise and case.filters >= 16


def _rows_of_taps(case: Case) -> bool:
    """Kernels of one row or column, and large strides: oneDNN does not take such as a convolution by the map."""
    return case.is_depthwise and (min(case.kernel) == 1 or max(case.stride) > 2)


def _signal(case: Case) -> bool:
    return case.is_depthwise and len(case.size) == 1


def _strided(case: Case) -> bool:
    return case.is_depthwise and prod(case.stride) > 1


def _large(case: Case) -> bool:
    """Small kernels, without strides, on large maps or of few channels."""
    small = case.is_depthwise and prod(case.kernel) <= 9 and prod(case.stride) == 1
    return small and (min(case.output) >= LARGE or (case.channels <= 128 and min(case.output) >= 14))


def _grouped(case: Case) -> bool:
    return case.groups > 1 and not case.is_depthwise


def _few(case: Case) -> bool:
    return _grouped(case) and case.groups <= 8


def _wide(case: Case) -> bool:
    """Wide groups, as AlexNet's two."""
    return _few(case) and not case.is_pointwise and case.channels // case.groups >= 32


def _short(case: Case) -> bool:
    return _grouped(case) and case.dtype == "bfloat16"


def _strided_groups(case: Case) -> bool:
    return _grouped(case) and prod(case.stride) > 1


def _narrow(case: Case) -> bool:
    """Groups of few channels, as ResNeXt's 32."""
    return _grouped(case) and not case.is_pointwise and case.channels // case.groups <= 16


RULES: tuple[Rule, ...] = (
    Rule("joined", FORWARD, _narrow, "groups within the inner loops: 14 → 5 ms (3×3, 28², 256 in 32 ×4)", onednn=False),
    Rule("joined", INPUT, _narrow, "groups within the inner loops: 14 → 5 ms (3×3, 28², 256 in 32 ×4)", onednn=False),
    Rule("split", FORWARD, _few, "groups within the inner loops: 69 → 26 ms (5×5, 27², 96→256 in 2 ×8)", onednn=False),
    Rule("split", INPUT, _few, "groups within the inner loops: 111 → 27 ms (5×5, 27², 96→256 in 2 ×8)", onednn=False),
    Rule(
        "split",
        KERNEL,
        _wide,
        "groups within the batch: 437 → 60, with oneDNN 404 → 31 ms (5×5, 27², 96→256 in 2 ×8)",
    ),
    Rule(
        "spread",
        INPUT,
        _strided_groups,
        "oneDNN lacks spread gradients: 11.5 → 4.4 ms (3×3 by 2, 112², 32 in 2 ×4)",
        onednn=True,
    ),
    Rule(
        "shifts",
        FORWARD,
        _depthwise,
        "a map of one channel for each channel: 36 → 1.2 ms (3×3, 56², 128 ×4)",
        onednn=False,
    ),
    Rule(
        "shifts",
        INPUT,
        _depthwise,
        "a map of one channel for each channel: 36 → 1.1 ms (3×3, 56², 128 ×4)",
        onednn=False,
    ),
    Rule("shifts", INPUT, _strided, "oneDNN lacks spread gradients: 108 → 1.5 ms (3×3 by 2, 56², 144 ×4)", onednn=True),
    Rule("shifts", FORWARD, _signal, "oneDNN is not asked for signals: 45 → 0.5 ms (31, 1024, 64 ×4)", onednn=True),
    Rule("shifts", INPUT, _signal, "oneDNN is not asked for signals: 44 → 0.5 ms (31, 1024, 64 ×4)", onednn=True),
    Rule("row_products", KERNEL, _signal, "groups within the batch: 110 → 1 ms (5, 1024, 512 ×2)", onednn=True),
    Rule("row_products", KERNEL, _several, "groups within the batch: 128 → 8 ms (3×3, 56², 128 ×4)", onednn=False),
    Rule("row_products", KERNEL, _large, "groups within the batch: 104 → 2 ms (3×3, 56², 128 ×4)", onednn=True),
    Rule(
        "row_products", KERNEL, _rows_of_taps, "groups within the batch: 5.6 → 0.8 ms (1×5 by 3, 271 ×7)", onednn=True
    ),
    Rule("map_as_kernel", KERNEL, _depthwise, "groups within the batch: 61 → 0.24 ms (3×3, 7², 960 ×4)", onednn=True),
    Rule("crossed", KERNEL, _grouped, "groups within the batch: 3112 → 9 ms (3×3, 28², 256 in 32 ×4)"),
    Rule("block_products", KERNEL, _grouped, "groups within the batch: 31 → 1.4 ms (1×1, 7², 960→240 in 3 ×16)"),
    Rule(
        "widened",
        (*FORWARD, *INPUT),
        _short,
        "oneDNN multiplies groups of bfloat16 number by number: 176 → 0.16 ms (3×3, 14², 128 in 32 ×2)",
        onednn=True,
    ),
)
