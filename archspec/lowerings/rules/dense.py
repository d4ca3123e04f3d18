"""Rules for convolutions without groups.

Milliseconds are of one core, the library's and the candidate's. tests/lowerings/test_measured.py holds the rules to
benchmarks/lowerings.json.
"""

from __future__ import annotations

from math import prod

from archspec.lowerings.case import DIRECTIONS, Case
from archspec.lowerings.rules._rule import FORWARD, INPUT, KERNEL, Rule

WHOLE_MAP = "a convolution with a window of the whole map"
"""What the library makes of a kernel's gradient."""
FEW = 2_000_000
"""Multiply–adds up to which rows of a kernel gain nothing."""


def _pointwise(case: Case) -> bool:
    return case.groups == 1 and case.is_pointwise


def _product(case: Case) -> bool:
    """Products that take longer than to ask for them."""
    return _pointwise(case) and case.macs >= 10_000


def _deep_product(case: Case) -> bool:
    """Of more than a few filters, over which an input's gradient sums."""
    return _product(case) and case.filters >= 8


def _wide_pointwise(case: Case) -> bool:
    return _pointwise(case) and min(case.channels, case.filters) >= 96


def _pixels(case: Case) -> int:
    """How many terms a number of the kernel's gradient has."""
    return case.batch * prod(case.output)


def _many(case: Case) -> bool:
    """3×3 windows whose tiles' products are large enough to be worth the additions, without oneDNN too."""
    return case.dtype == "float32" and min(case.channels, case.filters) >= 192 and _pixels(case) >= 512


def _few_pixels(case: Case) -> bool:
    """As many channels, but fewer pixels than Winograd's sums are worth."""
    return case.dtype == "float32" and min(case.channels, case.filters) >= 192 and case.kernel == (3, 3)


def _some(case: Case) -> bool:
    """Windows of fewer channels on maps that are not small."""
    return case.dtype == "float32" and min(case.channels, case.filters) >= 48 and min(case.output) >= 14


def _large(case: Case) -> bool:
    """Both maps together are larger than a core's second cache, which they stay in otherwise."""
    return case.batch * (prod(case.size) * case.channels + prod(case.output) * case.filters) >= 800_000


def _vast(case: Case) -> bool:
    return _some(case) and _large(case) and min(case.output) >= 48 and min(case.channels, case.filters) >= 64


def _thin(case: Case) -> bool:
    """Pictures for few filters: a row of them fits a register or two."""
    return case.channels <= 3 and case.filters <= 32


def _grey(case: Case) -> bool:
    return case.channels == 1 and case.filters <= 32


def _small(case: Case) -> bool:
    """Windows on maps so small that reading the kernel is the work, or that the kernel reaches beyond."""
    beyond = any(
        spread * (taps - 1) >= size for spread, taps, size in zip(case.dilation, case.kernel, case.output, strict=True)
    )
    wide = min(case.channels, case.filters) >= 192 and _pixels(case) < 512
    return case.dtype == "float32" and (wide or beyond)


def _small_pointwise(case: Case) -> bool:
    return _pointwise(case) and min(case.channels, case.filters) >= 192 and _pixels(case) <= 256


def _picture(case: Case) -> bool:
    """Windows larger than 3×3 of a picture, and not but a few outputs."""
    large = _pixels(case) * case.filters >= 100_000
    return case.dtype == "float32" and case.channels <= 4 and min(case.kernel) > 3 and large


def _larger_windows(case: Case) -> bool:
    return case.dtype == "float32" and case.channels > 4 and min(case.kernel) >= 7 and set(case.stride) == {1}


def _first(case: Case) -> bool:
    """3×3 windows of a picture, for as many filters as a register or two hold."""
    return case.dtype == "float32" and case.channels <= 4 and case.filters >= 16 and case.kernel == (3, 3)


def _square(case: Case) -> bool:
    return case.kernel == (3, 3) and set(case.stride) == {1} and _some(case) and _large(case)


def _strided(case: Case) -> bool:
    return case.dtype == "float32" and set(case.stride) == {2} and case.macs >= FEW


def _tall(case: Case) -> bool:
    return case.dtype == "float32" and case.kernel[0] > 1 == case.kernel[-1] and case.macs >= FEW


RULES: tuple[Rule, ...] = (
    Rule(
        "product",
        FORWARD,
        _product,
        "a product goes to a faster library: 3.35 → 2.6 ms (1×1, 56², 128→128 ×3)",
        onednn=False,
    ),
    Rule(
        "product",
        INPUT,
        _deep_product,
        "a product goes to a faster library: 4.9 → 2.5 ms (1×1, 7², 464→1024 ×8)",
        onednn=False,
    ),
    Rule(
        "product",
        INPUT,
        _wide_pointwise,
        "kernels laid out anew at each call: 2.95 → 1.8 ms (1×1, 14², 384→1536)",
        onednn=True,
    ),
    Rule(
        "channel_shifts",
        FORWARD,
        _thin,
        "libraries put channels side by side, of which there are few: 0.6 → 0.07 ms (5×5, 32², 1→6 ×16)",
        onednn=False,
    ),
    Rule(
        "channel_shifts",
        FORWARD,
        _grey,
        "libraries put channels side by side, of which there is one: 0.13 → 0.08 ms (5×5, 32², 1→6 ×16)",
        onednn=True,
    ),
    Rule("product", FORWARD, _small_pointwise, "kernels laid out anew: 62 → 15 ms (1×1, 5², 4096→4096)", onednn=True),
    Rule(
        "patches",
        DIRECTIONS,
        _small,
        "no fast convolution where the kernel is larger than the map: 495 → 3 ms (3×3, 2², 512→512 ×16)",
    ),
    Rule("product", KERNEL, _pointwise, f"{WHOLE_MAP}: 75 → 15 ms (28², 512→128 ×8)"),
    Rule("winograd", KERNEL, _many, f"{WHOLE_MAP}: 110 → 32 ms (14², 512→512 ×8)"),
    Rule("rows", KERNEL, _few_pixels, f"{WHOLE_MAP}: 23 → 16 ms (13², 512→1024)"),
    Rule(
        "winograd",
        KERNEL,
        _vast,
        f"{WHOLE_MAP}: 155 → 65 ms (224², 64→64)",
        onednn=False,
    ),
    Rule(
        "winograd",
        KERNEL,
        _some,
        f"{WHOLE_MAP}: 118 → 24 ms (112², 64→128 ×2)",
        onednn=True,
    ),
    Rule("planes", KERNEL, _first, f"{WHOLE_MAP}: 24 → 15 ms (3×3, 224², 3→64 ×2)", onednn=True),
    Rule("rows", KERNEL, _first, f"{WHOLE_MAP}: 23 → 13 ms (224², 3→64 ×2)", onednn=False),
    Rule("planes", KERNEL, _picture, f"{WHOLE_MAP}: 27 → 12 ms (7×7 by 2, 224², 3→64 ×4)"),
    Rule("planes", KERNEL, _larger_windows, f"{WHOLE_MAP}: 100 → 41 ms (7×7, 90², 64→64)", onednn=True),
    Rule(
        "rows",
        KERNEL,
        _square,
        f"{WHOLE_MAP}: 132 → 68 ms (112², 64→128 ×2)",
        onednn=False,
    ),
    Rule("rows", KERNEL, _strided, f"{WHOLE_MAP}: 22 → 15 ms (28², 256→256 ×8)"),
    Rule("rows", KERNEL, _tall, f"{WHOLE_MAP}: 15 → 7 ms (7×1, 17², 128→192 ×8)"),
)
