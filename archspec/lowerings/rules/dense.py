"""Rules for convolutions without groups."""

from __future__ import annotations

from archspec.lowerings.case import Case
from archspec.lowerings.rules._rule import KERNEL, Rule


def _pointwise(case: Case) -> bool:
    return case.groups == 1 and case.is_pointwise


def _many(case: Case) -> bool:
    """3×3 windows whose tiles' products are large enough to be worth the additions, without oneDNN too."""
    return case.dtype == "float32" and min(case.channels, case.filters) >= 192


def _some(case: Case) -> bool:
    """Windows of fewer channels on maps that are not small."""
    return case.dtype == "float32" and min(case.channels, case.filters) >= 64 and min(case.output) >= 14


def _first(case: Case) -> bool:
    """3×3 windows of a picture."""
    return case.dtype == "float32" and case.channels <= 4 and case.kernel == (3, 3)


def _square(case: Case) -> bool:
    return case.kernel == (3, 3) and set(case.stride) == {1} and _some(case)


def _strided(case: Case) -> bool:
    return case.dtype == "float32" and set(case.stride) == {2}


def _tall(case: Case) -> bool:
    return case.dtype == "float32" and case.kernel[0] > 1 == case.kernel[-1]


RULES: tuple[Rule, ...] = (
    Rule("product", KERNEL, _pointwise, "a convolution with a window of the whole map: 75 → 15 ms (28², 512→128 ×8)"),
    Rule("winograd", KERNEL, _many, "a convolution with a window of the whole map: 110 → 32 ms (14², 512→512 ×8)"),
    Rule(
        "winograd",
        KERNEL,
        _some,
        "a convolution with a window of the whole map: 118 → 24 ms (112², 64→128 ×2)",
        onednn=True,
    ),
    Rule("rows", KERNEL, _first, "a convolution with a window of the whole map: 23 → 13 ms (224², 3→64 ×2)"),
    Rule(
        "rows",
        KERNEL,
        _square,
        "a convolution with a window of the whole map: 132 → 68 ms (112², 64→128 ×2)",
        onednn=False,
    ),
    Rule("rows", KERNEL, _strided, "a convolution with a window of the whole map: 22 → 15 ms (28², 256→256 ×8)"),
    Rule("rows", KERNEL, _tall, "a convolution with a window of the whole map: 15 → 7 ms (7×1, 17², 128→192 ×8)"),
)
