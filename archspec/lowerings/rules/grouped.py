"""Rules for grouped and depthwise convolutions."""

from __future__ import annotations

from archspec.lowerings.rules._rule import Rule

RULES: tuple[Rule, ...] = ()
