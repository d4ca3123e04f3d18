"""Rules for convolutions without groups."""

from __future__ import annotations

from archspec.lowerings.case import Case
from archspec.lowerings.rules._rule import KERNEL, Rule


def _pointwise(case: Case) -> bool:
    return case.groups == 1 and case.is_pointwise


def _windows(case: Case) -> bool:
    """Products of tiles that are large enough to be worth the additions: many channels, or channels and a large map."""
    least = min(case.channels, case.filters)
    return case.dtype == "float32" and (least >= 256 or (least >= 64 and min(case.output) >= 14))


def _strided(case: Case) -> bool:
    return case.dtype == "float32" and set(case.stride) == {2}


def _tall(case: Case) -> bool:
    return case.dtype == "float32" and case.kernel[0] > 1 == case.kernel[-1]


RULES: tuple[Rule, ...] = (
    Rule("product", KERNEL, _pointwise, "a convolution with a window of the whole map: 75 → 15 ms (28², 512→128 ×8)"),
    Rule("winograd", KERNEL, _windows, "a convolution with a window of the whole map: 118 → 32 ms (112², 64→128 ×2)"),
    Rule("rows", KERNEL, _strided, "a convolution with a window of the whole map: 22 → 15 ms (28², 256→256 ×8)"),
    Rule("rows", KERNEL, _tall, "a convolution with a window of the whole map: 15 → 7 ms (7×1, 17², 128→192 ×8)"),
)
