"""Rules for convolutions without groups."""

from __future__ import annotations

from archspec.lowerings.case import Case
from archspec.lowerings.rules._rule import KERNEL, Rule


def _pointwise(case: Case) -> bool:
    return case.groups == 1 and case.is_pointwise


RULES: tuple[Rule, ...] = (
    Rule("product", KERNEL, _pointwise, "a convolution with a window of the whole map: 75 → 15 ms (28², 512→128 ×8)"),
)
