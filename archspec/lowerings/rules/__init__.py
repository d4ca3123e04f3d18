"""Which candidate is fastest, by device, operation, shape and direction, as measurements showed.

Rules are in tables, a file for each class of operations; the first that holds, and whose candidate fits, counts. What
no rule speaks of the library computes, so on GPUs and TPUs everything.
"""

from __future__ import annotations

from archspec.lowerings.candidates import fits
from archspec.lowerings.case import Case, Direction
from archspec.lowerings.device import Device
from archspec.lowerings.rules import dense, grouped, pooling, transposed
from archspec.lowerings.rules._rule import Rule

TABLES: tuple[tuple[Rule, ...], ...] = (grouped.RULES, dense.RULES, pooling.RULES, transposed.RULES)


def rule_for(case: Case, direction: Direction, device: Device) -> Rule | None:
    """The rule for a case and direction on a device; None where the library is to be taken."""
    for table in TABLES:
        for rule in table:
            if rule.holds(case, direction, device) and fits(rule.candidate, case, direction):
                return rule
    return None
